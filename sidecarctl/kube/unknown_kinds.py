"""Objects that run containers although their kind has no known pod template: unknown kinds, and Argo and Tekton."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.kinds import BUILT_IN, WITHOUT_TEMPLATE, Kinds, group_of
from sidecarctl.kube.workload import objects
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

_MAX_DEPTH = 12
_KIND = lazy_pattern(r"^[\"']?kind[\"']?:[ \t]*[\"']?([A-Za-z0-9]+)", re.MULTILINE)
# Groups of Kubernetes itself that are not in the table of kinds: their objects have no pod template, but
# CustomResourceDefinitions contain schemas of some.
_NOT_CUSTOM = lazy_pattern(r"(?:^|\.)k8s\.io$")
_CUSTOM_K8S = ("x-k8s.io",)


@dataclass(frozen=True)
class UnknownKind:
    """An object that runs containers. `template` is the path of its pod template, `reason` why it has none."""

    api_version: str
    kind: str
    name: str
    template: PathTuple = ()
    reason: str = ""


def may_be_unknown(text: str, kinds: Kinds) -> bool:
    """Return False if a document certainly has no such object. Does not parse it."""
    if "ontainer" not in text and "steps" not in text and "tasks" not in text:
        return False
    names = kinds.names()
    return any(found.group(1) not in names for found in _KIND.finditer(text))


def find_unknown_kinds(value: object, kinds: Kinds) -> Iterator[UnknownKind]:
    """Yield the objects of a document that run containers but have no known pod template."""
    for item, _ in objects(value):
        api_version, kind = item.get("apiVersion"), item.get("kind")
        if not isinstance(api_version, str) or not isinstance(kind, str):
            continue
        group = group_of(api_version)
        metadata = item.get("metadata")
        name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
        if (group, kind) in WITHOUT_TEMPLATE:
            yield UnknownKind(api_version, kind, name, reason=WITHOUT_TEMPLATE[group, kind])
        elif (group, kind) not in kinds.templates and _is_custom(group):
            template = _find_template(item.get("spec"), ("spec",))
            if template:
                yield UnknownKind(api_version, kind, name, template)


def _is_custom(group: str) -> bool:
    built_in = {own for own, _ in BUILT_IN}
    return bool(group) and group not in built_in and (not _NOT_CUSTOM.search(group) or group.endswith(_CUSTOM_K8S))


def _find_template(value: Any, path: PathTuple) -> PathTuple:
    """Return the path of the first mapping with a pod spec whose containers have images, () if there is none."""
    if len(path) > _MAX_DEPTH:
        return ()
    if isinstance(value, dict):
        spec = value.get("spec")
        if isinstance(spec, dict) and _has_images(spec.get("containers")):
            return path
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return ()
    for key, item in pairs:
        found = _find_template(item, (*path, key))
        if found:
            return found
    return ()


def _has_images(containers: Any) -> bool:
    return isinstance(containers, list) and any(isinstance(one, dict) and "image" in one for one in containers)
