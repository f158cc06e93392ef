"""Advice rules report the same fields as the warnings of the API server."""

from __future__ import annotations

import re
from typing import Any

import oracle
import pytest
from advice_helpers import dotted, found, pod, where

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import rules
from tests.rule_examples import complete


@pytest.mark.parametrize(
    ("later", "hides"),
    [
        ({"value": "b"}, True),
        ({"value": "$(X)"}, True),
        ({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, True),
        ({}, True),
        ({"value": "$(X) and more"}, False),
        ({"name": "Y", "value": "b"}, False),
    ],
)
def test_finds_duplicate_variable(later: dict[str, Any], hides: bool) -> None:
    own = {"env": [{"name": "X", "value": "a"}, {"name": "X", **later}]}
    for parts, field in (({"native": (own,)}, "initContainers"), ({"init": (own,)}, "initContainers")):
        assert where("duplicate-env", pod(**parts)) == ([f"{field}[0].env[1].name"] if hides else [])  # type: ignore[arg-type]


def test_finds_duplicate_pull_secrets_and_host_aliases() -> None:
    secrets = [{"name": "a"}, {"name": "b"}, {"name": "a"}, {}]
    assert where("duplicate-pull-secret", pod(imagePullSecrets=secrets)) == [
        "imagePullSecrets[2].name",
        "imagePullSecrets[3].name",
    ]
    assert where("duplicate-pull-secret", pod(imagePullSecrets=[{"nmae": "a"}])) == []
    aliases = [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}]
    assert where("duplicate-host-alias", pod(hostAliases=aliases)) == ["hostAliases[2].ip"]


@pytest.mark.parametrize(
    ("paths", "found_at"),
    [
        (["a", "b"], []),
        (["a", "a"], [1]),
        (["a", "a/b"], [1]),
        (["a/b", "a/"], [1]),
        (["a", "ab"], []),
        (["a", ""], []),
    ],
)
@pytest.mark.parametrize("source", ["configMap", "secret", "downwardAPI"])
def test_finds_conflicting_paths(source: str, paths: list[str], found_at: list[int]) -> None:
    items = [{"key": f"k{index}", "path": path} for index, path in enumerate(paths)]
    volumes = [{"name": "v", source: {"items": items}}]
    assert where("overlapping-volume-paths", pod(volumes=volumes)) == [
        f"volumes[0].{source}.items[{index}].path" for index in found_at
    ]


def test_finds_conflicting_paths_across_sources() -> None:
    def projected(path: str) -> list[dict[str, Any]]:
        sources = [
            {"configMap": {"name": "c", "items": [{"key": "k", "path": path}]}},
            {"serviceAccountToken": {"path": "token"}},
        ]
        return [{"name": "v", "projected": {"sources": sources}}]

    name = "overlapping-volume-paths"
    assert where(name, pod(volumes=projected("token/k"))) == [
        "volumes[0].projected.sources[1].serviceAccountToken.path"
    ]
    assert where(name, pod(volumes=projected("other"))) == []
    # The server refuses equal ones, and another rule says so.
    assert where(name, pod(volumes=projected("token"))) == []


def test_finds_missing_selectors() -> None:
    term = {"topologyKey": "kubernetes.io/hostname"}
    good = {**term, "labelSelector": {}}
    required, preferred = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
    affinity = {
        "podAffinity": {required: [good, term]},
        "podAntiAffinity": {
            preferred: [{"weight": 1, "podAffinityTerm": term}, {"weight": 1, "podAffinityTerm": good}]
        },
    }
    text = pod(affinity=affinity, topologySpreadConstraints=[good, term])
    assert where("selector-matches-nothing", text) == [
        "topologySpreadConstraints[1].labelSelector",
        f"affinity.podAffinity.{required}[1].labelSelector",
        f"affinity.podAntiAffinity.{preferred}[0].podAffinityTerm.labelSelector",
    ]


