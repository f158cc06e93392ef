"""Conflicts: fit a sidecar's fragment to a workload. Share the app's volumes, keep its values, and report every collision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sidecarctl.catalog.fragment import Fragment, Item
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass, field, replace

# Volume sources that are mounted read-only.
_READ_ONLY_SOURCES = ("configMap", "secret", "projected", "downwardAPI", "image")
_RENAME = "give the sidecar another instance name with --as NAME"
_ADOPT = "take ownership of the container with --adopt, or give the sidecar another instance name with --as NAME"


@dataclass(frozen=True)
class FittedFragment:
    """A fragment fitted to a workload.

    fragment  without volumes that the workload has already
    mounts    new volume mounts by target container
    env       new variables by target container
    adopted   volume of the fragment -> volume of the app that is used instead
    """

    fragment: Fragment
    mounts: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    env: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    adopted: Mapping[str, str] = field(default_factory=dict)


def fit_fragment(
    workload: Workload,
    fragment: Fragment,
    targets: tuple[Container, ...],
    app_variables: Mapping[str, str] = MappingProxyType({}),
) -> FittedFragment:
    """Fit a fragment to a workload: share its volumes, keep its values, and report conflicts as errors.

    app_variables  the parameter for each variable that can have the app's value and that of the sidecar
    """
    findings: list[Finding] = []
    adopted, adoption_findings = _adopt_volumes(workload, fragment, targets)
    findings += adoption_findings
    fragment = _use_adopted_volumes(fragment, adopted)
    findings += _name_conflicts(workload, fragment)
    findings += _port_conflicts(workload, fragment)
    volumes, volume_findings = _new_volumes(workload, fragment)
    findings += volume_findings
    mounts: dict[str, tuple[Item, ...]] = {}
    env: dict[str, tuple[Item, ...]] = {}
    for target in targets:
        taken = {_mount_path(m) for m in _mounts(target.value)}
        new_mounts = tuple(m for m in fragment.volume_mounts if _mount_path(m) not in taken)
        new_env: tuple[Item, ...] = ()
        if fragment.env:
            from sidecarctl.inject.env_conflicts import find_new_env

            new_env, env_findings = find_new_env(
                target, _index_by_name(target.value.get("env")), fragment.env, app_variables
            )
            findings += env_findings
        if new_mounts:
            mounts[target.name] = new_mounts
        if new_env:
            env[target.name] = new_env
    return FittedFragment(
        replace(fragment, volumes=volumes), mounts, env, tuple(findings), {k: v["name"] for k, v in adopted.items()}
    )


def _conflict(
    rule: str,
    message: str,
    workload: Workload,
    path: PathTuple,
    help_: str,
    container: Container | None = None,
    why: str = "",
    severity: Severity = Severity.ERROR,
) -> Finding:
    return Finding(
        rule,
        message,
        severity,
        path,
        why=why,
        help=help_,
        workload=workload.label,
        container=container.name if container else "",
        role=container.role if container else "",
    )


# ---- volumes -----------------------------------------------------------------------------------------------------


def _mount_path(mount: Item) -> str:
    return str(mount.get("mountPath", "")).rstrip("/") or "/"


def _mounts(container: Mapping[str, Any]) -> list[Item]:
    return [m for m in as_list(container.get("volumeMounts")) if isinstance(m, dict)]


def _adopt_volumes(
    workload: Workload, fragment: Fragment, targets: tuple[Container, ...]
) -> tuple[dict[str, Item], list[Finding]]:
    """Return the targets' own mounts at the fragment's mount paths: volume of the fragment -> mount of the app."""
    adopted: dict[str, Item] = {}
    findings: list[Finding] = []
    mounts = {target.path: _Mounts.of(target) for target in targets if fragment.volume_mounts}
    for wanted in fragment.volume_mounts:
        for target in targets:
            for index, mount in mounts[target.path].related(_mount_path(wanted)):
                path = (*target.path, "volumeMounts", index)
                if _mount_path(mount) != _mount_path(wanted):
                    if mount.get("name") != wanted["name"]:
                        findings.append(_shadow_finding(workload, target, mount, wanted, path))
                    continue
                own = mount.get("name")
                if own == wanted["name"] or not isinstance(own, str):  # `validate` reports a name of another type
                    continue
                earlier = adopted.get(wanted["name"])
                if earlier is not None and _mount_identity(earlier) != _mount_identity(mount):
                    findings.append(
                        _conflict(
                            "mount-conflict",
                            f"the target containers mount different volumes at {_mount_path(wanted)}: "
                            f'"{earlier.get("name")}" and "{mount.get("name")}"',
                            workload,
                            path,
                            "select one of them with --container NAME",
                            target,
                        )
                    )
                    continue
                reason = _find_unshareable_reason(workload, fragment, wanted["name"], mount)
                if reason:
                    findings.append(
                        _conflict(
                            "mount-conflict", reason, workload, path, "use another directory for the sidecar", target
                        )
                    )
                adopted[wanted["name"]] = mount
    return adopted, findings


@dataclass(frozen=True)
class _Mounts:
    """The mounts of a container by their paths, each with its index, and the lengths of these paths."""

    by_path: Mapping[str, list[tuple[int, Item]]]
    lengths: frozenset[int]

    @classmethod
    def of(cls, target: Container) -> _Mounts:
        """Return the mounts of a container."""
        found: dict[str, list[tuple[int, Item]]] = {}
        for index, mount in enumerate(_mounts(target.value)):
            found.setdefault(_mount_path(mount), []).append((index, mount))
        return cls(found, frozenset(map(len, found)))

    def related(self, path: str) -> list[tuple[int, Item]]:
        """Return the mounts at a path and at directories above it, in their order."""
        above = (path[:length] for length in self.lengths if path.startswith("/", length))
        found = (each for one in (path, *above) for each in self.by_path.get(one, ()))
        return sorted(found, key=lambda each: each[0])


def _mount_identity(mount: Item) -> tuple[Any, ...]:
    return mount.get("name"), mount.get("subPath"), mount.get("subPathExpr")


def _shadow_finding(workload: Workload, target: Container, mount: Item, wanted: Item, path: PathTuple) -> Finding:
    return _conflict(
        "mount-shadows",
        f'the new volume at {_mount_path(wanted)} hides that directory of volume "{mount.get("name")}", '
        f'which container "{target.name}" mounts at {_mount_path(mount)}',
        workload,
        path,
        "to share the directory, set the sidecar's directory to the mounted one",
        target,
        why="The app's files in that directory go to the new volume from now on.",
        severity=Severity.WARNING,
    )


def _find_unshareable_reason(workload: Workload, fragment: Fragment, volume: str, mount: Item) -> str:
    """Return why the sidecar cannot use the app's volume, empty if it can."""
    if mount.get("subPathExpr"):
        return f"cannot share {_mount_path(mount)}: its subPathExpr depends on variables of the app container"
    writes = any(
        m.get("name") == volume and not m.get("readOnly")
        for container in (*fragment.containers, *fragment.init_containers)
        for m in _mounts(container)
    )
    if not writes:
        return ""
    source: object = next(
        (v for v in as_list(workload.pod.get("volumes")) if as_mapping(v).get("name") == mount.get("name")), {}
    )
    kind = next((k for k in _READ_ONLY_SOURCES if k in as_mapping(source)), "")
    if kind:
        return (
            f"cannot share {_mount_path(mount)}: the sidecar writes to it, and {kind} volume "
            f'"{mount.get("name")}" is read-only'
        )
    return ""


