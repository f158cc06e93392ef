"""RFC 6902: the operations that make one value of another, insertions as insertions. Knows plain data alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecarctl.composition.select import Selection
from sidecarctl.errors import InputError, UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.pipeline import Options, render
from sidecarctl.integrations.exports.injection import COMPANIONS, File, head, stream
from sidecarctl.kube.kinds import group_of
from sidecarctl.kube.workload import as_mapping
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document, split

Operation = dict[str, Any]
_NAMES = ("name", "mountPath")


def operations(before: Any, after: Any, path: tuple[str | int, ...] = ()) -> Iterator[Operation]:
    """Yield operations that, carried out in their order, turn `before` into `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if key not in after:
                yield {"op": "remove", "path": pointer((*path, key))}
        for key, value in after.items():
            if key not in before:
                yield {"op": "add", "path": pointer((*path, key)), "value": value}
            else:
                yield from operations(before[key], value, (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(before, after, path)
    elif not identical(before, after):
        yield {"op": "replace", "path": pointer(path), "value": after}


def _items(before: Sequence[Any], after: Sequence[Any], path: tuple[str | int, ...]) -> Iterator[Operation]:
    """Lists: items are the same where their names are; where their order changes, the whole list is replaced."""
    old, new = [_name(each) for each in before], [_name(each) for each in after]
    if identical(before, after):
        return
    if len(set(old)) < len(old) or len(set(new)) < len(new) or None in (*old, *new):
        yield {"op": "replace", "path": pointer(path), "value": list(after)}
        return
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield {"op": "replace", "path": pointer(path), "value": list(after)}
        return
    for index in reversed(range(len(old))):
        if old[index] not in new:
            yield {"op": "remove", "path": pointer((*path, index))}
    for index, name in enumerate(new):
        if name not in old:
            yield {"op": "add", "path": pointer((*path, index)), "value": after[index]}
    for index, name in enumerate(new):
        if name in old:
            yield from operations(before[old.index(name)], after[index], (*path, index))


def _name(item: Any) -> Any:
    if isinstance(item, dict):
        return next((f"{key}={item[key]}" for key in _NAMES[::-1] if isinstance(item.get(key), str)), None)
    return None


def pointer(path: Sequence[str | int]) -> str:
    """Return a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


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
