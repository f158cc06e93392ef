"""The parameters that all sidecars have, and how they change a fragment."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

_QUANTITIES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": ["string", "number", "null"],
        "description": "A resource quantity such as 100m, 0.5, 64Mi, or 1Gi; null removes it.",
        "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {
            "type": "string",
            "pattern": r"^\S+$",
            "description": "Image of the sidecar containers, instead of the default image.",
        },
        "imagePullPolicy": {
            "enum": ["Always", "IfNotPresent", "Never"],
            "description": "When the image of the sidecar is pulled.",
        },
        "resources": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "requests": {
                    **_QUANTITIES,
                    "description": "Resource requests, for example {cpu: 50m}.",
                },
                "limits": {
                    **_QUANTITIES,
                    "description": "Resource limits, for example {memory: 128Mi}.",
                },
                "claims": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "Resource claims.",
                },
            },
            "description": "Requests and limits of the sidecar, merged by field: setting one keeps the others.",
        },
        "env": {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "minLength": 1},
                            "value": {"type": "string"},
                            "valueFrom": {"type": "object"},
                        },
                    },
                },
            ],
            "description": "Environment variables of the sidecar, as a map of names to values or as a list like in a container.",
        },
        "securityContext": {
            "type": "object",
            "description": "Security context of the sidecar containers, merged by field.",
        },
        "patch": {
            "type": "object",
            "description": "JSON merge patch for the sidecar containers, for fields without a parameter.",
        },
    },
}
NAMES = tuple(SCHEMA["properties"])
# The usual key order of containers; other keys follow in their own order.
_ORDER = [
    "name",
    "image",
    "imagePullPolicy",
    "restartPolicy",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "volumeMounts",
    "startupProbe",
    "livenessProbe",
    "readinessProbe",
    "lifecycle",
    "securityContext",
]
_RANK = {key: rank for rank, key in enumerate(_ORDER)}


def normalize(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the common parameters in one form: `env` as a list of variables, quantities as strings."""
    result = copy.deepcopy(dict(given))
    for part in ("requests", "limits"):
        if part in result.get("resources", {}):
            result["resources"][part] = {
                name: amount if amount is None else str(amount) for name, amount in result["resources"][part].items()
            }
    if isinstance(result.get("env"), dict):
        result["env"] = [{"name": name, "value": value} for name, value in result["env"].items()]
    return result


def apply(fragment: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fragment with the common parameters applied to its containers, and their keys sorted.

    They apply to all `containers`, and to `initContainers` that run the image of the first container.
    """
    containers = target_containers(fragment)
    image = containers[0]["image"] if containers else None
    result = dict(fragment)
    for key in ("containers", "initContainers"):
        if key in fragment:
            result[key] = [
                _ordered(
                    _apply_to_container(each, given, image) if key == "containers" or each["image"] == image else each
                )
                for each in fragment[key]
            ]
    return result


def target_containers(fragment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the containers that the common parameters apply to, possibly none."""
    return fragment.get("containers") or fragment.get("initContainers") or ()


def _apply_to_container(container: Mapping[str, Any], given: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    result = dict(container)
    if "image" in given and container["image"] == image:
        result["image"] = given["image"]
    if "imagePullPolicy" in given:
        result["imagePullPolicy"] = given["imagePullPolicy"]
    for key in ("resources", "securityContext"):
        if given.get(key):
            result[key] = merge_patch(container.get(key, {}), given[key])
    if given.get("env"):
        result["env"] = _merge_env(container.get("env", []), given["env"])
    if given.get("patch"):
        result = merge_patch(result, given["patch"])
    return result


def _merge_env(there: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Merge variables by name: existing ones are replaced in place, others appended."""
    new = {each["name"]: each for each in more}
    kept = [new.pop(each["name"], each) for each in there]
    return kept + list(new.values())


def merge_patch(target: object, patch: object) -> Any:
    """Return `target` with a JSON merge patch (RFC 7396) applied: null removes a key, lists are replaced."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _ordered(container: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(container.items(), key=lambda item: _RANK.get(item[0], len(_RANK))))
