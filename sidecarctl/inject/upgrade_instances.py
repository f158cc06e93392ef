"""Upgrade the instances that a document has, to the newest or a given version of their sidecars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecarctl.catalog.catalog import Catalog, version_order
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import ParameterChanges, Request
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.document import (
    DocumentResult,
    RepairOptions,
    add_sidecar,
    find_unusable_reason,
    have_equal_values,
    number_workloads,
)
from sidecarctl.inject.document_addition import DocumentStep, check_shared_companions, repair_chains, run_steps
from sidecarctl.inject.merge import FAIL
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance
from sidecarctl.record.paths import record_path
from sidecarctl.yamltext.stream import Document

NEWER_RULE = "newer-than-library"
LOST_RULE = "sidecar-not-in-library"


@dataclass(frozen=True)
class UpgradeRequest:
    """Which instances to upgrade, and how.

    versions  the version by instance or sidecar name, "" for the newest; empty for all instances
    changes   changes of recorded parameters by sidecar
    """

    catalog: Catalog
    versions: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, ParameterChanges] = field(default_factory=dict)
    on_conflict: str = FAIL

    def selects(self, instance: Instance) -> bool:
        """Return True if the instance is to be upgraded."""
        return not self.versions or instance.name in self.versions or instance.sidecar in self.versions

    def version(self, instance: Instance) -> str:
        """Return the requested version of an instance, "" for the newest."""
        return self.versions.get(instance.name, self.versions.get(instance.sidecar, ""))


def upgrade_instances(
    document: Document,
    companions: Sequence[Document],
    wanted: UpgradeRequest,
    kube_version: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
    workloads_filter: WorkloadFilter = EVERY_WORKLOAD,
) -> DocumentResult:
    """Upgrade the selected instances of every workload of a document.

    Raises UsageError for a version that the library does not have, and for a parameter that the new version does not have.
    """
    current = DocumentResult((document, *companions))
    findings: list[Finding] = []
    groups: dict[tuple[str, str, str], list[int]] = {}
    for number, workload in number_workloads(document, kinds):
        if not workloads_filter.selects(workload) or find_unusable_reason(workload):
            continue
        for instance in records.read(workload).instances.values():
            if wanted.selects(instance):
                sidecar, finding = _find_sidecar(wanted, workload, instance)
                if sidecar is not None:
                    groups.setdefault((instance.name, sidecar.name, sidecar.version), []).append(number)
                findings += [finding] if finding else []

    def step(request: Request, numbers: list[int]) -> DocumentStep:
        return lambda current: add_sidecar(current, request, kube_version, kinds, following, frozenset(numbers))

    requests = [
        _make_request(wanted, wanted.catalog.find(f"{sidecar}@{version}"), name) for name, sidecar, version in groups
    ]
    current = run_steps(current, [step(*each) for each in zip(requests, groups.values())])
    options = RepairOptions.of(requests, kube_version, kinds)
    current = repair_chains(current, (document, *companions), options, following)
    check_shared_companions(current, document, kinds)
    if have_equal_values((document, *companions), current.documents):
        current = replace(current, documents=(document, *companions))
    return replace(current, findings=tuple(findings))


def _find_sidecar(
    wanted: UpgradeRequest, workload: Workload, instance: Instance
) -> tuple[Sidecar | None, Finding | None]:
    """Return the version to upgrade to, and what to report: no sidecar, or no newer version."""
    version = wanted.version(instance)
    try:
        sidecar = wanted.catalog.find(f"{instance.sidecar}@{version}" if version else instance.sidecar)
    except UsageError as error:
        if wanted.versions:
            raise
        return None, _finding(LOST_RULE, workload, instance, error.message, "name its library with --library")
    if not version and _is_newer(instance.version, sidecar.version):
        message = f"{instance.sidecar} {instance.version} is newer than the library, which has {sidecar.version}"
        hint = f"to downgrade, use `sidecarctl upgrade {instance.sidecar}@{sidecar.version}`"
        return None, _finding(NEWER_RULE, workload, instance, message, hint)
    return sidecar, None


def _is_newer(one: str, two: str) -> bool:
    try:
        return version_order(one) > version_order(two)
    except (ValueError, TypeError):  # an invalid version in an edited record
        return False


def _finding(rule: str, workload: Workload, instance: Instance, message: str, hint: str) -> Finding:
    return Finding(
        rule,
        f"{instance.name} is not upgraded: {message}",
        Severity.WARNING,
        record_path(workload),
        help=hint,
        workload=workload.label,
    )


def _make_request(wanted: UpgradeRequest, sidecar: Sidecar, name: str) -> Request:
    # The parameters of an upgrade come from the record; these are never used.
    lenient = replace(sidecar, parameters={**sidecar.parameters, "required": []})
    return Request(
        sidecar,
        resolve(lenient, {}),
        name,
        changes=wanted.changes.get(sidecar.name, ParameterChanges()),
        on_conflict=wanted.on_conflict,
        catalog=wanted.catalog,
    )
