"""sidecarctl and a real API server agree: same verdicts, same results of exported policies, nothing left after remove.

Set DIFFERENTIAL to the number of mutations, and DIFFERENTIAL_FOLDER to a directory of real manifests, as for the oracle.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import apiserver
import mutations
import policies_on_server as policies
import pytest
import yaml
from agreement import Known, Parted, compare, ours, unknown
from judging import judge_all
from test_differential import KNOWN

from sidecarctl.authoring import test_cases
from sidecarctl.errors import InputError
from sidecarctl.yamltext.stream import split
from tests.command import ROOT, run
from tests.shipped_library.manifests import NAMES, sidecars

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(apiserver.missing()), reason=apiserver.missing() or "built"),
]
NUMBER = int(os.environ.get("DIFFERENTIAL", "1500"))
FOLDER = os.environ.get("DIFFERENTIAL_FOLDER", "")
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "1"))

# Differences that the oracle has too are in tests/e2e/test_differential.py; these need a cluster, or are not of a kind with
# rules of its own.
OF_THE_CLUSTER = (
    Known("server", r"not configured (for dual-stack|on this cluster)", "the cluster has one IP family"),
    Known(
        "server",
        r"not in the valid range|provided port is already allocated|failed to allocate",
        "the cluster has ranges",
    ),
    Known(
        "server",
        r"api-approved\.kubernetes\.io|podCIDRs|webhooks\[\d+\]\.name",
        "only the schema of the kind is checked",
    ),
    Known("server", r"Pod Overhead set without", "the runtime class of the cluster has no overhead"),
    Known("we", r"^object-too-large ", "a dry run does not reach etcd"),
    Known("server", r"resourceVersion should not be set", "the field belongs to updates"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[apiserver.Server]:
    with apiserver.Server() as running:
        yield running


def known() -> tuple[Known, ...]:
    return (*KNOWN, *OF_THE_CLUSTER)


def parted(server: apiserver.Server, documents: list[Any]) -> list[Parted]:
    found = (compare(document, verdict) for document, verdict in zip(documents, judge_all(server, documents)))
    return unknown([one for one in found if one is not None], known())


def listed(wrong: list[Parted]) -> str:
    return "\n".join(f"{one}\n  {json.dumps(one.document)}" for one in wrong[:20])


def test_is_the_newest_version(server: apiserver.Server) -> None:
    assert server.request("GET", "/version").body["gitVersion"] == apiserver.VERSION


def test_agrees_on_mutated_workloads(server: apiserver.Server) -> None:
    rng = Random(SEED)
    wrong = parted(server, [json.loads(json.dumps(mutations.mutant(rng))) for _ in range(NUMBER)])
    assert not wrong, listed(wrong)


def test_agrees_on_mutated_objects_around_workloads(server: apiserver.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "seeds", mutations.surroundings)
    rng = Random(SEED)
    wrong = parted(server, [json.loads(json.dumps(mutations.mutant(rng))) for _ in range(NUMBER)])
    assert len(wrong) <= NUMBER / 200, listed(wrong)


def test_agrees_on_examples(server: apiserver.Server) -> None:
    wrong = parted(server, list(documents(ROOT / "examples")))
    assert not wrong, listed(wrong)


@pytest.mark.skipif(not FOLDER, reason="no DIFFERENTIAL_FOLDER")
def test_agrees_on_manifests_of_a_directory(server: apiserver.Server) -> None:
    found = list(documents(Path(FOLDER)))
    assert found
    wrong = parted(server, found)
    assert not wrong, listed(wrong)


def documents(folder: Path) -> Iterator[Any]:
    """Yield the objects in the files of a directory that can be parsed."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
            with contextlib.suppress(InputError, UnicodeDecodeError, TypeError):
                for document in split(path.read_text(encoding="utf-8"), str(path)):
                    with contextlib.suppress(InputError):
                        value = document.value
                        if isinstance(value, dict) and value.get("apiVersion") and value.get("kind"):
                            yield json.loads(json.dumps(value))


