"""What a sidecar shares with the app: targets, adopted volumes, mounts and variables; and every row of the conflict table.

Nothing is ever doubled or dropped silently: what collides is a finding.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from sidecarctl.catalog.fragment import Fragment, Item
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import Finding, Related, Severity
from sidecarctl.kube.workload import DEFAULT_CONTAINER_ANNOTATION, Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass

# Volume sources that nobody can write to.
_READ_ONLY_SOURCES = ("configMap", "secret", "projected", "downwardAPI", "image")


def choose_targets(workload: Workload, wanted: tuple[str, ...], rule: str) -> tuple[Container, ...]:
    """Return the app containers that get mounts and variables.

    `wanted` are names or globs; without them `rule` decides: "all", or "default", which is the container that
    kubectl.kubernetes.io/default-container names, else the first. Raises UsageError for a name that no container has.
    """
    apps = tuple(c for c in workload.containers if c.role == "app")
    if wanted:
        chosen = []
        for pattern in wanted:
            found = [c for c in apps if fnmatch.fnmatchcase(c.name, pattern)]
            if not found:
                known = ", ".join(c.name for c in apps) or "none"
                raise UsageError(
                    f'{workload.label} has no container "{pattern}" (its app containers: {known})',
                    hint=did_you_mean(pattern, [c.name for c in apps]) or "name one of them with --container",
                )
            chosen += [c for c in found if c not in chosen]
        return tuple(chosen)
    if rule == "all":
        return apps
    default = workload.annotations.get(DEFAULT_CONTAINER_ANNOTATION)
    return tuple(c for c in apps if c.name == default)[:1] or apps[:1]


@dataclass(frozen=True)
class Shared:
    """A fragment fitted to a workload: what is really to be added, and what was found on the way."""

    fragment: Fragment
    mounts: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    env: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    adopted: Mapping[str, str] = field(default_factory=dict)


def share(workload: Workload, fragment: Fragment, targets: tuple[Container, ...]) -> Shared:
    """Fit a fragment to a workload by the conflict table: adopt volumes, keep what is there, refuse what collides."""
    findings: list[Finding] = []
    adopted, adopting = _adopt(workload, fragment, targets)
    findings += adopting
    fragment = _with_adopted(fragment, adopted)
    findings += _name_conflicts(workload, fragment)
    findings += _port_conflicts(workload, fragment)
    volumes, conflicts = _new_volumes(workload, fragment)
    findings += conflicts
    mounts: dict[str, tuple[Item, ...]] = {}
    env: dict[str, tuple[Item, ...]] = {}
    for target in targets:
        new_mounts, mount_findings = _new_mounts(target, fragment.volume_mounts)
        new_env, env_findings = _new_env(target, fragment.env)
        findings += [*mount_findings, *env_findings]
        if new_mounts:
            mounts[target.name] = new_mounts
        if new_env:
            env[target.name] = new_env
    return Shared(
        replace(fragment, volumes=volumes), mounts, env, tuple(findings), {k: v["name"] for k, v in adopted.items()}
    )


# ---- volumes -----------------------------------------------------------------------------------------------------


def _path_of(mount: Item) -> str:
    return str(mount.get("mountPath", "")).rstrip("/") or "/"


def _mounts(container: Mapping[str, Any]) -> list[Item]:
    return [m for m in as_list(container.get("volumeMounts")) if isinstance(m, dict)]


def _adopt(
    workload: Workload, fragment: Fragment, targets: tuple[Container, ...]
) -> tuple[dict[str, Item], list[Finding]]:
    """Find the targets' own mounts at the paths that the fragment wants: fragment volume -> the app's mount."""
    adopted: dict[str, Item] = {}
    findings: list[Finding] = []
    for wanted in fragment.volume_mounts:
        for target in targets:
            for index, mount in enumerate(_mounts(target.value)):
                path = (*target.path, "volumeMounts", index)
                if _path_of(mount) != _path_of(wanted):
                    if _path_of(wanted).startswith(_path_of(mount) + "/") and mount.get("name") != wanted["name"]:
                        findings.append(_shadow(workload, target, mount, wanted, path))
                    continue
                if mount.get("name") == wanted["name"]:
                    continue
                earlier = adopted.get(wanted["name"])
                if earlier is not None and _identity(earlier) != _identity(mount):
                    findings.append(
                        _conflict(
                            "mount-conflict",
                            f"the targeted containers mount different volumes at {_path_of(wanted)}: "
                            f"{earlier.get('name')} and {mount.get('name')}",
                            workload,
                            path,
                            "share with one of them only: --container NAME",
                            target,
                        )
                    )
                    continue
                reason = _not_shareable(workload, fragment, wanted["name"], mount)
                if reason:
                    findings.append(
                        _conflict(
                            "mount-conflict", reason, workload, path, "let the sidecar use another directory", target
                        )
                    )
                adopted[wanted["name"]] = mount
    return adopted, findings


def _identity(mount: Item) -> tuple[Any, ...]:
    return mount.get("name"), mount.get("subPath"), mount.get("subPathExpr")


def _shadow(workload: Workload, target: Container, mount: Item, wanted: Item, path: tuple[str | int, ...]) -> Finding:
    return Finding(
        "mount-shadows",
        f"a new volume at {_path_of(wanted)} hides that directory of the volume {mount.get('name')}, "
        f"which {target.name} mounts at {_path_of(mount)}",
        Severity.WARNING,
        path,
        why="what the app writes there goes to the new volume from now on",
        help="let the sidecar use the directory that is mounted, if they are meant to share it",
        workload=workload.label,
        container=target.name,
        role=target.role,
    )


def _not_shareable(workload: Workload, fragment: Fragment, volume: str, mount: Item) -> str:
    """Why the app's volume can't serve the sidecar; empty when it can."""
    if mount.get("subPathExpr"):
        return f"{_path_of(mount)} is mounted with subPathExpr, which depends on the container's own variables"
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
            f"{_path_of(mount)} is mounted from the {kind} volume {mount.get('name')}, which nobody can write to, "
            "and the sidecar has to write there"
        )
    return ""


def _with_adopted(fragment: Fragment, adopted: Mapping[str, Item]) -> Fragment:
    """The fragment with the app's volumes in place of its own."""
    if not adopted:
        return fragment

    def mount(own: Item) -> Item:
        theirs = adopted.get(own.get("name", ""))
        if theirs is None:
            return own
        renamed = {**own, "name": theirs["name"]}
        if theirs.get("subPath"):
            # Below the directory that the app sees; a sub-path of the sidecar's own goes on from there.
            renamed["subPath"] = "/".join(filter(None, (theirs["subPath"], own.get("subPath", ""))))
        return renamed

    def fitted(container: Item) -> Item:
        if "volumeMounts" not in container:
            return container
        return {**container, "volumeMounts": [mount(m) for m in container["volumeMounts"]]}

    return replace(
        fragment,
        containers=tuple(fitted(c) for c in fragment.containers),
        init_containers=tuple(fitted(c) for c in fragment.init_containers),
        volumes=tuple(v for v in fragment.volumes if v["name"] not in adopted),
        volume_mounts=tuple(mount(m) for m in fragment.volume_mounts),
    )


