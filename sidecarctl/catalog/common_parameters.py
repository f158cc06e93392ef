"""The parameters that every sidecar takes besides its own, and what they do to a fragment. Knows no sidecar."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

_QUANTITIES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": ["string", "number", "null"],
        "description": "An amount such as 100m, 0.5, 64Mi or 1Gi; null takes it away.",
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
            "description": "Image of the sidecar's containers instead of the one that its template names.",
        },
        "imagePullPolicy": {
            "enum": ["Always", "IfNotPresent", "Never"],
            "description": "When the sidecar's image is pulled.",
        },
        "resources": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "requests": {
                    **_QUANTITIES,
                    "description": "What the scheduler reserves, for example {cpu: 50m}.",
                },
                "limits": {
                    **_QUANTITIES,
                    "description": "What it can't exceed, for example {memory: 128Mi}.",
                },
                "claims": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "Resource claims it uses.",
                },
            },
            "description": "Requests and limits of the sidecar, merged field by field: setting one keeps the others.",
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
            "description": "Environment variables of the sidecar: NAME: value, or a list as in a container.",
        },
        "securityContext": {
            "type": "object",
            "description": "Security context of the sidecar's containers, merged field by field.",
        },
        "patch": {
            "type": "object",
            "description": "JSON merge patch on the sidecar's containers, for what it has no parameter for.",
        },
    },
}
NAMES = tuple(SCHEMA["properties"])
# As people write containers; what is not in the table keeps its order, at the end.
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


def normal(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the common parameters in one shape: `env` as a list of variables, quantities as strings."""
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
    """Return the fragment with the common parameters in its containers, whose keys are put in their usual order.

    They go to each of `containers`, and to those of `initContainers` that run the same image as the first of them.
    """
    containers = targets(fragment)
    image = containers[0]["image"] if containers else None
    result = dict(fragment)
    for key in ("containers", "initContainers"):
        if key in fragment:
            result[key] = [
                _ordered(_changed(each, given, image) if key == "containers" or each["image"] == image else each)
                for each in fragment[key]
            ]
    return result


def targets(fragment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the containers that the common parameters are for; none in a fragment that only annotates, for instance."""
    return fragment.get("containers") or fragment.get("initContainers") or ()


def _changed(container: Mapping[str, Any], given: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    result = dict(container)
    if "image" in given and container["image"] == image:
        result["image"] = given["image"]
    if "imagePullPolicy" in given:
        result["imagePullPolicy"] = given["imagePullPolicy"]
    for key in ("resources", "securityContext"):
        if given.get(key):
            result[key] = merge_patch(container.get(key, {}), given[key])
    if given.get("env"):
        result["env"] = _with_env(container.get("env", []), given["env"])
    if given.get("patch"):
        result = merge_patch(result, given["patch"])
    return result


def _with_env(there: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Variables by name: one that is there is replaced where it stands, the others follow."""
    new = {each["name"]: each for each in more}
    kept = [new.pop(each["name"], each) for each in there]
    return kept + list(new.values())


def merge_patch(target: object, patch: object) -> Any:
    """Return `target` with a JSON merge patch (RFC 7396) applied: null removes, a list replaces."""
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
