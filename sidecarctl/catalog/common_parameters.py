"""The parameters that all sidecars have, and how they change a fragment."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.merge_patch import merge_patch
from sidecarctl.kube.names import REGISTRY, replace_registry

_QUANTITIES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": ["string", "number", "null"],
        "description": "A resource quantity such as 100m, 0.5, 64Mi, or 1Gi; null removes it.",
        "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
    },
}
_NAME = {"type": "string", "minLength": 1}
_OBJECT_NAME = {"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {
            "type": "string",
            "pattern": r"^\S+$",
            "description": "Image of the sidecar containers, instead of the default image.",
        },
        "registry": {
            "type": "string",
            "pattern": REGISTRY,
            "description": "Registry of a mirror, such as mirror.example.com/hub. It replaces the registry of every image.",
        },
        "imagePullPolicy": {
            "enum": ["Always", "IfNotPresent", "Never"],
            "description": "When the image of the sidecar is pulled.",
        },
        "imagePullSecrets": {
            "type": "array",
            "items": {
                "anyOf": [
                    _OBJECT_NAME,
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name"],
                        "properties": {"name": _OBJECT_NAME},
                    },
                ]
            },
            "description": "Names of Secrets with registry credentials, added to those of the pod.",
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
        "volumes": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": _NAME}},
            "description": "Volumes to add to the pod besides the sidecar's own.",
        },
        "volumeMounts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "mountPath"],
                "properties": {"name": _NAME, "mountPath": _NAME},
            },
            "description": "Volume mounts to add to the sidecar containers, of `volumes` or of volumes that the pod has.",
        },
        "position": {
            "anyOf": [
                {"enum": ["first", "last"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": {"before": _NAME, "after": _NAME},
                },
            ],
            "description": "Place of the sidecar among the containers: first, last, {before: NAME}, or {after: NAME}.",
        },
        "patch": {
            "type": "object",
            "description": "JSON merge patch for the sidecar containers, for fields without a parameter. Lists are merged by the "
            "names of their items; `$patch: delete` in an item removes it.",
        },
    },
}
NAMES = tuple(SCHEMA["properties"])
# What a composition or an option can give to all sidecars at once, also to those without containers, which ignore it.
SHARED = ("registry", "imagePullPolicy", "imagePullSecrets", "securityContext")
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
    """Return the common parameters in one form: `env` and `imagePullSecrets` as lists of objects, quantities as strings."""
    result = copy.deepcopy(dict(given))
    for part in ("requests", "limits"):
        if part in result.get("resources", {}):
            result["resources"][part] = {
                name: amount if amount is None else str(amount) for name, amount in result["resources"][part].items()
            }
    if isinstance(result.get("env"), dict):
        result["env"] = [{"name": name, "value": value} for name, value in result["env"].items()]
    if "imagePullSecrets" in result:
        secrets = [{"name": each} if isinstance(each, str) else each for each in result["imagePullSecrets"]]
        result["imagePullSecrets"] = secrets
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
            if "registry" in given:
                result[key] = [_with_registry(each, given["registry"]) for each in result[key]]
    if given.get("volumes"):
        result["volumes"] = [*fragment.get("volumes", ()), *given["volumes"]]
    if given.get("imagePullSecrets"):
        result["pod"] = {**fragment.get("pod", {}), "imagePullSecrets": given["imagePullSecrets"]}
    return result


def _with_registry(container: Mapping[str, Any], registry: str) -> Mapping[str, Any]:
    image = container.get("image")  # a patch can have removed it; the check of the fragment reports that
    return {**container, "image": replace_registry(image, registry)} if isinstance(image, str) else container


def find_duplicate_mounts(fragment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the container and the path of each mount whose path another mount of the container has."""
    for container in (*fragment.get("containers", ()), *fragment.get("initContainers", ())):
        seen = set()
        for mount in container.get("volumeMounts", ()):
            if mount["mountPath"] in seen:
                yield container["name"], mount["mountPath"]
            seen.add(mount["mountPath"])


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
    if given.get("volumeMounts"):
        result["volumeMounts"] = [*container.get("volumeMounts", ()), *given["volumeMounts"]]
    if given.get("patch"):
        result = merge_patch(result, given["patch"])
    return result


def _merge_env(there: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Merge variables by name: existing ones are replaced in place, others appended."""
    new = {each["name"]: each for each in more}
    kept = [new.pop(each["name"], each) for each in there]
    return kept + list(new.values())


def _ordered(container: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(container.items(), key=lambda item: _RANK.get(item[0], len(_RANK))))
