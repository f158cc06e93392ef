"""Sidecars on one workload, and instances in one record, cost the same each: calls are counted, not time."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sidecarctl import lazy_dataclass
from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.cli import build_request
from sidecarctl.composition import namespaces
from sidecarctl.composition.annotations import INJECT
from sidecarctl.composition.namespaces import NamespaceSelections
from sidecarctl.composition.request import Request, build_requests, order_requests
from sidecarctl.errors import UsageError
from sidecarctl.inject import digest, pipeline, plan, pod_graph, removal, upgrade_base
from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.pod_routes import ServiceIndex
from sidecarctl.inject.status import collect_status
from sidecarctl.inject.targets import choose_targets
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, workloads
from sidecarctl.record import annotation as record
from sidecarctl.record import check as record_check
from sidecarctl.record.annotation import Instance
from sidecarctl.validate.fields import mounts_of
from sidecarctl.validate.views import PodView
from sidecarctl.yamltext.lines import first_on_line
from sidecarctl.yamltext.stream import split
from tests.calls import count_calls
from tests.inject.test_selection import choice, chosen

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:1.0.0", resources: {limits: {memory: 8Mi}}}
"""
COUNT = 20


def library(folder: Path, word: str = "side") -> str:
    for number in range(COUNT):
        name = f"{word}-{number}"
        (folder / name).mkdir()
        (folder / name / "sidecar.yaml").write_text(
            "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
            f"metadata: {{name: {name}, version: 1.0.0, summary: One of many.}}\nspec: {{engine: plain}}\n"
        )
        (folder / name / "template.yaml").write_text(
            f"containers:\n- name: {name}\n  image: registry.example/side:1.0.0\n"
            "  resources: {requests: {cpu: 1m, memory: 8Mi}, limits: {memory: 8Mi}}\n"
        )
    return str(folder)


def request_all(folder: Path, word: str = "side") -> list[Request]:
    """Return requests for all sidecars of a library. Tests that count what is cached need names of their own."""
    return build_request.requests(
        [f"{word}-{number}" for number in range(COUNT)],
        libraries=[library(folder, word)],
        sets=[],
        values=[],
        containers=[],
        as_name=None,
        mode=None,
    )


def many(request: Request, count: int) -> list[Request]:
    return [lazy_dataclass.replace(request, instance=f"side-{number}") for number in range(count)]


def test_ordering_requests_takes_linear_time(tmp_path: Path) -> None:
    (request, *_) = request_all(tmp_path, "ordered")
    few, more = (count_calls(lambda n=n: order_requests(many(request, n))).total() for n in (100, 400))  # type: ignore[misc]
    assert more < 5 * few


def test_more_sidecars_than_a_record_can_have_are_an_error_of_the_rule() -> None:
    sidecars = [{"name": "logger", "as": f"logger-{number}"} for number in range(501)]
    rule = {"name": "all", "select": {"kinds": ["Deployment"]}, "sidecars": sidecars}
    with pytest.raises(UsageError, match=r"501 sidecars for one workload \(limit: 500\)") as caught:
        choice(chosen([rule]), WEB)
    assert (caught.value.where[:7], caught.value.workload) == ("c.yaml:", "Deployment/web")


def test_too_many_sidecars_are_refused_before_their_parameters_are_resolved() -> None:
    with pytest.raises(UsageError, match=r"100,000 sidecars for one workload \(limit: 500\)"):
        build_requests(open_catalog([], {}), ["logger"] * 100_000, {})


def test_each_entry_of_the_record_is_checked_once_in_a_run(tmp_path: Path) -> None:
    requests = request_all(tmp_path)
    functions = (record._instance, record_check._check_instance)
    codes = [function.__wrapped__.__code__ for function in functions]  # type: ignore[attr-defined]
    counted = count_calls(lambda: pipeline.add(WEB, requests, Options(facts=False)), *codes)
    assert set(counted) == {"_instance", "_check_instance"}
    assert all(calls <= COUNT for calls in counted.values()), counted