def test_finds_deprecated_node_labels_in_every_field() -> None:
    old, new = "beta.kubernetes.io/os", "kubernetes.io/os"
    term = {"matchExpressions": [{"key": new, "operator": "Exists"}, {"key": old, "operator": "Exists"}]}
    required, preferred = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
    text = pod(
        nodeSelector={old: "linux", new: "linux"},
        affinity={
            "nodeAffinity": {
                required: {"nodeSelectorTerms": [term]},
                preferred: [{"weight": 1, "preference": term}],
            }
        },
        topologySpreadConstraints=[{"topologyKey": "failure-domain.beta.kubernetes.io/zone", "labelSelector": {}}],
    )
    assert where("deprecated-node-label", text) == [
        f"nodeSelector.{old}",
        "topologySpreadConstraints[0].topologyKey",
        f"affinity.nodeAffinity.{required}.nodeSelectorTerms[0].matchExpressions[1].key",
        f"affinity.nodeAffinity.{preferred}[0].preference.matchExpressions[1].key",
    ]
    assert found("deprecated-node-label", text)[1].help == "use topology.kubernetes.io/zone"


APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/app"


@pytest.mark.parametrize(
    ("annotation", "own", "version", "said"),
    [
        ("scheduler.alpha.kubernetes.io/critical-pod", {}, "1.25", True),
        ("seccomp.security.alpha.kubernetes.io/pod", {}, "1.34", True),
        ("seccomp.security.alpha.kubernetes.io/pod", {"seccompProfile": {"type": "RuntimeDefault"}}, "1.34", False),
        ("container.seccomp.security.alpha.kubernetes.io/app", {}, "1.34", True),
        ("container.seccomp.security.alpha.kubernetes.io/other", {}, "1.34", False),
        (APP_ARMOR, {}, "1.29", False),
        (APP_ARMOR, {}, "1.30", True),
        (APP_ARMOR, {"appArmorProfile": {"type": "RuntimeDefault"}}, "1.30", False),
        (APP_ARMOR, {"appArmorProfile": {"type": "Unconfined"}}, "1.30", True),
        ("example.com/other", {}, "1.34", False),
    ],
)
def test_finds_deprecated_annotations(annotation: str, own: dict[str, Any], version: str, said: bool) -> None:
    text = pod(metadata={"annotations": {annotation: "runtime/default"}}, securityContext=own)
    assert where("deprecated-annotation", text, version) == ([f"metadata.annotations.{annotation}"] if said else [])


@pytest.mark.parametrize(
    ("source", "version", "severity"),
    [
        ("gitRepo", "1.32", Severity.WARNING),
        ("gitRepo", "1.33", Severity.ERROR),
        ("rbd", "1.27", None),
        ("rbd", "1.28", Severity.WARNING),
        ("cephfs", "1.31", Severity.ERROR),
        ("glusterfs", "1.25", Severity.WARNING),
        ("flocker", "1.25", Severity.ERROR),
        ("emptyDir", "1.37", None),
    ],
)
def test_finds_deprecated_volume_types(source: str, version: str, severity: Severity | None) -> None:
    findings = found("deprecated-volume", pod(volumes=[{"name": "v", source: {}}]), version)
    assert [(one.severity, one.path[-1]) for one in findings] == ([(severity, source)] if severity else [])


# The rules that stand for a warning of the server. The examples of some speak of versions or roles of their own.
OF_THE_SERVER = (
    "port-conflict",
    "duplicate-port",
    "host-ip-without-host-port",
    "duplicate-env",
    "duplicate-pull-secret",
    "duplicate-host-alias",
    "overlapping-volume-paths",
    "selector-matches-nothing",
    "deprecated-node-label",
    "deprecated-annotation",
    "deprecated-volume",
    "fractional-memory",
)
# Of a Pod the server turns this annotation into the field, and says so of templates only; volumes it names in words.
SILENT, IN_WORDS = ("deprecated-annotation",), ("overlapping-volume-paths",)


@pytest.mark.e2e
@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "built")
@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_api_server_warns_about_bad_example_only(name: str) -> None:
    one = rules()[name]
    bad, good = oracle.verdicts([complete(one.bad, one.scope), complete(one.good, one.scope)])
    assert bad.accepted or name == "overlapping-volume-paths"
    assert good.warnings == ()
    if name in SILENT:
        return
    fields = [re.sub(r"\[([^\]\d][^\]]*)\]", r".\1", warning.partition(": ")[0]) for warning in bad.warnings]
    for finding in found(name, complete(one.bad, one.scope), "1.37"):
        place = dotted(finding.path)
        # Of two ports the server blames the later one, we the sidecar's: it names both.
        both = any(place.rpartition(".")[0] in warning for warning in bad.warnings)
        assert name in IN_WORDS or both or any(place.startswith(one) or one.startswith(place) for one in fields)
    assert bad.warnings
