"""The edits of one sidecar in one workload, and what they add, for the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple
from sidecarctl.inject import placement
from sidecarctl.inject.companions import CONFIG_HASH_KINDS, hash_config
from sidecarctl.inject.conflicts import FittedFragment
from sidecarctl.inject.pod_settings import PodSettings
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.record.annotation import Added, Record, config_hash_annotation
from sidecarctl.yamltext.edits import Edit, Insert

_AFTER_ALL = 1 << 30  # the index of a classic sidecar among the init containers


class InstanceEdits:
    """Collect the edits of one instance and what they add, for the record."""

    def __init__(self, workload: Workload, request: Request, record: Record, mode: str) -> None:
        self.workload = workload
        self.request = request
        self.record = record
        self.mode = mode
        self.edits: list[Edit] = []
        self.findings: list[Finding] = []
        self._added: dict[str, Any] = {"volume_mounts": {}, "env": {}}

    def added(self) -> Added:
        """Return what the edits add."""
        parts: dict[str, Any] = {k: v if isinstance(v, dict) else tuple(v) for k, v in self._added.items()}
        return Added(**parts)

    def add_all(
        self, fitted: FittedFragment, targets: tuple[Container, ...], documents: tuple[dict[str, Any], ...]
    ) -> None:
        """Collect the edits of a fitted fragment."""
        # New keys at one place keep this order, which is the order in which people write these fields.
        fragment = fitted.fragment
        self._metadata("labels", fragment.labels)
        self._metadata("annotations", {**fragment.annotations, **build_config_hashes(self.request.instance, documents)})
        settings = PodSettings(self.workload, self.record, self.request.instance)
        settings.collect(fragment)
        self.edits += settings.edits
        self.findings += settings.findings
        self._added["pod"] = settings.added
        self._containers(fitted, targets)
        self._list_items("volumes", fragment.volumes, (*self.workload.pod_path, "volumes"))
        for target in targets:
            self._container_items(target, "env", fitted.env.get(target.name, ()))
            self._join_variables(target, fragment.env)
            self._container_items(target, "volumeMounts", fitted.mounts.get(target.name, ()))
        if documents:
            self._added["documents"] = [
                f"{d.get('kind')}/{as_mapping(d.get('metadata')).get('name')}" for d in documents
            ]

    def _containers(self, fitted: FittedFragment, targets: tuple[Container, ...]) -> None:
        fragment = fitted.fragment
        before, own = list(fragment.init_containers), list(fragment.containers)
        if self.mode == "native":
            before += [make_native(container) for container in own]
        elif self.mode == "init":
            before += own
        path = (*self.workload.pod_path, "initContainers")
        if before:
            index = self._container_index("initContainers")
            self._insert(path, index, before)
            self._added["init_containers"] = [container["name"] for container in before]
            self._check_targets(targets, index)
        if self.mode == "classic" and own:
            self._list_items("containers", own, (*self.workload.pod_path, "containers"))
            self._check_targets(targets, _AFTER_ALL)

    def _container_index(self, field_: str) -> int:
        return placement.find_container_index(self.workload, field_, self.request, self.record, self.mode)

    def _check_targets(self, targets: tuple[Container, ...], index: int) -> None:
        """Report targets among the init containers that start before the sidecar, which is inserted at `index`."""
        for target in targets:
            if target.path[-2] == "initContainers" and int(target.path[-1]) < index:
                native = index < _AFTER_ALL
                self.findings.append(
                    Finding(
                        "target-starts-first",
                        f'init container "{target.name}" starts before the sidecar, so it cannot use it',
                        path=(*target.path, "name"),
                        help=f"put the sidecar before it: --position before={target.name}"
                        if native
                        else "use a native sidecar (Kubernetes 1.29 or later), or name app containers only",
                        workload=self.workload.label,
                        container=target.name,
                        role=target.role,
                    )
                )

    def _insert(self, path: PathTuple, index: int, items: Any) -> None:
        self.edits += [Insert((*path, index), item, f"sidecar {self.request.instance}") for item in items]

    def _list_items(self, field_: str, items: Any, path: PathTuple) -> None:
        if items:
            if field_ == "containers":
                index = self._container_index(field_)
            else:
                existing = as_list(self.workload.pod.get(field_))
                index = placement.find_end_index(existing, self.record, self.request.instance, field_)
            self._insert(path, index, items)
            self._added[field_] = [item["name"] for item in items]

    def _container_items(self, target: Container, field_: str, items: tuple[Mapping[str, Any], ...]) -> None:
        if items:
            existing = as_list(target.value.get(field_))
            index = placement.find_end_index(existing, self.record, self.request.instance, field_, target.name)
            self._insert((*target.path, field_), index, items)
            key = "volume_mounts" if field_ == "volumeMounts" else "env"
            self._added[key][target.name] = tuple(placement.get_item_key(field_, item) for item in items)

    def _join_variables(self, target: Container, wanted: tuple[Mapping[str, Any], ...]) -> None:
        """Record variables that another instance added: they belong to both, and are removed with the last of them."""
        shared = {name for other in self._others() for name in other.env.get(target.name, ())}
        own = self._added["env"].get(target.name, ())
        names = tuple(each["name"] for each in wanted if each["name"] in shared and each["name"] not in own)
        if names:
            self._added["env"][target.name] = (*own, *names)

    def _others(self) -> list[Added]:
        return [each.added for each in self.record.instances.values() if each.name != self.request.instance]

    def _metadata(self, field_: str, wanted: Mapping[str, str]) -> None:
        """Add annotations or labels. An equal value is kept, a different one is a conflict.

        One that another instance added belongs to both, and is removed with the last of them.
        """
        existing = as_mapping(self.workload.metadata.get(field_))
        added = []
        for key, value in wanted.items():
            path = (*self.workload.template_path, "metadata", field_, key)
            if key not in existing:
                self.edits.append(Insert(path, value, f"sidecar {self.request.instance}"))
                added.append(key)
            elif existing[key] == value:
                added += [key] if any(key in getattr(other, field_) for other in self._others()) else []
            else:
                word = field_[:-1]
                self.findings.append(
                    Finding(
                        f"{word}-conflict",
                        f'{word} {key} is already "{existing[key]}", but the sidecar needs "{value}"',
                        path=path,
                        help=self._conflict_help(word, key, value),
                        workload=self.workload.label,
                    )
                )
        if added:
            self._added[field_] = added

    def _conflict_help(self, word: str, key: str, value: str) -> str:
        # Prometheus scrapes one port of a pod by its annotations. A sidecar with metrics says how else it is found.
        choices = self.request.sidecar.parameters.get("properties", {}).get("scrape", {}).get("enum", ())
        others = [each for each in choices if each != "annotations"] if key.startswith("prometheus.io/") else []
        remedy = f"remove the {word}, or set it to {value}"
        return f"set the parameter scrape to {' or '.join(others)}; or {remedy}" if others else remedy


def make_native(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container as a native sidecar: with `restartPolicy: Always` after its image."""
    out: dict[str, Any] = {}
    for key, value in container.items():
        out[key] = value
        if key == "image":
            out["restartPolicy"] = "Always"
    return {**out, "restartPolicy": "Always"}


def build_config_hashes(instance: str, documents: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """Return the pod annotation with the hash of the companions, so that a changed configuration restarts the pods."""
    config = [document for document in documents if document.get("kind") in CONFIG_HASH_KINDS]
    return {config_hash_annotation(instance): hash_config(config)} if config else {}
