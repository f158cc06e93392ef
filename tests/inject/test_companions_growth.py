"""Companions cost the same each: calls are counted, not time."""

from __future__ import annotations

import json
from pathlib import Path

from sidecarctl.cli import build_request
from sidecarctl.composition.request import Request
from sidecarctl.inject import companion_search, companions, pipeline
from sidecarctl.inject.companion_search import Beside
from sidecarctl.inject.companions import OWNER_ANNOTATION as OWNER
from sidecarctl.inject.companions import read_owner
from sidecarctl.inject.pipeline import Options
from sidecarctl.yamltext import edits, parse
from sidecarctl.yamltext.nodes import Node
from tests.calls import count_calls

JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}}}


def jobset(number: int, templates: int = 2) -> dict[str, object]:
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": f"j{number}"},
        "spec": {"replicatedJobs": [{"name": f"r{each}", "template": {"spec": JOB}} for each in range(templates)]},
    }


def request_with_companions(folder: Path, count: int) -> list[Request]:
    """Return the request for a sidecar that has a number of companions."""
    sidecar = folder / f"many-{count}"
    sidecar.mkdir(parents=True)
    (sidecar / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
        f"metadata: {{name: {sidecar.name}, version: 1.0.0, summary: Many companions.}}\nspec: {{engine: plain}}\n"
    )
    maps = (f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c-{each}}}}}\n" for each in range(count))
    (sidecar / "template.yaml").write_text(
        f"containers:\n- {{name: {sidecar.name}, image: side:1}}\ndocuments:\n{''.join(maps)}"
    )
    return build_request.requests(
        [sidecar.name], libraries=[str(folder)], sets=[], values=[], containers=[], as_name=None, mode=None
    )


def count_readings(value: object, requests: list[Request]) -> int:
    """Return how often owners of companions are read while sidecars are added."""
    text = json.dumps(value)
    codes = companions.read_owner.__code__, companions.read_object_owner.__code__
    return count_calls(lambda: pipeline.add(text, requests, Options(facts=False)), *codes).total()


def test_companions_of_a_sidecar_are_placed_in_one_pass(tmp_path: Path) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    few, many = (count_readings(pod, request_with_companions(tmp_path, count)) for count in (20, 80))
    assert few <= many <= 4 * few


def test_objects_of_a_list_with_several_pod_templates_share_companions_in_one_pass(tmp_path: Path) -> None:
    requests = request_with_companions(tmp_path, 1)

    def count(size: int) -> int:
        items = [jobset(number) for number in range(size)]
        return count_readings({"apiVersion": "v1", "kind": "List", "items": items}, requests)

    assert 0 < count(40) <= 5 * count(10)


def test_pod_templates_share_many_companions_in_one_pass(tmp_path: Path) -> None:
    def compared(count: int) -> int:
        requests, text = request_with_companions(tmp_path, count), json.dumps(jobset(0))
        return count_calls(lambda: pipeline.add(text, requests, Options(facts=False)), edits.identical.__code__).total()

    assert 0 < compared(80) <= 5 * compared(20)


def test_companions_of_other_files_are_parsed_once_in_a_run() -> None:
    text = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{number}\n"
        f"  annotations: {{sidecarctl.dev/owner: Pod/p{number}/logger}}\n"
        for number in range(20)
    )
    parsed: dict[str, Node] = {}
    calls = [
        count_calls(
            lambda: [read_owner(each) for _, each in Beside((("c.yaml", text),), parsed=parsed).split([])],
            parse.parse.__code__,
        )["parse"]
        for _ in range(2)
    ]
    assert calls == [20, 0]


def test_objects_of_a_list_are_compared_with_the_instance_that_they_name(tmp_path: Path) -> None:
    def count(size: int) -> int:
        record = json.dumps({"v": 2, "instances": {f"i{number}": {} for number in range(size)}})
        owners = [f"Pod/other-{number}/i{number % size}" for number in range(4 * size)]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "annotations": {"sidecarctl.dev/sidecars": record}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]},
        }
        objects = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s{number}", "annotations": {OWNER: owner}}}
            for number, owner in enumerate(owners)
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, *objects]})
        work = lambda: pipeline.remove(text, None, Options(facts=False))  # noqa: E731
        return count_calls(work, companion_search.belongs_to.__code__).total()

    assert 0 < count(40) <= 5 * count(10)
