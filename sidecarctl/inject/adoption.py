"""Taking ownership of a sidecar that somebody wrote by hand: what stands there is recorded as added, exactly as it is.

Nothing but the record changes. Belonging to the sidecar are its containers, the volumes that nobody else uses, and what
the fragment would have given to the app and stands there; everything else stays the app's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.render import render
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import companion_name
from sidecarctl.inject.plan import Plan, instance_of, template_inputs
from sidecarctl.inject.record import Added, Record
from sidecarctl.inject.sharing import choose_targets
from sidecarctl.kube.value_diff import diff_values
from sidecarctl.kube.workload import RECORD_ANNOTATION, Container, Workload, as_list, as_mapping
from sidecarctl.results import ABSENT, FieldChange, field_text, plural
from sidecarctl.yamltext.edits import identical

_MODES: Mapping[str, str] = {"sidecar": "native", "init": "init", "app": "classic", "classic": "classic"}


def adoptable(workload: Workload, request: Request, record: Record) -> bool:
    """True where a container of the instance's name stands in the workload and no instance has added it."""
    owned = {name for one in record.instances.values() for name in (*one.added.containers, *one.added.init_containers)}
    return request.instance not in owned and _main(workload, request) is not None


def settled(request: Request, record: Record) -> bool:
    """True where the instance is recorded just as it is asked for: what stands there stays, whatever differs."""
    present = record.instances.get(request.instance)
    return (
        present is not None
        and (present.sidecar, present.version) == (request.sidecar.name, request.sidecar.version)
        and present.parameters == request.parameters.recorded
    )


def adoption(workload: Workload, request: Request, record: Record, kube_version: str) -> Plan:
    """Return the plan that records what stands in an adoptable workload: it has no edits of its own."""
    main = _main(workload, request)
    assert main is not None
    mode = _MODES[main.role]
    # By hand nothing says that it is a sidecar: it must not be taken for the app.
    seen = replace(workload, classic=workload.classic | {request.instance})
    targets = choose_targets(seen, request.containers, request.sidecar.targets)
    companion = companion_name(workload, request.instance)
    inputs = template_inputs(seen, request, mode, targets, companion, kube_version)
    fragment = render(request.sidecar, request.parameters, inputs)
    own = _own_containers(workload, fragment, request.instance)
    volumes, mounts = _volumes(workload, fragment, own, targets, record)
    added = Added(
        containers=tuple(c.name for c in own if c.path[-2] == "containers"),
        init_containers=tuple(c.name for c in own if c.path[-2] == "initContainers"),
        volumes=volumes,
        volume_mounts=mounts,
        env=dict(_env(fragment, targets)),
    )
    instance = instance_of(request, mode, added)
    return Plan(workload, (), instance, adopting=True, whole=tuple(_whole(workload, added)))


def _main(workload: Workload, request: Request) -> Container | None:
    return next((c for c in workload.containers if c.name == request.instance and c.role in _MODES), None)


def _own_containers(workload: Workload, fragment: Fragment, instance: str) -> list[Container]:
    names = {instance, *(c["name"] for c in (*fragment.containers, *fragment.init_containers))}
    return [c for c in workload.containers if c.name in names and c.role in _MODES]


def _volumes(
    workload: Workload, fragment: Fragment, own: list[Container], targets: tuple[Container, ...], record: Record
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The volumes that go with the sidecar, and the app's mounts of them."""
    taken = {name for one in record.instances.values() for name in one.added.volumes}
    names = {c.name for c in own}
    given = {mount["mountPath"] for mount in fragment.volume_mounts}
    target_names = {target.name for target in targets}
    volumes: list[str] = []
    mounts: dict[str, tuple[str, ...]] = {}
    for volume in as_list(workload.pod.get("volumes")):
        name = as_mapping(volume).get("name")
        users = [(c, m) for c in workload.containers for m in as_list(c.value.get("volumeMounts")) if _of(m) == name]
        others = [(c, m["mountPath"]) for c, m in users if c.name not in names]
        if name in taken or len(others) == len(users):
            continue
        # What the app keeps in a volume of another kind is its own.
        ours = "emptyDir" in volume and all(c.name in target_names and path in given for c, path in others)
        if others and not ours:
            continue
        volumes.append(str(name))
        for container, path in others:
            mounts[container.name] = (*mounts.get(container.name, ()), path)
    return tuple(volumes), mounts


def _of(mount: Any) -> Any:
    return as_mapping(mount).get("name")


def _env(fragment: Fragment, targets: tuple[Container, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for target in targets:
        present = as_list(target.value.get("env"))
        names = tuple(str(v["name"]) for v in fragment.env if any(identical(dict(v), entry) for entry in present))
        if names:
            yield target.name, names


def _whole(workload: Workload, added: Added) -> Iterator[str]:
    """The collections all of whose members belong to the sidecar: they go with the last of them."""
    pod = workload.pod
    for field, names in (
        ("initContainers", added.init_containers),
        ("containers", added.containers),
        ("volumes", added.volumes),
    ):
        items = as_list(pod.get(field))
        if items and len(items) == len(names):
            yield f"spec/{field}"
    for field, holders in (("volumeMounts", added.volume_mounts), ("env", added.env)):
        for container in workload.containers:
            items = as_list(container.value.get(field))
            if items and len(items) == len(holders.get(container.name, ())):
                yield records.to_text(workload, (*container.path, field))


def differing(workload: Workload, request: Request, before: Any, after: Any) -> list[Finding]:
    """Return what an upgrade of the adopted instance would change, field by field, as one finding; none for nothing."""
    changes = [change for change in diff_values(before, after) if RECORD_ANNOTATION not in change.path]
    if not changes:
        return []
    fields = plural(len(changes), "field")
    wanted = f"{request.sidecar.name} {request.sidecar.version}"
    prefix = field_text(workload.pod_path) + "."
    return [
        Finding(
            "adopted-differs",
            f"the adopted {request.instance} differs from {wanted} in {fields}; it stays as it is until the next upgrade",
            Severity.INFO,
            _container_path(workload, request.instance),
            why="\n".join(f"{change.path.removeprefix(prefix)}: {_told(change)}" for change in changes),
            help="give parameters to keep what matters; the next add without --adopt, or render, writes what the library has",
            workload=workload.label,
            container=request.instance,
        )
    ]


def unupgradable(workload: Workload, request: Request, message: str) -> Finding:
    """Return the finding that the next upgrade of an adopted instance would be refused."""
    return Finding(
        "adopted-differs",
        f"the next upgrade of {request.instance} would be refused: {message}",
        Severity.INFO,
        _container_path(workload, request.instance),
        help="remove the sidecar and add it again when that is solved",
        workload=workload.label,
        container=request.instance,
    )


def _told(change: FieldChange) -> str:
    if change.before is ABSENT:
        return f"not there, would be {_shown(change.after)}"
    return f"{_shown(change.before)}, would be " + ("removed" if change.after is ABSENT else _shown(change.after))


def _shown(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 70 else f"{text[:67]}..."


def _container_path(workload: Workload, name: str) -> PathTuple:
    return next((c.path for c in workload.containers if c.name == name), workload.pod_path)
