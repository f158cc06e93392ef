"""Whether a workload is one that a rule means. Knows a selector's conditions, no sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.compose.composition import CORE, Expression, Selector
from sidecarctl.kube.workload import Workload, as_mapping


def matches(selector: Selector, workload: Workload) -> bool:
    """True where every condition of a selector holds for a workload."""
    return (
        _any(workload.kind, selector.kinds)
        and _any(workload.group or CORE, selector.groups)
        and _any(workload.name, selector.names)
        and _any(workload.namespace, selector.namespaces)
        and _labelled(selector, workload)
        and (
            not selector.annotations
            or _valued(selector.annotations, {**own_metadata(workload, "annotations"), **workload.annotations})
        )
        and all(
            any(c.role == "app" and fnmatchcase(c.name, glob) for c in workload.containers)
            for glob in selector.containers
        )
    )


def _any(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def own_metadata(workload: Workload, field_: str) -> dict[str, Any]:
    """Return labels or annotations of the workload itself, not of its pods."""
    return as_mapping(as_mapping(workload.value.get("metadata")).get(field_))


def _labelled(selector: Selector, workload: Workload) -> bool:
    if not selector.labels and not selector.expressions:
        return True
    labels = {**own_metadata(workload, "labels"), **as_mapping(workload.metadata.get("labels"))}
    return all(labels.get(key) == value for key, value in selector.labels.items()) and all(
        _expressed(each, labels) for each in selector.expressions
    )


def _expressed(expression: Expression, labels: Mapping[str, Any]) -> bool:
    """As a Kubernetes label selector reads it: NotIn holds where the label is not there."""
    there = expression.key in labels
    among = there and labels[expression.key] in expression.values
    return {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}[expression.operator]


def _valued(wanted: Mapping[str, str], there: Mapping[str, Any]) -> bool:
    return all(key in there and fnmatchcase(str(there[key]), glob) for key, glob in wanted.items())
