"""Adopt a sidecar that was written by hand: record it as added, and change nothing else.

The instance gets the sidecar's containers, the volumes that only they use, and the mounts and variables of the app
that the fragment would have added. Everything else remains the app's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.render import render
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.companion_search import find_companions, identify, split_owner
from sidecarctl.inject.companions import companion_name, format_owner
from sidecarctl.inject.field_changes import format_value, hide_values
from sidecarctl.inject.plan import Plan, build_instance
from sidecarctl.inject.rename_companions import check_name
from sidecarctl.inject.targets import build_template_inputs, choose_targets
from sidecarctl.kube.secret_values import mask_values
from sidecarctl.kube.value_diff import diff_values
from sidecarctl.kube.workload import RECORD_ANNOTATION, Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.annotation import Added, Record, config_hash_annotation
from sidecarctl.results import ABSENT, FieldChange, field_text, plural
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document

_VARIABLE = re.compile(r"\.(?:env|httpHeaders)\[([^]]+)\]\.value\Z")
# The last two steps of a path: `options.password`, `annotations."example.com/token"`.
_MAP_AND_KEY = re.compile(r"(?:\A|\.)(\w+)\.(\"[^\"]*\"|[^.\[\]\"]+)\Z")
_MODES: Mapping[str, str] = {"sidecar": "native", "init": "init", "app": "classic", "classic": "classic"}


def can_adopt(workload: Workload, request: Request, record: Record) -> bool:
    """Return True if the workload has a container of the instance's name that no instance added, beside one of the app."""
    owned = {
        name for each in record.instances.values() for name in (*each.added.containers, *each.added.init_containers)
    }
    own = _find_container(workload, request)
    others = {c.name for c in workload.containers if c.role in ("app", "classic")} - owned - {request.instance}
    return request.instance not in owned and own is not None and bool(others)


def plan_adoption(workload: Workload, request: Request, record: Record, kube_version: str) -> Plan:
    """Return the plan that records an existing sidecar. It has no edits."""
    main = _find_container(workload, request)
    assert main is not None
    mode = _MODES[main.role]
    # Nothing marks a container written by hand as a sidecar: do not choose it as a target.
    marked = replace(workload, classic=workload.classic | {request.instance})
    targets = choose_targets(marked, request.containers, request.sidecar.targets)
    companion = companion_name(workload, request.instance)
    inputs = build_template_inputs(marked, request, mode, targets, companion, kube_version)
    fragment = render(request.sidecar, request.parameters, inputs)
    own = _own_containers(workload, fragment, request.instance)
    volumes, mounts = _owned_volumes(workload, fragment, own, targets, record)
    hashed = config_hash_annotation(request.instance)
    added = Added(
        containers=tuple(c.name for c in own if c.path[-2] == "containers"),
        init_containers=tuple(c.name for c in own if c.path[-2] == "initContainers"),
        volumes=volumes,
        volume_mounts=mounts,
        env=dict(_owned_env(fragment, targets)),
        annotations=(hashed,) if hashed in workload.annotations else (),
        documents=tuple(map(identify, fragment.documents)),
    )
    instance = build_instance(request, mode, added, fragment)
    return Plan(workload, (), instance, adopting=True)


def own_companions(planned: Plan, documents: Sequence[Document]) -> Plan:
    """Return a plan of adoption that records the companions that exist, instead of those that the sidecar would add.

    `documents` are the workload's document and the companions behind it.
    """
    first, *companions = documents
    owner = split_owner(format_owner(planned.workload, planned.instance.name))
    found = find_companions(first, companions, planned.workload, planned.instance)
    own = [each for each in found if each.owner == owner]
    for each in own:
        check_name(each)
    owned = tuple(each.identity for each in own)
    added = replace(planned.instance.added, documents=owned)
    return replace(planned, instance=replace(planned.instance, added=added))


def _find_container(workload: Workload, request: Request) -> Container | None:
    return next((c for c in workload.containers if c.name == request.instance and c.role in _MODES), None)


def _own_containers(workload: Workload, fragment: Fragment, instance: str) -> list[Container]:
    names = {instance, *(c["name"] for c in (*fragment.containers, *fragment.init_containers))}
    return [c for c in workload.containers if c.name in names and c.role in _MODES]


