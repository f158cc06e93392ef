"""Sidecars that were pasted by hand into several workloads: found by image and shape, told from the app by their place.

Knows manifests and what they have in common; writes no file. What only one workload has is told, not taken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sidecarctl.inject import record as records
from sidecarctl.inject.record import RecordError
from sidecarctl.inject.targets import choose_targets
from sidecarctl.kube import names
from sidecarctl.kube.kinds import DEFAULT_KINDS, has_no_workload
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping, workloads
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import split

_MODES: Mapping[str, str] = {"sidecar": "native", "app": "classic"}


@dataclass(frozen=True, eq=False)
class Found:
    """A container that may be a sidecar, in its workload: what of the pod goes with it, and what the app gets."""

    file: str
    workload: Workload
    container: Container
    targets: tuple[str, ...] = ()
    volumes: tuple[Any, ...] = ()
    mounts: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> str:
        """The image as it is written."""
        return str(self.container.value.get("image", ""))

    @property
    def mode(self) -> str:
        """native or classic."""
        return _MODES[self.container.role]

    @property
    def shape(self) -> dict[str, Any]:
        """The container without its name and what the mode sets."""
        return {k: v for k, v in self.container.value.items() if k not in ("name", "restartPolicy")}

    @property
    def late(self) -> bool:
        """True for a native sidecar behind an ordinary init container."""
        path = self.container.path
        before = as_list(self.workload.pod.get("initContainers"))[: int(path[-1])] if path[-2] != "containers" else []
        return any(as_mapping(c).get("restartPolicy") != "Always" for c in before)


@dataclass(frozen=True)
class Group:
    """One sidecar: its name in the library, the member that the template is, and every place where it stands."""

    name: str
    base: Found
    members: tuple[Found, ...]

    @property
    def varying(self) -> tuple[str, ...]:
        """Which lists of the fragment are not the same everywhere: `volumes`, `mounts`."""
        return tuple(
            what
            for what in ("volumes", "mounts")
            if not all(identical(list(getattr(m, what)), list(getattr(self.base, what))) for m in self.members)
        )

    def parameters(self, member: Found) -> dict[str, Any]:
        """The parameters with which the template becomes what stands in a member's workload."""
        given: dict[str, Any] = {}
        if member.image != self.base.image:
            given["image"] = member.image
        patch = merge_patch({**self.base.shape, "image": ""}, {**member.shape, "image": ""})
        if patch:
            given["patch"] = patch
        for what in self.varying:
            value, usual = list(getattr(member, what)), list(getattr(self.base, what))
            given.update({} if identical(value, usual) else {what: value})
        return given


@dataclass(frozen=True)
class Discovery:
    """What a folder holds: groups to take over, and single containers beside an app that are left alone."""

    groups: tuple[Group, ...] = ()
    single: tuple[Found, ...] = ()
    owned: int = 0


@dataclass
class _Seen:
    candidates: list[Found] = field(default_factory=list)
    leading: list[Found] = field(default_factory=list)
    owned: int = 0


def discover(texts: Iterable[tuple[str, str]]) -> Discovery:
    """Look through (file, text) pairs. Raises InputError for text that can't be read."""
    seen = _Seen()
    for file, text in texts:
        for workload in _workloads(text, file):
            _look(workload, file, seen)
    by_image: dict[tuple[str, str], list[Found]] = {}
    for one in seen.candidates:
        by_image.setdefault(_key(one), []).append(one)
    # In some of its workloads the sidecar may stand before the app.
    for one in seen.leading:
        group = by_image.get(_key(one), [])
        if any(other.container.name == one.container.name for other in group):
            group.append(one)
    groups: list[Group] = []
    single: list[Found] = []
    for members in by_image.values():
        if len({id(member.workload) for member in members}) < 2:
            single += members
            continue
        groups.append(_group([_with_parts(member) for member in members], [group.name for group in groups]))
    return Discovery(tuple(groups), tuple(single), seen.owned)


def _workloads(text: str, file: str) -> Iterator[Workload]:
    for document in split(text, file):
        if not has_no_workload(document.text, DEFAULT_KINDS):
            yield from workloads(document.value)


def _look(workload: Workload, file: str, seen: _Seen) -> None:
    try:
        record = records.read(workload)
    except RecordError:
        return
    seen.owned += bool(record.instances)
    owned = {n for i in record.instances.values() for n in (*i.added.containers, *i.added.init_containers)}
    apps = [c for c in workload.containers if c.role == "app"]
    first = choose_targets(workload, (), "default")
    for container in workload.containers:
        if container.role not in _MODES or container.name in owned or not container.name:
            continue
        found = Found(file, workload, container)
        if container.role == "sidecar" or container not in first:
            seen.candidates.append(found)
        elif len(apps) > 1:
            seen.leading.append(found)


def _key(found: Found) -> tuple[str, str]:
    return names.parse_image(found.image).repository, found.mode


def _group(members: list[Found], taken: Sequence[str]) -> Group:
    name = Counter(member.container.name for member in members).most_common(1)[0][0]
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    usual = Counter(_text(member) for member in members).most_common(1)[0][0]
    base = next(member for member in members if _text(member) == usual)
    return Group(free, base, tuple(members))


def _text(member: Found) -> str:
    parts = (member.shape, list(member.volumes), list(member.mounts), member.late)
    return json.dumps(parts, sort_keys=True, default=str)


def _with_parts(found: Found) -> Found:
    """The volumes that go with the container, and the app's mounts of them: an emptyDir that only both use."""
    own, pod = found.container, found.workload.pod
    # The sidecar itself is not the app, wherever it stands.
    seen = replace(found.workload, classic=found.workload.classic | {own.name})
    others = [c for c in seen.containers if c.path != own.path]
    default = choose_targets(seen, (), "default")
    apps = [c for c in others if c.role == "app"]
    used = {str(as_mapping(m).get("name")) for m in as_list(own.value.get("volumeMounts"))}
    volumes: list[Any] = []
    shared: dict[str, list[Any]] = {}
    notes: list[str] = []
    for volume in as_list(pod.get("volumes")):
        name = as_mapping(volume).get("name")
        if name not in used:
            continue
        theirs = {c.name: mounts for c in others if (mounts := _mounts_of(c, str(name)))}
        if theirs and ("emptyDir" not in volume or not set(theirs) <= {c.name for c in apps}):
            notes.append(f"the volume {name} stays the app's")
            continue
        volumes.append(volume)
        for container, mounts in theirs.items():
            shared.setdefault(container, []).extend(mounts)
    lists = list(shared.values())
    if any(not identical(lists[0], other) for other in lists[1:]):
        notes.append("its containers mount what they share in different ways: those mounts and volumes stay the app's")
        kept = {m.get("name") for mounts in lists for m in mounts}
        volumes, shared = [v for v in volumes if v["name"] not in kept], {}
    targets = tuple(shared) if shared and set(shared) != {c.name for c in default} else ()
    given = tuple(next(iter(shared.values()), []))
    return replace(found, targets=targets, volumes=tuple(volumes), mounts=given, notes=tuple(notes))


def _mounts_of(container: Container, volume: str) -> list[Any]:
    return [m for m in as_list(container.value.get("volumeMounts")) if as_mapping(m).get("name") == volume]


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7396) that makes one mapping of another."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = merge_patch(old, value)
            patch.update({key: inner} if inner else {})
        elif key not in before or not identical(old, value):
            patch[key] = value
    return patch