def _use_adopted_volumes(fragment: Fragment, adopted: Mapping[str, Item]) -> Fragment:
    """Return the fragment with the app's volumes instead of its own."""
    if not adopted:
        return fragment

    def adopt_mount(own: Item) -> Item:
        theirs = adopted.get(own.get("name", ""))
        if theirs is None:
            return own
        renamed = {**own, "name": theirs["name"]}
        if isinstance(theirs.get("subPath"), str) and theirs["subPath"]:
            # The sidecar's own subPath is relative to the directory that the app mounts.
            renamed["subPath"] = "/".join(filter(None, (theirs["subPath"], own.get("subPath", ""))))
        return renamed

    def adopt_container(container: Item) -> Item:
        if "volumeMounts" not in container:
            return container
        return {**container, "volumeMounts": [adopt_mount(m) for m in container["volumeMounts"]]}

    return replace(
        fragment,
        containers=tuple(adopt_container(c) for c in fragment.containers),
        init_containers=tuple(adopt_container(c) for c in fragment.init_containers),
        volumes=tuple(v for v in fragment.volumes if v["name"] not in adopted),
        volume_mounts=tuple(adopt_mount(m) for m in fragment.volume_mounts),
    )


def _new_volumes(workload: Workload, fragment: Fragment) -> tuple[tuple[Item, ...], list[Finding]]:
    """Return the volumes that the pod does not have yet. A volume of the same name and source is shared."""
    existing = _index_by_name(workload.pod.get("volumes"))
    new: list[Item] = []
    findings: list[Finding] = []
    for volume in fragment.volumes:
        name = volume["name"]
        if name not in existing:
            new.append(volume)
        elif existing[name][1] != volume:
            path = (*workload.pod_path, "volumes", existing[name][0])
            message = f'volume "{name}" already exists in the pod with another source'
            findings.append(_conflict("volume-conflict", message, workload, path, _RENAME))
    return tuple(new), findings


def _index_by_name(items: object) -> dict[str, tuple[int, Item]]:
    return {str(item.get("name")): (i, item) for i, item in enumerate(as_list(items)) if isinstance(item, dict)}


# ---- names and ports ---------------------------------------------------------------------------------


def _name_conflicts(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    taken = {c.name: c for c in workload.containers}
    for container in (*fragment.init_containers, *fragment.containers):
        other = taken.get(container["name"])
        if other is not None:
            message = f'container "{container["name"]}" already exists in the pod, and sidecarctl did not add it'
            yield _conflict("container-conflict", message, workload, (*other.path, "name"), _ADOPT, other)


def _port_conflicts(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    # Ordinary init containers have ended before the others bind their ports.
    taken: dict[tuple[str, str], tuple[Container, int]] = {}
    for container in workload.containers:
        if container.role in ("app", "classic", "sidecar"):
            for index, port in enumerate(as_list(container.value.get("ports"))):
                taken.setdefault(_port_key(as_mapping(port)), (container, index))
    for new in fragment.containers:
        for port in as_list(new.get("ports")):
            user = taken.get(_port_key(as_mapping(port)))
            if user is not None and port.get("containerPort") is not None:
                other, index = user
                yield _conflict(
                    "port-conflict",
                    f'port {port["containerPort"]}/{port.get("protocol", "TCP")} of sidecar "{new["name"]}" '
                    f'is already used by container "{other.name}"',
                    workload,
                    (*other.path, "ports", index),
                    "give the sidecar another port with --set",
                    other,
                    why="The containers of a pod share one network namespace, so the second one to bind the port fails.",
                )


def _port_key(port: Mapping[str, Any]) -> tuple[str, str]:
    return str(port.get("containerPort")), str(port.get("protocol", "TCP"))
