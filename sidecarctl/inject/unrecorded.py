"""Containers that look like a sidecar's and are in no record: the record was lost, or a person renamed the container.

Tools that drop annotations, such as `kubectl neat`, lose the record. Adopting the container writes it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, Severity, list_first
from sidecarctl.kube.names import parse_image
from sidecarctl.kube.workload import RECORD_ANNOTATION, Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.annotation import Record, config_hash_annotation

RULE = "lost-record"
_WHY = (
    f"The annotation {RECORD_ANNOTATION} lists what sidecarctl added. Tools that drop annotations, and edits by people, "
    "can remove it or rename a container."
)
# Conflicts with what the lost record had.
_SAME_CAUSE = (
    *("container-conflict", "volume-conflict", "mount-conflict"),
    *("env-conflict", "annotation-conflict", "label-conflict"),
)


def explain_conflicts(
    workload: Workload,
    request: Request,
    fragment: Fragment,
    targets: Sequence[Container],
    record: Record,
    findings: Sequence[Finding],
) -> tuple[Finding, ...]:
    """Replace the conflicts with a container that looks like the requested instance by one finding that says so."""
    if not any(finding.severity is Severity.ERROR for finding in findings):
        return tuple(findings)
    found = _find_lookalike(workload, request, fragment, targets, record)
    if found is None:
        return tuple(findings)
    left = [
        finding
        for finding in findings
        if finding.rule not in _SAME_CAUSE and not (finding.rule == "port-conflict" and finding.container == found.name)
    ]
    message = f'container "{found.name}" looks like sidecar {request.sidecar.name}, but has no record'
    return _finding(workload, found, message, _adoption_help(request, found.name)), *left


def _find_lookalike(
    workload: Workload, request: Request, fragment: Fragment, targets: Sequence[Container], record: Record
) -> Container | None:
    """Return a container that no instance added and that has the name or image and the volumes of the instance."""
    own_volumes = {volume["name"] for volume in fragment.volumes}
    hashed = config_hash_annotation(request.instance) in workload.annotations
    wanted = (*fragment.init_containers, *fragment.containers)
    images = {_repository(container) for container in wanted}
    names = {container["name"] for container in wanted}
    for found in _unrecorded_containers(workload, record):
        if any(found.path == target.path for target in targets):
            continue
        same_image, mounts = _repository(found.value) in images, bool(_mounted(found) & own_volumes)
        if (found.name in names and (same_image or mounts or hashed)) or (same_image and mounts):
            return found
    return None


def _repository(container: object) -> str:
    return parse_image(str(as_mapping(container).get("image", ""))).repository


def _mounted(container: Container) -> set[str]:
    return {str(as_mapping(mount).get("name")) for mount in as_list(container.value.get("volumeMounts"))}


def _unrecorded_containers(workload: Workload, record: Record) -> Iterator[Container]:
    owned = {
        name for each in record.instances.values() for name in (*each.added.containers, *each.added.init_containers)
    }
    return (c for c in workload.containers if c.role != "ephemeral" and c.name and c.name not in owned)


def _adoption_help(request: Request, container: str) -> str:
    if request.by:
        return "to take ownership of it, run `sidecarctl render --adopt`"
    alias = "" if container == request.sidecar.name else f" --as {container}"
    second = "; to add a second one, use --as NAME" if container == request.instance else ""
    command = f"sidecarctl add {request.sidecar.name}{alias} --adopt"
    return f"to take ownership of it, run `{command}` with the parameters that it was added with{second}"


def find_unrecorded(workload: Workload, record: Record, names: Collection[str]) -> Iterator[Finding]:
    """Yield a warning for each container of the given names that an instance probably added, without the library."""
    for found in _unrecorded_containers(workload, record):
        if found.name in names and found.name not in record.instances and _has_traces(workload, found):
            message = f'container "{found.name}" looks like sidecar {found.name}, but has no record'
            help_ = f"run `sidecarctl add {found.name} --adopt`, which takes ownership of it"
            yield replace(_finding(workload, found, message, help_), severity=Severity.WARNING)


def find_left_behind(
    workload: Workload, record: Record, going: Sequence[str], wanted: Collection[str] | None
) -> Iterator[Finding]:
    """Yield a warning for each container that a removal leaves: without a record, or renamed.

    `going` are the instances to remove, `wanted` the words that select them; None selects all.
    """
    hashed = [c.name for c in workload.containers if config_hash_annotation(c.name) in workload.annotations]
    yield from find_unrecorded(workload, record, hashed if wanted is None else wanted)
    yield from (replace(one, severity=Severity.WARNING) for one in find_renamed(workload, record, going))


def find_lost_holders(workload: Workload, record: Record, names: Collection[str]) -> Iterator[Finding]:
    """Yield a warning for each container that got variables or mounts and is gone: another one may have them now."""
    present = {container.name for container in workload.containers}
    for name in names:
        added = record.instances[name].added
        for container in dict.fromkeys((*added.env, *added.volume_mounts)):
            items = (*added.env.get(container, ()), *added.volume_mounts.get(container, ()))
            if container not in present:
                yield Finding(
                    "recorded-container-missing",
                    f'container "{container}" is gone; if it was renamed, it keeps what {name} added: {list_first(items, 5)}',
                    Severity.WARNING,
                    workload.pod_path,
                    on_key=True,
                    help="restore its name, or remove these from the renamed container",
                    workload=workload.label,
                )


def _has_traces(workload: Workload, container: Container) -> bool:
    """Return True if a container has what sidecars have: the hash of a companion, or volumes with its name."""
    if config_hash_annotation(container.name) in workload.annotations:
        return True
    return any(name.startswith(f"{container.name}-") for name in _mounted(container))


def find_renamed(workload: Workload, record: Record, names: Collection[str]) -> Iterator[Finding]:
    """Yield an error for each container of the record that is missing while another one mounts its volumes."""
    present = {container.name for container in workload.containers}
    for name in names:
        added = record.instances[name].added
        missing = [each for each in (*added.init_containers, *added.containers) if each not in present]
        if not missing:
            continue
        field = "initContainers" if missing[0] in added.init_containers else "containers"
        shared = {volume for c in workload.containers if c.name in added.volume_mounts for volume in _mounted(c)}
        private = set(added.volumes) - shared
        # An app container can mount the shared volume too, so in the list of the app only private ones are a trace.
        traces = private or (set(added.volumes) if field == "initContainers" else set())
        for found in _unrecorded_containers(workload, record):
            if found.path[-2] == field and found.name not in added.volume_mounts and _mounted(found) & traces:
                message = f'container "{found.name}" looks like container "{missing[0]}" of sidecar {name}, renamed'
                help_ = f"rename it to {missing[0]}, or delete it: sidecarctl finds containers by name"
                yield _finding(workload, found, message, help_)


def describe_unrecorded(workload: Workload, record: Record, sidecars: Collection[str]) -> Iterator[str]:
    """Yield what to do about containers with the name of a sidecar and without a record, and about renamed ones.

    A container whose volumes no other container mounts can be the app itself.
    """
    names = [name for name in sidecars if _is_beside_the_app(workload, name)]
    for finding in (*find_unrecorded(workload, record, names), *find_renamed(workload, record, [*record.instances])):
        yield f"{finding.message}: {finding.help}"


def _is_beside_the_app(workload: Workload, name: str) -> bool:
    if config_hash_annotation(name) in workload.annotations:
        return True
    own = {volume for c in workload.containers if c.name == name for volume in _mounted(c)}
    shared = {volume for c in workload.containers if c.name != name for volume in _mounted(c)}
    return any(volume.startswith(f"{name}-") for volume in own & shared)


def _finding(workload: Workload, container: Container, message: str, help_: str) -> Finding:
    return Finding(
        RULE,
        message,
        path=(*container.path, "name"),
        why=_WHY,
        help=help_,
        workload=workload.label,
        container=container.name,
        role=container.role,
    )
