"""Export JSON patches (RFC 6902) from the difference between manifests before and after `render`."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sidecarctl.composition.select import Selection
from sidecarctl.errors import InputError, UsageError
from sidecarctl.findings import Finding, PathTuple
from sidecarctl.inject.pipeline import Options, render
from sidecarctl.inject.process import has_errors
from sidecarctl.inject.retarget import retarget as retarget_ports
from sidecarctl.inject.secret_findings import mask_findings
from sidecarctl.integrations.exports.injection import (
    ExportFile,
    pointer,
    render_companions,
    render_header,
    render_stream,
)
from sidecarctl.kube.fronts import concerns_retargeting
from sidecarctl.kube.kinds import group_of
from sidecarctl.kube.workload import as_mapping, label_of, objects
from sidecarctl.validate.check_run import find_caused
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document, split

Operation = dict[str, Any]
_NAMES = ("name", "mountPath")


def compute_operations(before: Any, after: Any, path: tuple[str | int, ...] = ()) -> Iterator[Operation]:
    """Yield the operations that, applied in order, turn `before` into `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if key not in after:
                yield {"op": "remove", "path": pointer((*path, key))}
        for key, value in after.items():
            if key not in before:
                yield {"op": "add", "path": pointer((*path, key)), "value": value}
            else:
                yield from compute_operations(before[key], value, (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_operations(before, after, path)
    elif not identical(before, after):
        yield {"op": "replace", "path": pointer(path), "value": after}


def _list_operations(before: Sequence[Any], after: Sequence[Any], path: tuple[str | int, ...]) -> Iterator[Operation]:
    """Yield the operations for a list. Items are matched by name; if their order changes, the whole list is replaced."""
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
            yield from compute_operations(before[old.index(name)], after[index], (*path, index))


def _name(item: Any) -> Any:
    if isinstance(item, dict):
        return next((f"{key}={item[key]}" for key in _NAMES[::-1] if isinstance(item.get(key), str)), None)
    return None


_DIFFERENCES = (
    "Patches apply only to the workloads that they were exported from. Export again after you add a workload or change the "
    "containers of one.",
    "Only companions in the file of their workload are changed or removed.",
    "Helm hooks and tests are left out; `render --hooks` includes them.",
    "Manifests are not validated when the patches are applied, and conflicts that `render` reports are not detected.",
)
_COMPONENT = "kustomization.yaml"


@dataclass(frozen=True)
class _Patch:
    """The target of a patch and its operations."""

    target: Mapping[str, str]
    operations: Sequence[Operation]


@dataclass(frozen=True)
class _Removal:
    """An object that `render` deletes, such as the companion of a sidecar that no rule requests any more."""

    target: Mapping[str, str]
    label: str
    api_version: str


@dataclass(frozen=True)
class ManifestPatches:
    """The changes and findings of an export. `clash` is the error of a target that matches several objects."""

    patches: tuple[_Patch, ...]
    removals: tuple[_Removal, ...]
    companions: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    clash: UsageError | None = None


def build_patches(
    texts: Sequence[tuple[str, str]], choose: Callable[[str], Selection], settings: Options
) -> ManifestPatches:
    """Return the patches that apply a composition to manifests, given as (text, name). `choose` returns the composition for
    a file. Raise UsageError for a workload that a patch cannot target.
    """
    results = [render(text, choose(name), settings, name) for text, name in texts]
    before = [list(split(text, name)) for text, name in texts]
    after = [list(split(result.text, name)) for result, (_, name) in zip(results, texts)]
    findings = [finding for result in results for finding in result.findings]
    if not has_errors(findings):
        enabled = any(choose(name).composition.retarget for _, name in texts)
        after, more = _edit_around(before, after, settings, retarget=enabled)
        findings += mask_findings(more, frozenset[str]().union(*(result.secrets for result in results)))
    found = [one for old, new in zip(before, after) for one in _compare(old, new)]
    patches = tuple(one for one in found if isinstance(one, _Patch))
    removals = tuple(one for one in found if isinstance(one, _Removal))
    companions = tuple(one for one in found if not isinstance(one, (_Patch, _Removal)))
    clash = _find_clash((*patches, *removals), chain.from_iterable(before))
    return ManifestPatches(patches, removals, companions, tuple(findings), clash)


def _find_clash(patches: Sequence[_Patch | _Removal], documents: Iterable[Document]) -> UsageError | None:
    """Return the error for a patch whose target matches several objects: kustomize would apply it to all of them.

    A target without namespace or group matches objects of any:
    https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
    """
    known: dict[tuple[str, str], list[tuple[Mapping[str, Any], Document, PathTuple]]] = {}
    for document in documents if patches else ():
        for value, path in objects(document.value):
            key = str(value.get("kind")), str(as_mapping(value.get("metadata")).get("name"))
            known.setdefault(key, []).append((value, document, path))
    for patch in patches:
        target = patch.target
        matched = [
            each
            for each in known.get((target["kind"], target["name"]), ())
            if target.items() <= _parts(each[0]).items()
        ]
        if len(matched) > 1:
            (first, *_), (second, document, path) = matched[:2]
            return UsageError(
                f"cannot export a patch for {label_of(first)}: its target also matches {label_of(second)}",
                where=str(document.locate(path)),
                hint="export the files of each kustomization on their own, or give both workloads a namespace",
            )
    return None


def _edit_around(
    before: Sequence[Sequence[Document]], after: Sequence[Sequence[Document]], settings: Options, *, retarget: bool
) -> tuple[list[list[Document]], list[Finding]]:
    """Return the documents of each file with changed ports in Services and NetworkPolicies, and what the edits cause."""
    old, new = list(chain.from_iterable(before)), list(chain.from_iterable(after))
    findings: list[Finding] = []
    if concerns_retargeting((document.text for document in (*old, *new)), enabled=retarget):
        done = retarget_ports(old, new, settings.kinds, enabled=retarget)
        new, findings = list(done.documents), list(done.findings)
    findings += find_caused(old, new, settings.kube_version, settings.kinds, settings.severities)
    rest = iter(new)
    return [[next(rest) for _ in part] for part in after], findings


def _compare(before: Sequence[Document], after: Sequence[Document]) -> Iterator[_Patch | _Removal | Mapping[str, Any]]:
    """Yield a patch for each changed object of a file, each companion as it is, and each object that is removed."""
    known: dict[tuple[str, ...], deque[Document]] = {}
    for one in before:
        known.setdefault(_identity(one), deque()).append(one)
    for document in after:
        value = document.value
        if not isinstance(value, dict):
            continue
        same = known.get(_identity(document))  # objects with a generateName have no name; their order stays
        old = same.popleft() if same else None
        if old is None:
            yield value
        elif old.text != document.text:
            yield _Patch(_target(value, old), list(compute_operations(old.value, value)))
    for old in chain.from_iterable(known.values()):
        if isinstance(old.value, dict):
            yield _Removal(_target(old.value, old), label_of(old.value), str(old.value.get("apiVersion")))


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
    if not metadata.get("name") or (kind.endswith("List") and isinstance(value.get("items"), list)):
        raise UsageError(
            f"cannot export this {kind}: a patch target needs a name and its own document",
            where=str(document.place(0, 0)),
            hint="give each workload its own document and a name",
        )
    return _parts(value)


def _parts(value: Mapping[str, Any]) -> dict[str, str]:
    """Return what a patch target can name of an object."""
    metadata = as_mapping(value.get("metadata"))
    api_version = str(value.get("apiVersion"))
    parts = {
        "group": group_of(api_version),
        "version": api_version.rpartition("/")[2],
        "kind": str(value.get("kind")),
        "name": str(metadata.get("name")),
        "namespace": str(metadata.get("namespace") or ""),
    }
    return {key: part for key, part in parts.items() if part}


def render_component(patches: ManifestPatches, composition: str) -> list[ExportFile]:
    """Return a kustomize component: its kustomization, and a file for the companions, if any."""
    _require_patches(patches, composition)
    if patches.clash is not None:
        raise patches.clash
    use = "Add its directory to `components:` in the kustomization that contains the workloads."
    differences = [
        *_DIFFERENCES,
        "kustomize rewrites every document: comments and key order are lost.",
        "In an overlay, apply the patches before anything that renames or reorders workloads.",
    ]
    companions = render_companions(composition, patches.companions)
    kustomization: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    if companions:
        kustomization["resources"] = [each.name for each in companions]
    edits = [(one.target, emit.document(list(one.operations))) for one in patches.patches]
    edits += [(one.target, emit.document(_deletion(one))) for one in patches.removals]
    kustomization["patches"] = [{"target": _escape_names(target), "patch": patch} for target, patch in edits]
    comment = render_header("kustomize (Component)", composition, differences, use)
    return [ExportFile(_COMPONENT, comment + emit.document(kustomization), stream=False), *companions]


def _deletion(one: _Removal) -> dict[str, Any]:
    """Return the strategic merge patch that deletes an object: a JSON patch cannot."""
    metadata = {key: one.target[key] for key in ("name", "namespace") if key in one.target}
    return {"apiVersion": one.api_version, "kind": one.target["kind"], "metadata": metadata, "$patch": "delete"}


def _escape_names(target: Mapping[str, str]) -> dict[str, str]:
    """Escape name and namespace of a target: kustomize reads both as regular expressions that match the whole value."""
    return {
        key: re.escape(value).replace("\\-", "-") if key in ("name", "namespace") else value
        for key, value in target.items()
    }


def render_patch_list(patches: ManifestPatches, composition: str) -> list[ExportFile]:
    """Return one file: the list of patches with their targets, then the companions."""
    _require_patches(patches, composition)
    use = (
        "Use each `patch` with `kubectl patch --type=json`, or the list as `patches:` of a kustomization, which reads the names "
        "of targets as regular expressions."
    )
    differences = list(_DIFFERENCES)
    if patches.removals:
        labels = ", ".join(one.label for one in patches.removals)
        differences.append(f"A JSON patch cannot delete an object: delete {labels}, which `render` removes.")
    comment = render_header("JSON patches", composition, differences, use)
    entries = [{"target": _escape_names(one.target), "patch": json.dumps(one.operations)} for one in patches.patches]
    return [ExportFile("patches.yaml", render_stream(comment, [{"patches": entries}, *patches.companions]))]


def _require_patches(patches: ManifestPatches, composition: str) -> None:
    if not (has_errors(patches.findings) or patches.patches or patches.removals):
        raise InputError(
            f"composition {composition} changes no manifest",
            hint="export from manifests without sidecars; to list their sidecars, run `sidecarctl status`",
        )
