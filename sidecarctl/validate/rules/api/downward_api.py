"""Rules about the downward API: pod fields and container resources in environment variables and volumes."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import NANO, is_binary, parse_quantity
from sidecarctl.validate.fields import (
    Sources,
    env_value_sources,
    has_unknown_keys,
    listed,
    present_keys,
    sources_of_type,
)
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

_IN_BOTH = frozenset(("metadata.name", "metadata.namespace", "metadata.uid"))
_IN_VOLUMES = _IN_BOTH | {"metadata.labels", "metadata.annotations"}
_IN_VARIABLES = _IN_BOTH | {
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.podIP",
    "status.podIPs",
}
_FIELDS_WITH_KEYS = ("metadata.labels", "metadata.annotations")
_RESOURCES = frozenset(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_CPU_STEPS = frozenset((NANO, NANO // 1000))
_DECIMAL_STEPS = frozenset(NANO * 1000**power for power in range(7))
_BINARY_STEPS = frozenset(NANO * 1024**power for power in range(7))


@rule(
    "invalid-field-path",
    Severity.ERROR,
    fix="Use a field that the downward API supports, such as metadata.name or metadata.labels['<key>'].",
)
def invalid_field_path(pod: PodView, ctx: Context) -> Problems:
    """Unsupported fieldPath of a downward API reference.

    Environment variables support metadata.name, metadata.namespace, metadata.uid, a single label or annotation,
    spec.nodeName, spec.serviceAccountName, status.hostIP, status.hostIPs, status.podIP, and status.podIPs. Volumes
    support only metadata.name, metadata.namespace, metadata.uid, all labels or annotations, or a single one. The API
    server rejects other paths.
    """
    in_variables = _IN_VARIABLES | {"status.hostIPs"} if ctx.since("1.29") else _IN_VARIABLES
    for container in pod.containers:
        if container.value.get("env"):
            for source, where in env_value_sources(container):
                yield from _check_field(source, where, in_variables)
    for item, where in _files(pod):
        yield from _check_field(item, where, _IN_VOLUMES)


def _check_field(holder: Data, where: PathTuple, allowed: frozenset[str]) -> Problems:
    ref = holder.get("fieldRef")
    path = ref.get("fieldPath") if isinstance(ref, dict) else None
    if not isinstance(ref, dict) or not isinstance(path, str) or (path in allowed and not ref.get("apiVersion")):
        return
    at = (*where, "fieldRef", "fieldPath")
    version = ref.get("apiVersion")
    base, bracket, key = path.removesuffix("']").partition("['")
    if isinstance(version, str) and version not in ("", "v1"):
        yield problem(at, f"invalid apiVersion {quote(version)} in fieldRef: must be v1")
    elif path.endswith("']") and base and bracket:
        if base not in _FIELDS_WITH_KEYS:
            yield problem(at, f"invalid fieldPath {quote(path)}: {base} has no keys")
        elif fault := names.check_qualified_name(key.lower() if base == "metadata.annotations" else key):
            yield problem(at, f"invalid key {quote(key)} of {base}: {fault}")
    elif path not in allowed and not (path == "spec.host" and "spec.nodeName" in allowed):
        known = ", ".join(sorted((*allowed, "metadata.labels['KEY']", "metadata.annotations['KEY']")))
        message = f"unsupported fieldPath {quote(path)}" if path else "fieldPath is empty"
        yield problem(at, message, help=f"Use one of {known}.")


@rule(
    "invalid-resource-field",
    Severity.ERROR,
    fix="Use limits or requests of cpu, memory, ephemeral-storage, or hugepages-<size>. In a volume, set containerName.",
)
def invalid_resource_field(pod: PodView, ctx: Context) -> Problems:
    """Unsupported resource or divisor of a downward API reference.

    The downward API supports limits and requests of cpu, memory, ephemeral-storage, and huge pages. The divisor is 1 or
    1m for cpu, and a power of 1000 or 1024 for other resources. In a volume, containerName is required. The API server
    rejects anything else.
    """
    for container in pod.containers:
        if container.value.get("env"):
            for source, where in env_value_sources(container):
                yield from _check_resource(source, where, in_volume=False)
    for item, where in _files(pod):
        if item.get("fieldRef") is None:
            yield from _check_resource(item, where, in_volume=True)


def _check_resource(holder: Data, where: PathTuple, *, in_volume: bool) -> Problems:
    ref = holder.get("resourceFieldRef")
    if not isinstance(ref, dict):
        return
    at = (*where, "resourceFieldRef")
    name = ref.get("resource")
    container = ref.get("containerName")
    if in_volume and (container is None or container == ""):
        yield problem((*at, "containerName"), "missing required field: containerName")
    elif isinstance(name, str) and name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        message = f"unsupported resource {quote(name)}" if name else "resource name is empty"
        yield problem((*at, "resource"), message)
    amount = parse_quantity(ref.get("divisor"))
    if isinstance(name, str) and amount and not _is_valid_divisor(ref["divisor"], amount, name):
        steps = "1 or 1m" if name.endswith(".cpu") else "one of 1, 1k … 1E, 1Ki … 1Ei"
        yield problem((*at, "divisor"), f"invalid divisor {quote(ref['divisor'])} for {name}, expected {steps}")


def _is_valid_divisor(divisor: object, amount: int, name: str) -> bool:
    if name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        return True
    if name.endswith(".cpu"):
        return amount in _CPU_STEPS
    if isinstance(divisor, str) and divisor.strip()[-1:].isdigit() and "e" in divisor.lower():
        return amount == NANO
    return amount in (_BINARY_STEPS if is_binary(divisor) else _DECIMAL_STEPS)


@rule(
    "invalid-downward-api-file",
    Severity.ERROR,
    needs=("volumes",),
    fix="Set either fieldRef or resourceFieldRef on each file.",
)
def invalid_downward_api_file(pod: PodView, ctx: Context) -> Problems:
    """A file of a downwardAPI volume has no source, or two.

    A file shows either a pod field or a container resource. The API server rejects a file with neither or both.
    """
    for item, where in _files(pod):
        found = present_keys(item, ("fieldRef", "resourceFieldRef"))
        if len(found) > 1:
            yield problem(where, "both fieldRef and resourceFieldRef are set")
        elif not found and not has_unknown_keys(item, _FILE_FIELDS):
            yield problem(where, "missing fieldRef or resourceFieldRef")


_FILE_FIELDS = frozenset(("path", "mode", "user", "fieldRef", "resourceFieldRef"))


def _files(pod: PodView) -> Sources:
    """Return the files of all downwardAPI volumes, including projected ones."""
    return [
        (item, (*where, "items", index))
        for source, where in (sources_of_type(pod, "downwardAPI") if pod.value.get("volumes") else ())
        for index, item in listed(source, "items")
    ]
