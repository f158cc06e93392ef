"""Add a sidecar to a manifest with the real pipeline, and find what it added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request
from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Severity
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.kube import versions
from sidecarctl.kube.workload import Workload, as_list, as_mapping, workloads
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance
from sidecarctl.yamltext.stream import split


@dataclass(frozen=True)
class Trial:
    """A sidecar with user parameters, and a manifest to add it to."""

    sidecar: Sidecar
    text: str
    given: Mapping[str, object] = field(default_factory=dict)
    file: str = "-"
    kube_version: str = versions.NEWEST
    mode: str = ""
    instance: str = ""
    containers: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial, or the error that stopped it."""

    trial: Trial
    result: Result | None = None
    error: SidecarctlError | None = None

    @property
    def text(self) -> str | None:
        """The manifest with the sidecar, or None if there were errors."""
        return None if self.result is None or self.result.failed else self.result.text

    @property
    def errors(self) -> str:
        """The errors, one per line; empty on success."""
        if self.error is not None:
            return self.error.message
        findings = self.result.findings if self.result else ()
        return "\n".join(f"{f.rule}: {f.message}" for f in findings if f.severity is Severity.ERROR)


def run_trial(trial: Trial) -> TrialResult:
    """Add a sidecar to a manifest. Errors of the user or the library are part of the result; bugs are raised."""
    try:
        parameters = resolve(trial.sidecar, trial.given, trial.where)
        request = Request(trial.sidecar, parameters, trial.instance, trial.mode, trial.containers)
        options = Options(versions.parse_version(trial.kube_version))
        return TrialResult(trial, pipeline.add(trial.text, [request], options, trial.file))
    except SidecarctlError as error:
        if error.exit_code == 4:
            raise
        return TrialResult(trial, error=error)


@dataclass(frozen=True)
class InjectedParts:
    """What one instance has in one workload: its containers with their roles, and everything else that it added.

    `mounts` and `env` are by app container; `pod` has pod-level settings by path in the pod spec.
    """

    workload: Workload
    instance: Instance
    containers: tuple[tuple[str, dict[str, Any]], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    env: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    pod: Mapping[str, Any] = field(default_factory=dict)
    documents: tuple[dict[str, Any], ...] = ()


def find_injected_parts(text: str, name: str) -> Iterator[InjectedParts]:
    """Yield what an instance has in each workload of a text."""
    documents = [document.value for document in split(text)]
    for value in documents:
        for workload in workloads(value):
            instance = records.read(workload).instances.get(name)
            if instance is not None:
                yield _collect_parts(workload, instance, documents)


def _collect_parts(workload: Workload, instance: Instance, documents: list[object]) -> InjectedParts:
    added, pod, metadata = instance.added, workload.pod, workload.metadata
    own_names = {*added.containers, *added.init_containers}
    apps = {container.name: container.value for container in workload.containers}
    return InjectedParts(
        workload,
        instance,
        tuple((c.role, c.value) for c in workload.containers if c.name in own_names),
        tuple(v for v in as_list(pod.get("volumes")) if as_mapping(v).get("name") in added.volumes),
        {
            name: _select_items(apps.get(name), "volumeMounts", "mountPath", keys)
            for name, keys in added.volume_mounts.items()
        },
        {name: _select_items(apps.get(name), "env", "name", keys) for name, keys in added.env.items()},
        {key: as_mapping(metadata.get("annotations")).get(key, "") for key in added.annotations},
        {key: as_mapping(metadata.get("labels")).get(key, "") for key in added.labels},
        {path: _value_at(pod, path) for path in added.pod},
        tuple(value for value in documents if isinstance(value, dict) and _label(value) in added.documents),
    )


def _select_items(container: object, field_: str, key: str, names: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(item for item in as_list(as_mapping(container).get(field_)) if as_mapping(item).get(key) in names)


def _value_at(pod: Mapping[str, Any], path: str) -> Any:
    value: Any = pod
    for step in path.split("/"):
        value = as_mapping(value).get(step)
    return value


def _label(document: Mapping[str, Any]) -> str:
    return f"{document.get('kind')}/{as_mapping(document.get('metadata')).get('name')}"
