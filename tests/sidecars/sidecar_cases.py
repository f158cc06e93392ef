"""Renders a shipped sidecar for one of its cases, and holds its fragment to the house rules for shipped sidecars.

Knows the shape of fragments; knows nothing of how they are put into a manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.render import Inputs, render
from sidecarctl.kube.quantity import parse_quantity

LIBRARY = Path(__file__).parents[2] / "library"


def cases(name: str) -> list[str]:
    """Return the names of a sidecar's cases."""
    return sorted(each.name for each in (LIBRARY / name / "tests").iterdir() if each.is_dir())


def rendered(
    name: str,
    case: str = "",
    *,
    params: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    mode: str = "native",
    kube: str = "1.34",
    instance: str = "",
) -> Fragment:
    """Return the fragment of sidecar `name` for a case, or for `params` and `manifest` (the case's unless given)."""
    folder = LIBRARY / name / "tests" / (case or cases(name)[0])
    given = params if params is not None else _load(folder / "parameters.yaml") or {}
    sidecar = open_catalog([], {}).find(name)
    inputs = _inputs(manifest or _load(folder / "input.yaml"), instance or name, mode, kube)
    return render(sidecar, resolve(sidecar, given), inputs)


def _load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _inputs(manifest: Mapping[str, Any], instance: str, mode: str, kube: str) -> Inputs:
    metadata, spec = _pod(manifest)
    containers = [_facts(container) for container in spec["containers"]]
    main = (metadata.get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    return Inputs(
        instance=instance,
        companion=f"{manifest['metadata']['name']}-{instance}",
        workload={
            "kind": manifest["kind"],
            "name": manifest["metadata"]["name"],
            "namespace": manifest["metadata"].get("namespace", ""),
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
        },
        targets=[each for each in containers if each["name"] == (main or containers[0]["name"])],
        containers=containers,
        kube_version=kube,
        mode=mode,
    )


def _pod(manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if manifest["kind"] == "Pod":
        return manifest["metadata"], manifest["spec"]
    owner = manifest["spec"]["jobTemplate"] if manifest["kind"] == "CronJob" else manifest
    template = owner["spec"]["template"]
    return template.get("metadata") or {}, template["spec"]


def _facts(container: Mapping[str, Any]) -> dict[str, Any]:
    ports = [{"name": None, "protocol": "TCP", **port} for port in container.get("ports", [])]
    mounts = [
        {"readOnly": False, "subPath": "", "later": False, **mount} for mount in container.get("volumeMounts", [])
    ]
    return {
        "name": container["name"],
        "image": container["image"],
        "runAsUser": (container.get("securityContext") or {}).get("runAsUser"),
        "ports": ports,
        "env": [each["name"] for each in container.get("env", [])],
        "mounts": mounts,
    }


def all_containers(fragment: Fragment) -> list[Mapping[str, Any]]:
    """Return the containers of every kind."""
    return [*fragment.init_containers, *fragment.containers]


def argument(container: Mapping[str, Any], flag: str) -> str | None:
    """Return the value of `flag` among the arguments (`--flag=value` or `--flag value`), or None."""
    args = [*container.get("command", []), *container.get("args", [])]
    for index, arg in enumerate(args):
        if arg == flag:
            return str(args[index + 1])
        if str(arg).startswith(f"{flag}="):
            return str(arg).split("=", 1)[1]
    return None


def mounted(container: Mapping[str, Any], fragment: Fragment, path: str) -> Mapping[str, Any] | None:
    """Return the volume that holds `path` in the container, or None."""
    fitting = [
        mount
        for mount in container.get("volumeMounts", [])
        if path == mount["mountPath"] or path.startswith(f"{mount['mountPath'].rstrip('/')}/")
    ]
    if not fitting:
        return None
    name = max(fitting, key=lambda mount: len(mount["mountPath"]))["name"]
    return next(volume for volume in fragment.volumes if volume["name"] == name)


def breaches(fragment: Fragment) -> list[str]:
    """Return what the fragment does that no shipped sidecar may, one sentence each."""
    return [
        *(f"{each['name']}: {text}" for each in all_containers(fragment) for text in _container(each)),
        *_volumes(fragment),
        *_ports(fragment),
    ]


def _container(container: Mapping[str, Any]) -> Iterator[str]:
    if not re.search(r":[^:/]*\d+\.\d+[^:/]*$", container["image"]):
        yield f"the image {container['image']} is not pinned to an exact version"
    resources = container.get("resources", {})
    for kind in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if resource not in resources.get(kind, {}):
                yield f"it has no {kind}.{resource}"
    yield from _limit_ranges(resources)
    wanted = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    security = container.get("securityContext", {})
    for key, value in wanted.items():
        if security.get(key) != value:
            yield f"securityContext.{key} is not {value}"
    for key in ("runAsUser", "runAsGroup"):
        if not (isinstance(security.get(key), int) and security[key] > 0):
            yield f"securityContext.{key} is no number above 0"
    declared = {port["containerPort"] for port in container.get("ports", [])}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        handler = container.get(probe, {})
        for action in ("httpGet", "tcpSocket"):
            if action in handler and handler[action]["port"] not in declared:
                yield f"{probe} asks port {handler[action]['port']}, which it does not declare"


LEAST = {"cpu": "10m", "memory": "16Mi"}
LARGEST_RATIO = {"cpu": 10, "memory": 4}
"""What common LimitRanges allow: the smallest request, and the largest limit as a multiple of the request."""


def _limit_ranges(resources: Mapping[str, Any]) -> Iterator[str]:
    for resource, least in LEAST.items():
        request, limit = (
            parse_quantity(str(resources.get(kind, {}).get(resource, 0))) for kind in ("requests", "limits")
        )
        if request < parse_quantity(least):
            yield f"requests.{resource} is less than {least}"
        if limit > request * LARGEST_RATIO[resource]:
            yield f"limits.{resource} is more than {LARGEST_RATIO[resource]} times the request"


def _volumes(fragment: Fragment) -> Iterator[str]:
    defined = {volume["name"]: volume for volume in fragment.volumes}
    used = {mount["name"] for each in all_containers(fragment) for mount in each.get("volumeMounts", [])}
    used |= {mount["name"] for mount in fragment.volume_mounts}
    yield from (f"the volume {name} is mounted and not defined" for name in sorted(used - set(defined)))
    yield from (f"the volume {name} is defined and not mounted" for name in sorted(set(defined) - used))
    companions = {(doc["kind"], doc["metadata"]["name"]) for doc in fragment.documents}
    for name, volume in defined.items():
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"the emptyDir {name} has no sizeLimit"
        if "configMap" in volume and ("ConfigMap", volume["configMap"]["name"]) not in companions:
            yield f"the volume {name} is a ConfigMap that is not among the documents"


def _ports(fragment: Fragment) -> Iterator[str]:
    ports = [port for each in all_containers(fragment) for port in each.get("ports", [])]
    for port in ports:
        if not re.fullmatch(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*", port.get("name", "")):
            yield f"{port.get('name')!r} is no name for a port"
    numbers = [(port["containerPort"], port.get("protocol", "TCP")) for port in ports]
    names = [port.get("name") for port in ports]
    if len(set(numbers)) < len(numbers) or len(set(names)) < len(names):
        yield f"a port is declared twice: {sorted(zip(names, numbers, strict=True))}"
