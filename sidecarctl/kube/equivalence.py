"""Values that mean the same to the API server: spellings of one quantity, and fields that it sets by default."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.quantity import parse_quantity
from sidecarctl.results import ABSENT
from sidecarctl.yamltext.edits import identical

_QUANTITY_MAPS = frozenset({"limits", "requests"})
_QUANTITIES = frozenset({"sizeLimit", "divisor"})
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
# What the API server writes into a missing field, by the field and the field or list that holds it ("" for any).
_DEFAULTS: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("", "terminationMessagePath"): "/dev/termination-log",
        ("", "terminationMessagePolicy"): "File",
        ("ports", "protocol"): "TCP",
        ("fieldRef", "apiVersion"): "v1",
        ("httpGet", "scheme"): "HTTP",
        ("", "defaultMode"): 420,
        ("resourceFieldRef", "divisor"): "0",
        ("", "resources"): {},
        ("", "securityContext"): {},
        ("grpc", "service"): "",
        ("hostPath", "type"): "",
        **{
            (probe, name): value
            for probe in _PROBES
            for name, value in (
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            )
        },
    }
)


def is_equivalent(one: Any, two: Any, path: PathTuple = ()) -> bool:
    """Return True if two values at `path` mean the same to the API server. A value may be ABSENT."""
    if one is two:
        return True
    if one is ABSENT or two is ABSENT:
        return _is_default(two if one is ABSENT else one, path)
    if isinstance(one, dict) and isinstance(two, dict):
        if one.keys() == two.keys() and identical(one, two):
            return True
        return all(is_equivalent(one.get(k, ABSENT), two.get(k, ABSENT), (*path, k)) for k in {**one, **two})
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(is_equivalent(a, b, (*path, 0)) for a, b in zip(one, two))
    return identical(one, two) or (_holds_quantity(path) and _same_quantity(one, two))


def _is_default(value: Any, path: PathTuple) -> bool:
    """Return True if the API server sets a missing field at `path` to this value."""
    if not path or not isinstance(path[-1], str):
        return False
    if path[-1] == "imagePullPolicy":
        return bool(value == "IfNotPresent")
    holder = next((step for step in reversed(path[:-1]) if isinstance(step, str)), "")
    for key in ((holder, path[-1]), ("", path[-1])):
        if key in _DEFAULTS:
            return identical(value, _DEFAULTS[key])
    return False


def _holds_quantity(path: PathTuple) -> bool:
    return bool(path) and (path[-1] in _QUANTITIES or (len(path) > 1 and path[-2] in _QUANTITY_MAPS))


def _same_quantity(one: Any, two: Any) -> bool:
    amounts = (parse_quantity(one), parse_quantity(two))
    return None not in amounts and bool(amounts[0] == amounts[1])