def test_each_entry_of_the_record_is_written_once_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = request_all(tmp_path, "entry")
    written: list[str] = []
    instance_data = record._instance_data

    def counted(instance: Instance, derived: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        written.append(instance.name)
        return instance_data(instance, derived)

    monkeypatch.setattr(record, "_instance_data", counted)
    pipeline.add(WEB, requests, Options(facts=False))
    # A new entry is an object that the run did not read yet.
    assert COUNT <= len(written) <= 2 * COUNT


def test_an_entry_depends_on_the_workload_that_has_it() -> None:
    text = json.dumps({"v": 2, "instances": {"logger": {"volumes": ["logs"]}}})

    def read(documents: Sequence[str]) -> Instance:
        volumes = [{"name": "logs", "configMap": {"name": name}} for name in documents]
        template = {"metadata": {"annotations": {RECORD_ANNOTATION: text}}, "spec": {"volumes": volumes}}
        (found,) = workloads({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
        assert record.write(record.read(found), found) == text.replace(" ", "")
        return record.read(found).instances["logger"]

    for documents in (["one"], ["two"], [], ["one"]):
        assert read(documents).added.documents == tuple(f"ConfigMap/{name}" for name in documents)


def test_a_library_is_listed_once_for_all_sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    request_all(tmp_path)
    assert listed.count(tmp_path) == 1


def test_a_removal_looks_at_each_container_once() -> None:
    def count(size: int) -> int:
        names = [f"c-{number}" for number in range(size)]
        mount = {"name": "logs", "mountPath": "/logs"}
        pod = {"containers": [{"name": name, "volumeMounts": [mount]} for name in names], "volumes": [{"name": "logs"}]}
        entry = {"volumes": ["logs"], "initContainers": []}
        text = json.dumps({"v": 2, "instances": {"logger": entry}})
        template = {"metadata": {"annotations": {RECORD_ANNOTATION: text}}, "spec": pod}
        (found,) = workloads({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
        edits: list[object] = []
        work = lambda: edits.extend(removal.plan_removal(found, record.read(found), ["logger"]).edits)  # noqa: E731
        calls = count_calls(work, removal._at.__code__)["_at"]
        assert len(edits) == size + 2  # the mounts of each container, the volumes, and the metadata
        return calls

    assert 0 < count(4 * COUNT) <= 4 * count(COUNT)


def test_workloads_of_a_list_are_reported_in_one_pass(tmp_path: Path) -> None:
    requests = build_request.requests(
        ["side-1"], libraries=[library(tmp_path)], sets=[], values=[], containers=[], as_name=None, mode=None
    )
    getter = Workload.label.fget  # type: ignore[attr-defined]

    def count(pods: int) -> int:
        item = "- {apiVersion: v1, kind: Pod, metadata: {name: p%d}, spec: {containers: [{name: a, image: a}]}}\n"
        text = "apiVersion: v1\nkind: List\nitems:\n" + "".join(item % number for number in range(pods))
        return count_calls(lambda: pipeline.add(text, requests, Options(facts=False)), getter.__code__)["label"]

    assert 0 < count(20) <= 2 * count(10)


@pytest.mark.parametrize("work", ["read", "write"])
def test_volumes_are_indexed_once_for_all_instances(work: str) -> None:
    names = [f"side-{number}" for number in range(COUNT)]
    text = json.dumps({"v": 2, "instances": {name: {"volumes": [name]} for name in names}})
    pod = {"containers": [{"name": "web"}], "volumes": [{"name": name, "configMap": {"name": name}} for name in names]}
    template = {"metadata": {"annotations": {RECORD_ANNOTATION: text}}, "spec": pod}
    (workload,) = workloads({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
    found = record.read(workload)
    assert found.instances["side-3"].added.documents == ("ConfigMap/side-3",)
    codes = record._documents_by_volume.__code__, record.as_mapping.__code__
    function = (lambda: record.read(workload)) if work == "read" else (lambda: record.write(found, workload))
    counted = count_calls(function, *codes)
    assert counted["_documents_by_volume"] == 1
    assert counted["as_mapping"] <= 3 * COUNT, counted


def _handing_over(size: int) -> dict[str, Any]:
    """A pod with volumes that another sidecar mounts too."""
    mounts = [{"name": f"v-{number}", "mountPath": f"/v/{number}"} for number in range(size)]
    return {
        "initContainers": [{"name": name, "volumeMounts": mounts} for name in ("one", "two")],
        "containers": [{"name": "web"}],
        "volumes": [{"name": mount["name"]} for mount in mounts],
    }


def _pull_secrets(size: int) -> dict[str, Any]:
    return {
        "containers": [{"name": "web"}],
        "imagePullSecrets": [{"name": f"v-{number}"} for number in range(size)],
    }


@pytest.mark.parametrize(
    ("make", "entry"),
    [(_handing_over, ("volumes", "v-{}")), (_pull_secrets, ("pod", "imagePullSecrets/v-{}"))],
)
def test_what_a_removal_takes_away_or_hands_over_costs_the_same_each(
    make: Callable[[int], dict[str, Any]], entry: tuple[str, str]
) -> None:
    def count(size: int) -> int:
        field, text = entry
        names = [text.format(number) for number in range(size)]
        instances = {"one": {"initContainers": ["one"], field: names}, "two": {"initContainers": ["two"]}}
        record_text = json.dumps({"v": 2, "instances": instances})
        template = {"metadata": {"annotations": {RECORD_ANNOTATION: record_text}}, "spec": make(size)}
        (found,) = workloads({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
        present = record.read(found)
        return sum(count_calls(lambda: removal.plan_removal(found, present, ["one"])).values())

    assert 0 < count(8 * COUNT) <= 9 * count(COUNT)


def test_a_file_looks_for_the_namespaces_of_its_workloads_only(tmp_path: Path) -> None:
    def searches(count: int) -> int:
        inject = f"  annotations: {{{INJECT}: logger}}\n"
        texts = [
            (str(tmp_path / place / f"{i}.yaml"), f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: n{i}\n{inject}")
            for i in range(count)
            for place in ("dev", "prod")
        ]
        selections = NamespaceSelections(chosen([]), texts)
        pods = [
            (str(tmp_path / "dev" / str(i) / "pod.yaml"), WEB.replace("name: web}", f"name: web, namespace: n{i}}}"))
            for i in range(count)
        ]
        return count_calls(
            lambda: [pipeline.render(text, selections.select(file), Options(facts=False), file) for file, text in pods],
            namespaces._Places.find_nearest.__code__,
        ).total()

    assert 0 < searches(20) <= 4 * searches(5) + 4


def test_items_of_a_list_on_one_line_cost_the_same_each(tmp_path: Path) -> None:
    requests = request_all(tmp_path, "one-line")[:1]

    def calls(count: int) -> int:
        pods = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p{i}"},
                "spec": {"containers": [{"name": "a", "image": "a:1"}]},
            }
            for i in range(count)
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
        return count_calls(lambda: pipeline.add(text, requests, Options(facts=False)), first_on_line.__code__).total()

    calls(2)
    assert 0 < calls(80) <= 2.2 * calls(40)


def _count_renderings(text: str, folder: Path) -> Counter[str]:
    """Return how often `status` plans a sidecar and computes a digest."""
    catalog = Catalog((("lib", folder),))
    codes = plan.plan_sidecar.__code__, digest.compute_digest.__code__
    return count_calls(lambda: collect_status(text, catalog, Options(facts=False)), *codes)


def _with_labels(size: int) -> str:
    labels = ", ".join(f"l{number}: v{number}" for number in range(size))
    return WEB.replace("labels: {app: web}", f"labels: {{app: web, {labels}}}")


def _with_containers(size: int) -> str:
    return WEB + "".join(f"      - {{name: c-{number}, image: a}}\n" for number in range(size))


@pytest.mark.parametrize("make", [_with_labels, _with_containers])
def test_former_names_are_guessed_for_few_labels_and_containers(make: Callable[[int], str], tmp_path: Path) -> None:
    requests = build_request.requests(
        ["side-1"], libraries=[library(tmp_path)], sets=[], values=[], containers=[], as_name=None, mode=None
    )

    def count(size: int) -> int:
        text = pipeline.add(make(size), requests, Options(facts=False)).text
        changed = re.sub('"digest":"[0-9a-f]+"', '"digest":"00000000"', text)
        assert changed != text
        return _count_renderings(changed, tmp_path).total()

    assert 0 < count(8 * COUNT) <= count(2 * COUNT)


def test_renderings_for_former_names_are_limited_for_each_instance(tmp_path: Path) -> None:
    library(tmp_path)

    def count(size: int) -> int:
        entry = {"sidecar": "side-1", "version": "1.0.0", "digest": "00000000"}
        text = json.dumps({"v": 2, "instances": {f"i-{number}": entry for number in range(size)}})
        metadata = f"metadata: {{annotations: {{{RECORD_ANNOTATION}: '{text}'}}, labels"
        return _count_renderings(WEB.replace("metadata: {labels", metadata), tmp_path)["plan_sidecar"]

    assert 0 < count(8 * COUNT) <= 8 * count(COUNT) <= 8 * 40 * COUNT


def test_a_removal_of_all_instances_searches_no_heirs() -> None:
    instances = {f"i-{number}": {"volumes": [f"v-{number}"]} for number in range(COUNT)}
    pod = {"containers": [{"name": "web"}], "volumes": [{"name": f"v-{number}"} for number in range(COUNT)]}
    annotations = {RECORD_ANNOTATION: json.dumps({"v": 2, "instances": instances})}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    (found,) = workloads({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
    codes = removal._mounts.__code__, removal._paths.__code__
    counted = count_calls(lambda: removal.plan_removal(found, record.read(found), list(instances)), *codes)
    assert counted["_paths"]
    assert not counted["_mounts"]


def test_patterns_of_targets_compare_each_container_once_each() -> None:
    def compared(count: int) -> int:
        containers = "".join(f"      - {{name: c{number}, image: a}}\n" for number in range(count))
        (document,) = split(WEB + containers)
        (workload,) = workloads(document.value, DEFAULT_KINDS)
        return count_calls(
            lambda: choose_targets(workload, ("*", "*", "c*"), "all"), lazy_dataclass._equal.__code__
        ).total()

    assert compared(80) == compared(20) == 0


def test_graph_compares_no_containers_with_each_other() -> None:
    init = "".join(f"      - {{name: i{number}, image: a}}\n" for number in range(COUNT))
    (document,) = split(f"{WEB}      initContainers:\n{init}")
    (found,) = workloads(document.value, DEFAULT_KINDS)
    compared = count_calls(
        lambda: pod_graph.build_pod(found, "1.37", "a.yaml", ServiceIndex(())), lazy_dataclass._equal.__code__
    )
    assert not compared.total()


def test_mounts_of_a_volume_are_collected_once() -> None:
    (document,) = split(
        f"{WEB}        volumeMounts: [{{name: v, mountPath: /v}}]\n".replace("- {name", "- name").replace(
            'web, image: "registry.example/web:1.0.0", resources: {limits: {memory: 8Mi}}}', "web"
        )
    )
    (found,) = workloads(document.value, DEFAULT_KINDS)
    view = PodView(found, (0,))
    assert mounts_of(view, "v", "app")
    assert mounts_of(view, "v", "app") is mounts_of(view, "v", "app")
    assert not mounts_of(view, "v", "sidecar")


@pytest.mark.parametrize("count", [1, 50, 100, 200, 500])
def test_unknown_base_is_searched_among_a_limited_number_of_renderings(count: int) -> None:
    instances = {f"a{number}": Instance(f"a{number}", "logger", "1.0.0", "native") for number in range(count)}
    most = upgrade_base._max_renderings(record.Record(instances=instances))
    assert count * most <= 3_000
    assert most >= (2 * len(SUPPORTED) if count <= 100 else 2)
