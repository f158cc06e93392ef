"""Rules about the downward API: which fields of a pod and which resources of a container can be read, in
variables and in volumes.
"""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import NANO, is_binary, nano
from sidecarctl.validate.fields import Sources, chosen, env_value_sources, listed, sources_of_type, strange
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
_SUBSCRIPTED = ("metadata.labels", "metadata.annotations")
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
    fix="Use a field that the downward API offers; labels and annotations as metadata.labels['KEY'].",
)
def invalid_field_path(pod: PodView, ctx: Context) -> Problems:
    """A fieldRef names a field that the downward API does not offer there.

    Variables can read metadata.name, .namespace, .uid, one label or annotation, spec.nodeName,
    spec.serviceAccountName, status.hostIP(s) and status.podIP(s); files in volumes only metadata.name, .namespace,
    .uid, and all labels or annotations or one of them. The API server refuses other paths.
    """
    in_variables = _IN_VARIABLES | {"status.hostIPs"} if ctx.since("1.29") else _IN_VARIABLES
    for container in pod.containers:
        if container.value.get("env"):
            for source, where in env_value_sources(container):
                yield from _field(source, where, in_variables)
    for item, where in _files(pod):
        yield from _field(item, where, _IN_VOLUMES)


def _field(holder: Data, where: PathTuple, allowed: frozenset[str]) -> Problems:
    ref = holder.get("fieldRef")
    path = ref.get("fieldPath") if isinstance(ref, dict) else None
    if not isinstance(ref, dict) or not isinstance(path, str) or (path in allowed and not ref.get("apiVersion")):
        return
    at = (*where, "fieldRef", "fieldPath")
    version = ref.get("apiVersion")
    base, bracket, key = path.removesuffix("']").partition("['")
    if isinstance(version, str) and version not in ("", "v1"):
        yield problem(at, f"the field can only be read in apiVersion v1, not in {quote(version)}")
    elif path.endswith("']") and base and bracket:
        if base not in _SUBSCRIPTED:
            yield problem(at, f"{base} is no mapping, so it can't have a key in brackets")
        elif fault := names.qualified_name(key.lower() if base == "metadata.annotations" else key):
            yield problem(at, f"{quote(key)} is no key of {base}: it {fault}")
    elif path not in allowed and not (path == "spec.host" and "spec.nodeName" in allowed):
        known = ", ".join(sorted((*allowed, "metadata.labels['KEY']", "metadata.annotations['KEY']")))
        message = f"{quote(path)} can't be read here" if path else "the path of the field is empty"
        yield problem(at, message, help=f"Known are {known}.")


@rule(
    "invalid-resource-field",
    Severity.ERROR,
    fix="Use limits or requests of cpu, memory, ephemeral-storage or hugepages-SIZE; in a volume name the container.",
)
def invalid_resource_field(pod: PodView, ctx: Context) -> Problems:
    """A resourceFieldRef names a resource or a divisor that the downward API does not offer.

    It offers limits and requests of cpu, memory, ephemeral-storage and huge pages, in steps of 1 or 1m for cpu and of
    a power of 1000 or 1024 for bytes. In a volume it has to name the container. The API server refuses the rest.
    """
    for container in pod.containers:
        if container.value.get("env"):
            for source, where in env_value_sources(container):
                yield from _resource(source, where, in_volume=False)
    for item, where in _files(pod):
        if item.get("fieldRef") is None:
            yield from _resource(item, where, in_volume=True)


def _resource(holder: Data, where: PathTuple, *, in_volume: bool) -> Problems:
    ref = holder.get("resourceFieldRef")
    if not isinstance(ref, dict):
        return
    at = (*where, "resourceFieldRef")
    name = ref.get("resource")
    container = ref.get("containerName")
    if in_volume and (container is None or container == ""):
        yield problem((*at, "containerName"), "it does not say of which container")
    elif isinstance(name, str) and name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        message = f"{quote(name)} can't be read" if name else "the name of the resource is empty"
        yield problem((*at, "resource"), message)
    amount = nano(ref.get("divisor"))
    if isinstance(name, str) and amount and not _is_step(ref["divisor"], amount, name):
        steps = "1 and 1m" if name.endswith(".cpu") else "1, 1k … 1E and 1Ki … 1Ei"
        yield problem((*at, "divisor"), f"{quote(ref['divisor'])} is no divisor for {name}; known are {steps}")


def _is_step(divisor: object, amount: int, name: str) -> bool:
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
    fix="Give each file either a fieldRef or a resourceFieldRef.",
)
def invalid_downward_api_file(pod: PodView, ctx: Context) -> Problems:
    """A file of a downwardAPI volume has no content, or two.

    Each shows either a field of the pod or a resource of a container; the API server refuses none and both.
    """
    for item, where in _files(pod):
        found = chosen(item, ("fieldRef", "resourceFieldRef"))
        if len(found) > 1:
            yield problem(where, "the file can't show both a fieldRef and a resourceFieldRef")
        elif not found and not strange(item, _FILE_FIELDS):
            yield problem(where, "the file shows nothing: it needs a fieldRef or a resourceFieldRef")


_FILE_FIELDS = frozenset(("path", "mode", "user", "fieldRef", "resourceFieldRef"))


def _files(pod: PodView) -> Sources:
    """Return the files of all downwardAPI volumes, be they projected or not."""
    return [
        (item, (*where, "items", index))
        for source, where in (sources_of_type(pod, "downwardAPI") if pod.value.get("volumes") else ())
        for index, item in listed(source, "items")
    ]
