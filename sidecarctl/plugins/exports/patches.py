"""What `render` does to manifests as patches: a kustomize component, or RFC 6902 patches by workload.

Exact for the workloads that are there, and for no others: each gets the patch that makes of it what `render` makes of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecarctl.compose.pipeline import Options, render
from sidecarctl.compose.selection import Selection
from sidecarctl.errors import InputError, UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.kinds import group_of
from sidecarctl.kube.workload import as_mapping
from sidecarctl.plugins.exports.exported import COMPANIONS, File, head, stream
from sidecarctl.plugins.exports.jsonpatch import Operation, operations
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.stream import Document, split

_DIFFERENCES = (
    "It knows the workloads that it was exported from, and no others: export again when one is added, or when what a patch "
    "stands on (the containers of a workload, their order) changes.",
    "Nothing is validated, and what `render` would refuse later is applied.",
)
_COMPONENT = "kustomization.yaml"


@dataclass(frozen=True)
class _Patched:
    """A document and the operations that make of it what `render` makes of it."""

    target: Mapping[str, str]
    operations: Sequence[Operation]


@dataclass(frozen=True)
class Rendered:
    """What is exported: patches, companions, and what `render` had to say."""

    patched: tuple[_Patched, ...]
    companions: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]


def rendered(texts: Iterable[tuple[str, str]], chosen: Selection, settings: Options) -> Rendered:
    """Return what a composition does to texts (text, name). Raises UsageError for a workload that a patch can't name."""
    patched: list[_Patched] = []
    companions: list[Mapping[str, Any]] = []
    findings: list[Finding] = []
    for text, name in texts:
        result = render(text, chosen, settings, name)
        findings += result.findings
        before = {_identity(one): one for one in split(text, name) if one.value is not None}
        for document in split(result.text, name):
            value = document.value
            if not isinstance(value, dict):
                continue
            old = before.get(_identity(document))
            if old is None:
                companions.append(value)
            elif old.text != document.text:
                patched.append(_Patched(_target(value, old), list(operations(old.value, value))))
    return Rendered(tuple(patched), tuple(companions), tuple(findings))


def _identity(document: Document) -> tuple[str, ...]:
    value = as_mapping(document.value)
    metadata = as_mapping(value.get("metadata"))
    return tuple(
        str(each)
        for each in (value.get("apiVersion"), value.get("kind"), metadata.get("namespace"), metadata.get("name"))
    )


def _target(value: Mapping[str, Any], document: Document) -> dict[str, str]:
    kind = str(value.get("kind"))
    metadata = as_mapping(value.get("metadata"))
    if "name" not in metadata or (kind.endswith("List") and isinstance(value.get("items"), list)):
        raise UsageError(
            f"this can't be exported: a patch can't name this {kind}",
            where=str(document.place(0, 0)),
            hint="give each workload a document and a name of its own",
        )
    api_version = str(value.get("apiVersion"))
    parts = {
        "group": group_of(api_version),
        "version": api_version.rpartition("/")[2],
        "kind": kind,
        "name": str(metadata["name"]),
        "namespace": str(metadata.get("namespace", "")),
    }
    return {key: part for key, part in parts.items() if part}


def component(found: Rendered, composition: str) -> list[File]:
    """Return a kustomize component: its kustomization, and a file with the companions where there are any."""
    _refuse_nothing(found, composition)
    use = "Name its folder under `components:` of a kustomization that has the workloads."
    differences = [
        *_DIFFERENCES,
        "kustomize writes every document anew: comments and the order of keys are lost.",
        "In an overlay the patches must come before what renames or reorders the workloads.",
    ]
    companions = [File(COMPANIONS, stream("", found.companions))] if found.companions else []
    kustomization: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    if companions:
        kustomization["resources"] = [COMPANIONS]
    kustomization["patches"] = [
        {"target": {k: _exactly(k, v) for k, v in one.target.items()}, "patch": _block(one.operations)}
        for one in found.patched
    ]
    comment = head("kustomize (Component)", composition, differences, use)
    return [File(_COMPONENT, comment + emit.document(kustomization), stream=False), *companions]


def _exactly(key: str, value: str) -> str:
    """kustomize reads names and namespaces as regular expressions over the whole name."""
    return re.escape(value).replace("\\-", "-") if key in ("name", "namespace") else value


def _block(found: Sequence[Operation]) -> str:
    return emit.document(list(found))


def by_workload(found: Rendered, composition: str) -> list[File]:
    """Return the patches as a list, each with its target, and the companions as documents behind it."""
    _refuse_nothing(found, composition)
    use = "Each `patch` is for `kubectl patch --type=json`; the list is for `patches:` of a kustomization."
    comment = head("JSON patches", composition, _DIFFERENCES, use)
    patches = [{"target": dict(one.target), "patch": json.dumps(one.operations)} for one in found.patched]
    return [File("patches.yaml", stream(comment, [{"patches": patches}, *found.companions]))]


def _refuse_nothing(found: Rendered, composition: str) -> None:
    if any(finding.severity is Severity.ERROR for finding in found.findings):
        return
    if not found.patched:
        raise InputError(
            f"the composition {composition} changes nothing in these manifests",
            hint="export from manifests that were not rendered yet; `sidecarctl status` shows what stands in them",
        )
