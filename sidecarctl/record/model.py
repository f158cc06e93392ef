"""What a record lists: instances, what each added, and the app's mounts that follow from the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from sidecarctl.kube.fronts import Front
from sidecarctl.kube.workload import Workload, as_list
from sidecarctl.lazy_dataclass import dataclass, field

_R = TypeVar("_R")


@dataclass(frozen=True)
class Added:
    """Everything that one instance added.

    containers, init_containers, volumes  names
    volume_mounts, env                    mount paths and variable names by container name
    annotations, labels                   keys
    pod                                   paths below the pod spec
    documents                             companions as `Kind/name`
    """

    containers: tuple[str, ...] = ()
    init_containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    volume_mounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Instance:
    """One sidecar in one workload.

    containers  names or globs of the target containers; empty for the sidecar's own choice
    by          the composition that added it, empty for the command line
    after       sidecars that must start before it, including ones that are added later
    digest      digest of what was written, "" in records of format 1
    keep_qos    requests equal limits, because the pod was Guaranteed
    fronts      app ports that it takes traffic for
    inherited   those of `added.volumes` that a removed instance added; they do not count in the digest
    secrets     paths of secret parameters that were given; their values are not recorded
    """

    name: str
    sidecar: str
    version: str
    mode: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    containers: tuple[str, ...] = ()
    added: Added = Added()
    by: str = ""
    after: tuple[str, ...] = ()
    digest: str = ""
    keep_qos: bool = False
    fronts: tuple[Front, ...] = ()
    inherited: tuple[str, ...] = ()
    secrets: tuple[tuple[str, ...], ...] = ()

    def remember(self, name: str, key: tuple[object, ...], make: Callable[[], _R]) -> _R:
        """Return what follows from the entry and parts of a manifest; made again only if these parts (`key`) differ.

        Each sidecar of a run reads and writes the entries of all others.
        """
        known = self._last.get(name)
        if known is None or known[0] != key:
            known = self._last[name] = (key, make())
        return known[1]

    @cached_property
    def _last(self) -> dict[str, tuple[tuple[object, ...], Any]]:
        return {}

    def waits_for(self, sidecar: str, instance: str) -> bool:
        """Return True if it must start after the given instance of the given sidecar."""
        return sidecar in self.after or instance in self.after


@dataclass(frozen=True)
class Record:
    """The instances of a workload in the order in which they were first added.

    was         former texts of empty values
    retargeted  ports in objects around the pod that were changed: (former text, "" if there was none; written port)
    """

    instances: Mapping[str, Instance] = field(default_factory=dict)
    was: Mapping[str, str] = field(default_factory=dict)
    retargeted: Mapping[str, tuple[str, int | str]] = field(default_factory=dict)

    @property
    def fronts(self) -> tuple[Front, ...]:
        """The fronts of all instances, in the order of the record."""
        return tuple(front for instance in self.instances.values() for front in instance.fronts)

    def rank(self, name: str) -> int:
        """Return the position of an instance in the order; a new one is last."""
        return self._ranks.get(name, len(self.instances))

    @cached_property
    def _ranks(self) -> Mapping[str, int]:
        return {name: rank for rank, name in enumerate(self.instances)}

    @cached_property
    def owners(self) -> Mapping[tuple[str, str, str], str]:
        """The first instance that added each item of a list, by list, container ("" for lists of the pod), and key.

        The key of a mount is its path, of any other item its name: ("volumeMounts", "web", "/logs").
        """
        found: dict[tuple[str, str, str], str] = {}
        for name, instance in self.instances.items():
            added = instance.added
            for items, keys in (
                ("containers", added.containers),
                ("initContainers", added.init_containers),
                ("volumes", added.volumes),
            ):
                for key in keys:
                    found.setdefault((items, "", key), name)
            for items, holders in (("volumeMounts", added.volume_mounts), ("env", added.env)):
                for container, keys in holders.items():
                    for key in keys:
                        found.setdefault((items, container, key), name)
        return found


@dataclass(frozen=True)
class AppMounts:
    """The mounts in the app's containers by volume, as (number in the pod, container, path), and the instances that list
    each (container, path).
    """

    by_volume: Mapping[str, list[tuple[int, str, str]]]
    listed: Mapping[tuple[str, str], set[str]]

    @staticmethod
    def of(workload: Workload, record: Record) -> AppMounts:
        """Return the mounts of a workload with this record."""
        own: set[str] = set()
        listed: dict[tuple[str, str], set[str]] = {}
        for name, each in record.instances.items():
            own.update(each.added.containers, each.added.init_containers)
            for container, paths in each.added.volume_mounts.items():
                for path in paths:
                    listed.setdefault((container, path), set()).add(name)
        found: dict[str, list[tuple[int, str, str]]] = {}
        mounts = (
            (container.name, mount)
            for container in workload.containers
            if container.name not in own and container.role in ("app", "classic")
            for mount in as_list(container.value.get("volumeMounts"))
        )
        for number, (container, mount) in enumerate(mounts):
            if isinstance(mount, dict) and isinstance(volume := mount.get("name"), str):
                found.setdefault(volume, []).append((number, container, str(mount.get("mountPath"))))
        return AppMounts(found, listed)

    def derive(self, instance: str, volumes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the mounts of an instance's volumes by container, without those that other instances list."""
        found: dict[str, tuple[str, ...]] = {}
        for _, container, path in sorted(
            each for name in dict.fromkeys(volumes) for each in self.by_volume.get(name, ())
        ):
            if not self.listed.get((container, path), set()) - {instance}:
                found[container] = (*found.get(container, ()), path)
        return found