def _new_volumes(workload: Workload, fragment: Fragment) -> tuple[tuple[Item, ...], list[Finding]]:
    """The volumes that are not there yet; one of the same name and source stays the app's."""
    existing = {
        str(v.get("name")): (i, v) for i, v in enumerate(as_list(workload.pod.get("volumes"))) if isinstance(v, dict)
    }
    new: list[Item] = []
    findings: list[Finding] = []
    for volume in fragment.volumes:
        found = existing.get(volume["name"])
        if found is None:
            new.append(volume)
        elif found[1] != volume:
            findings.append(
                _conflict(
                    "volume-conflict",
                    f"the pod has a volume {volume['name']} with another source",
                    workload,
                    (*workload.pod_path, "volumes", found[0]),
                    "give the sidecar another instance name with --as NAME",
                )
            )
    return tuple(new), findings


def _new_mounts(target: Container, wanted: tuple[Item, ...]) -> tuple[tuple[Item, ...], list[Finding]]:
    taken = {_path_of(m) for m in _mounts(target.value)}
    return tuple(m for m in wanted if _path_of(m) not in taken), []


def _new_env(target: Container, wanted: tuple[Item, ...]) -> tuple[tuple[Item, ...], list[Finding]]:
    """Variables that are not there yet; one with the same value stays the app's, one with another is a conflict."""
    existing = {
        str(e.get("name")): (i, e) for i, e in enumerate(as_list(target.value.get("env"))) if isinstance(e, dict)
    }
    new, findings = [], []
    for variable in wanted:
        found = existing.get(variable["name"])
        if found is None:
            new.append(variable)
        elif found[1] != variable:
            findings.append(
                Finding(
                    "env-conflict",
                    f"{target.name} sets {variable['name']} to another value than the sidecar needs",
                    path=(*target.path, "env", found[0]),
                    why=f"the sidecar needs {_shown(variable)}",
                    help=f"remove {variable['name']} from {target.name}, or give it that value",
                    container=target.name,
                    role=target.role,
                )
            )
    return tuple(new), findings


def _shown(variable: Item) -> str:
    return (
        f"{variable['name']}={variable['value']}" if "value" in variable else f"{variable['name']} from another source"
    )


# ---- names and ports ---------------------------------------------------------------------------------------------


def _conflict(
    rule: str,
    message: str,
    workload: Workload,
    path: tuple[str | int, ...],
    help_: str,
    container: Container | None = None,
    related: tuple[Related, ...] = (),
    why: str = "",
) -> Finding:
    return Finding(
        rule,
        message,
        path=path,
        why=why,
        help=help_,
        workload=workload.label,
        container=container.name if container else "",
        role=container.role if container else "",
        related=related,
    )


def _name_conflicts(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    taken = {c.name: c for c in workload.containers}
    for container in (*fragment.init_containers, *fragment.containers):
        other = taken.get(container["name"])
        if other is not None:
            yield _conflict(
                "container-conflict",
                f"the pod has a container {container['name']} that sidecarctl did not add",
                workload,
                (*other.path, "name"),
                "give the sidecar another instance name with --as NAME",
                other,
            )


def _port_conflicts(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    """Containers of a pod share one network namespace. Ordinary init containers are done before the others start."""
    taken: dict[tuple[Any, str], tuple[Container, int]] = {}
    for container in workload.containers:
        if container.role in ("app", "classic", "sidecar"):
            for index, port in enumerate(as_list(container.value.get("ports"))):
                taken.setdefault(_port_of(as_mapping(port)), (container, index))
    for new in fragment.containers:
        for port in as_list(new.get("ports")):
            found = taken.get(_port_of(as_mapping(port)))
            if found is not None and port.get("containerPort") is not None:
                other, index = found
                yield _conflict(
                    "port-conflict",
                    f"port {port['containerPort']}/{port.get('protocol', 'TCP')} of the sidecar {new['name']} "
                    f"is already used by {other.name}",
                    workload,
                    (*other.path, "ports", index),
                    "give the sidecar another port with --set",
                    other,
                    why="the containers of a pod share one network namespace: the second to bind the port fails",
                )


def _port_of(port: Mapping[str, Any]) -> tuple[Any, str]:
    return port.get("containerPort"), str(port.get("protocol", "TCP"))