@pytest.mark.parametrize("name", NAMES)
def test_accepts_each_sidecar_in_each_kind(name: str, server: apiserver.Server, tmp_path: Path) -> None:
    """With the parameters of the example, and of all test cases of the library."""
    sidecar = sidecars()[name]
    cases = [example(name), *(test_cases.read_case(sidecar, case).given for case in test_cases.find_cases(sidecar))]
    found = [
        document
        for kind in policies.KINDS
        for given in cases
        for document in added(policies.workload(kind, name), name, tmp_path, given)
    ]
    assert len(found) >= len(policies.KINDS)
    refused = [
        (verdict.problems, document)
        for document, verdict in zip(found, judge_all(server, found))
        if verdict.supported and not verdict.accepted
    ]
    assert not refused, refused[0]
    print(f"{name}: {len(found)} objects of {len(cases)} sets of parameters")


def example(name: str) -> dict[str, Any]:
    """Return the parameters that a sidecar requires."""
    return {**test_cases.run_example(sidecars()[name]).trial.given, **policies.FIXED.get(name, {})}


def added(document: dict[str, Any], name: str, folder: Path, given: Mapping[str, Any]) -> list[Any]:
    """Return the workload with a sidecar and its companions, [] if the sidecar refuses the kind."""
    text = yaml.safe_dump(json.loads(json.dumps(document)))
    (folder / "values.yaml").write_text(yaml.safe_dump({name: dict(given)}))
    done = run(f"sidecarctl add {name} -f - --values values.yaml --quiet", folder, stdin=text)
    return [one for one in yaml.safe_load_all(done.stdout) if one] if done.code == 0 else []


# The server does not change the containers of a Pod, or the template of a Job.
CHANGEABLE = tuple(kind for kind in policies.KINDS if kind not in ("Pod", "Job"))


@pytest.mark.parametrize("name", NAMES)
def test_apply_after_remove_leaves_nothing(name: str, server: apiserver.Server, tmp_path: Path) -> None:
    tried = 0
    for kind in CHANGEABLE:
        plain = policies.workload(kind, "none")
        workload = next(iter(added(plain, name, tmp_path, example(name))), None)
        if workload is None:  # the sidecar refuses the kind
            continue
        assert server.apply(plain).accepted
        before = policies.comparable(server.apply(plain).body, name)
        applied = server.apply(workload)
        assert applied.accepted, (kind, applied.message)
        assert policies.comparable(applied.body, name) != before
        assert policies.comparable(server.apply(plain).body, name) == before, kind
        server.delete(plain)
        tried += 1
    assert tried >= 5


def test_etcd_rejects_what_is_too_large(server: apiserver.Server) -> None:
    for size, accepted in ((1_400_000, True), (1_600_000, False)):
        document = policies.workload("Deployment", "none")
        document["spec"]["template"]["spec"]["containers"][0]["args"] = ["x" * size]
        answer = server.create(document, dry_run=False)
        assert answer.accepted is accepted, answer.message
        assert any(one.rule == "object-too-large" for one in ours(document)) is not accepted
        if accepted:
            server.delete(document)


def test_policies_have_the_same_result_as_render(tmp_path: Path) -> None:
    exports = policies.exports(tmp_path)
    refused = {name for name, found in exports.items() if found.refused}
    assert refused == {"auto-instrumentation", "fluentd", "proxy"}
    with apiserver.Server() as server:
        policies.install(server, exports)
        wrong = [
            f"{name} {kind}: {'; '.join(differing)}"
            for name in exports.keys() - refused
            for kind in policies.KINDS
            if (differing := list(policies.differences_from_render(server, kind, name, tmp_path)))
        ]
        assert not wrong, "\n".join(wrong)
        late = policies.workload("Deployment", "log-tail", containers=17)
        found = policies.template(server.create(late).body, "Deployment")
        assert (
            found["spec"]["containers"]
            == policies.template(server.create(policies.without_label(late)).body, "Deployment")["spec"]["containers"]
        )