def _owned_volumes(
    workload: Workload, fragment: Fragment, own: list[Container], targets: tuple[Container, ...], record: Record
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the volumes that belong to the sidecar, and the app's mounts of them by container."""
    taken = {name for each in record.instances.values() for name in each.added.volumes}
    names = {c.name for c in own}
    shared_paths = {mount["mountPath"] for mount in fragment.volume_mounts}
    target_names = {target.name for target in targets}
    own_names = {each["name"] for each in fragment.volumes}
    volumes: list[str] = []
    mounts: dict[str, tuple[str, ...]] = {}
    users: dict[str, list[tuple[Container, str]]] = {}
    for c in workload.containers:
        for mount in map(as_mapping, as_list(c.value.get("volumeMounts"))):
            if isinstance(mount.get("name"), str) and isinstance(mount.get("mountPath"), str):
                users.setdefault(mount["name"], []).append((c, mount["mountPath"]))
    for volume in map(as_mapping, as_list(workload.pod.get("volumes"))):
        name = volume.get("name")
        if not isinstance(name, str) or name in taken or name not in users:
            continue
        others = [(c, path) for c, path in users[name] if c.name not in names]
        if len(others) == len(users[name]):
            continue
        # A volume that is not an emptyDir may hold the app's own data.
        same_name = name in own_names
        ours = "emptyDir" in volume and all(
            c.name in target_names and (same_name or path in shared_paths) for c, path in others
        )
        if others and not ours:
            continue
        volumes.append(str(name))
        for container, path in others:
            mounts[container.name] = (*mounts.get(container.name, ()), path)
    return tuple(volumes), mounts


def _owned_env(fragment: Fragment, targets: tuple[Container, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for target in targets:
        present = as_list(target.value.get("env"))
        names = tuple(str(v["name"]) for v in fragment.env if any(identical(dict(v), entry) for entry in present))
        if names:
            yield target.name, names


def difference_findings(workload: Workload, request: Request, before: Any, after: Any) -> list[Finding]:
    """Return one finding with the fields in which an adopted instance differs from the library, none if there are none.

    `before` and `after` are the workload's object as it is, and as the library would write it.
    """
    changes = [
        change
        for change in diff_values(before, after)
        if RECORD_ANNOTATION not in change.path and change.after != _mask(change, change.before)
    ]
    if not changes:
        return []
    from sidecarctl.catalog.secret_fields import may_write_secrets

    hidden = may_write_secrets(request.sidecar, request.parameters.recorded)
    fields = plural(len(changes), "field")
    wanted = f"{request.sidecar.name} {request.sidecar.version}"
    prefix = field_text(workload.pod_path[len(workload.path) :]) + "."
    return [
        Finding(
            "adopted-differs",
            f"the adopted sidecar {request.instance} differs from {wanted} in {fields}, which upgrades keep",
            Severity.INFO,
            _container_path(workload, request.instance),
            why="\n".join(
                f"{change.path.removeprefix(prefix)}: {_describe(change)}"
                for change in (hide_values(changes) if hidden else changes)
            ),
            help="to write the library's values, run `sidecarctl upgrade --enforce`; set parameters for the values to keep",
            workload=workload.label,
            container=request.instance,
        )
    ]


def blocked_upgrade_finding(workload: Workload, request: Request, message: str) -> Finding:
    """Return the finding that the next upgrade of an adopted instance would fail."""
    return Finding(
        "adopted-differs",
        f"the next upgrade of {request.instance} would fail: {message}",
        Severity.INFO,
        _container_path(workload, request.instance),
        help="fix this, then remove the sidecar and add it again",
        workload=workload.label,
        container=request.instance,
    )


def _describe(change: FieldChange) -> str:
    after = _mask(change, change.after)
    if change.before is ABSENT:
        return f"not set, would be {format_value(after)}"
    before = format_value(_mask(change, change.before))
    return f"{before}, would be " + ("removed" if after is ABSENT else format_value(after))


def _mask(change: FieldChange, value: Any) -> Any:
    """Return a value of a changed field without secrets, which a report must not show."""
    variable = _VARIABLE.search(change.path)
    if variable or not (found := _MAP_AND_KEY.search(change.path)):
        return mask_values(value, variable[1] if variable else "")[0]
    field, key = found[1], found[2].strip('"')
    return mask_values({field: {key: value}})[0][field][key]


def _container_path(workload: Workload, name: str) -> PathTuple:
    return next((c.path for c in workload.containers if c.name == name), workload.pod_path)
