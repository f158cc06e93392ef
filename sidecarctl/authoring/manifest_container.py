"""Find the container of a manifest that becomes a sidecar."""

from __future__ import annotations

from dataclasses import dataclass

from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.findings import Severity
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.versions import NEWEST
from sidecarctl.kube.workload import Container, Workload, workloads
from sidecarctl.validate.check_document import check_workloads
from sidecarctl.yamltext.stream import Document, split


@dataclass(frozen=True)
class ManifestContainer:
    """A container with its workload and document, all documents of the manifest, and notes for the user."""

    documents: tuple[Document, ...]
    document: Document
    workload: Workload
    container: Container
    notes: tuple[str, ...] = ()


def find_container(text: str, file: str, name: str) -> ManifestContainer:
    """Return the first container with a name.

    Raise InputError for text that is unreadable or has no workload, and for a pod with fields of a wrong type or without
    required ones; UsageError for an unknown container.
    """
    documents = tuple(split(text, file))
    found = [(d, w, c) for d in documents for w in workloads(d.value) for c in w.containers]
    if not found:
        raise InputError(
            f"{file} has no workload with containers", hint="use --from-manifest with a manifest that has one"
        )
    chosen = [each for each in found if each[2].name == name and each[2].role != "ephemeral"]
    if not chosen:
        names = list(dict.fromkeys(each[2].name for each in found))
        hint = did_you_mean(name, names) or f"containers: {', '.join(names)}"
        raise UsageError(f'no container "{name}" in {file}', hint=hint)
    document, workload, container = chosen[0]
    _check_pod(document, workload)
    count = len(chosen)
    notes = (f'{count} workloads have container "{name}"; using {workload.label}',) if count > 1 else ()
    return ManifestContainer(documents, document, workload, container, notes)


def _check_pod(document: Document, workload: Workload) -> None:
    """Raise InputError for the first error that the schema of Kubernetes finds in the pod of a workload."""
    inside = workload.template_path
    for finding in check_workloads(document.value, NEWEST, "warn", DEFAULT_KINDS):
        if finding.severity is Severity.ERROR and finding.path[: len(inside)] == inside:
            where = str(document.locate(finding.path, on_key=finding.on_key))
            raise InputError(finding.message, where=where, hint=finding.help)
