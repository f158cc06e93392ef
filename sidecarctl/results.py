"""Results: findings, changes, and statuses as plain data, which every report format renders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from sidecarctl.findings import Finding, Ignored, PathTuple, Severity
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern

# What `next steps` of a sidecar in front of the app begin with, unless the run has the Service.
SERVICE_STEP = "Set the Service's targetPort to"
CREATE_STEP = "Create the "
ACTIONS = ("added", "updated", "removed", "unchanged", "skipped")
ROLE_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "app": "app",
        "init": "init",
        "sidecar": "native sidecar",
        "classic": "classic sidecar",
        "ephemeral": "ephemeral",
    }
)
_PLAIN_KEY = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class RuleCard:
    """The description of a rule in a report. `what` is one sentence; `why` and `fix` may be empty."""

    name: str
    severity: Severity
    what: str
    layer: str = ""
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class PodFacts:
    """A pod as the scheduler sees it: effective requests and limits ("cpu": "150m"), and the QoS class."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    qos: str = ""


class _Absent:
    """The value of an absent field."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"  # the same object after it came from a worker


ABSENT = _Absent()


@dataclass(frozen=True)
class FieldChange:
    """A field with its old or expected value and its new or actual value. A value may be ABSENT."""

    path: str
    before: Any
    after: Any


def create_step(kind: str, name: str) -> str:
    """Return what the next step of an object that must exist in the cluster begins with, unless the run has the object."""
    return f"{CREATE_STEP}{kind} {name}:"


@dataclass(frozen=True)
class InstanceChange:
    """The change of one instance.

    action    one of ACTIONS
    name      the instance name
    sidecar   the name of its sidecar
    version   the new version, or the removed one
    previous  the version that an update replaced
    mode      native | classic | init
    parts     what it consists of: "container logger", "mount /var/log/app in web"
    reason    why it was skipped, or what changed
    next_steps  what the user or the app must do after it was added
    parameters, fields  what an update changes: recorded parameters, and fields of the manifest
    changelog  the library's changes between the two versions, newest first: (version, text)
    companions  the new ones: (kind, name, namespace)
    """

    action: str
    name: str
    sidecar: str = ""
    version: str = ""
    previous: str = ""
    mode: str = ""
    parts: tuple[str, ...] = ()
    reason: str = ""
    next_steps: str = ""
    parameters: tuple[FieldChange, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    changelog: tuple[tuple[str, str], ...] = ()
    companions: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class WorkloadChange:
    """The changes of one workload.

    line      its first line in the file, from 1
    skipped   why the workload was skipped, else empty
    replicas  the number of its pods, None if unknown
    cost      what the change adds to the requests of all replicas ("cpu": "150m")
    """

    kind: str
    name: str
    namespace: str = ""
    file: str = ""
    line: int = 1
    instances: tuple[InstanceChange, ...] = ()
    skipped: str = ""
    before: PodFacts | None = None
    after: PodFacts | None = None
    replicas: int | None = None
    cost: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`Deployment/web` or `Deployment/prod/web`, as findings name their workload."""
        name = self.name or "(no name)"
        return f"{self.kind}/{self.namespace}/{name}" if self.namespace else f"{self.kind}/{name}"

    @property
    def changed(self) -> bool:
        """True if an instance was added, updated, or removed."""
        return any(instance.action in ("added", "updated", "removed") for instance in self.instances)


@dataclass(frozen=True)
class Retargeted:
    """A port in an object around a pod that a run changed; `before` or `after` None: the field is not set.

    action  retargeted, or restored: back to the app. recorded: only the record of the pod changes, `before` and `after` are
            the objects that it names with their ports
    """

    action: str
    label: str
    field: str
    before: int | str | None
    after: int | str | None
    file: str = ""
    line: int = 1


@dataclass(frozen=True)
class Report:
    """The result of a run, for every format.

    files     the files that were read, by the names that findings use
    root      the absolute directory that paths are relative to; "" keeps paths unchanged
    fail_on   the minimum severity that makes the command fail, None if none does
    fixed     the number of fixed findings, None if fixing was not requested
    rules     the rules of the findings, and possibly others
    retargeted  ports in objects around the pods that changed
    """

    version: str
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    changes: tuple[WorkloadChange, ...] = ()
    files: tuple[str, ...] = ()
    rules: tuple[RuleCard, ...] = ()
    kube_version: str = ""
    root: str = ""
    fail_on: Severity | None = Severity.ERROR
    fixed: int | None = None
    retargeted: tuple[Retargeted, ...] = ()

    @property
    def fixable(self) -> int:
        """The number of findings with a safe fix."""
        return sum(one.fixable for one in self.findings)

    def fails(self, finding: Finding) -> bool:
        """Return True if the finding makes the command fail."""
        return self.fail_on is not None and finding.severity.rank <= self.fail_on.rank


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by file, line, column, and rule; findings without a place come last. The order is total."""
    return sorted(findings, key=sort_key)


def sort_key(finding: Finding) -> tuple[object, ...]:
    """Return the sort key of a finding."""
    place = finding.place
    where = (0, place.file, place.line, place.column) if place else (1, finding.source, 0, 0)
    whom = (finding.workload, finding.container, field_text(finding.path))
    return (*where, finding.rule, *whom, finding.message)


def count_by_severity(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Count findings by severity, worst first, including severities without findings."""
    totals = dict.fromkeys(Severity, 0)
    for finding in findings:
        totals[finding.severity] += 1
    return totals


def field_text(path: PathTuple) -> str:
    """Format a path: `spec.ports[0]`, `metadata.labels["a.b/c"]`. Different paths have different texts."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def describe_subject(finding: Finding) -> str:
    """Return the object of a finding: `Deployment/web, container logger (native sidecar)`, empty if it has none."""
    if not finding.container:
        return finding.workload
    role = ROLE_TEXT.get(finding.role, finding.role)
    container = f"container {finding.container}" + (f" ({role})" if role else "")
    return f"{finding.workload}, {container}" if finding.workload else container


def plural(number: int, noun: str, several: str = "") -> str:
    """Return `1 file`, `2 files`; `several` is the plural of a noun that does not take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or f'{noun}s'}"


@dataclass(frozen=True)
class InstanceStatus:
    """The status of one instance in a workload.

    by            the composition that added it, empty for the command line
    available     a later version in the library, else empty
    missing       it is requested, but the workload does not have it
    unknown       edits cannot be detected; `note` gives the reason
    edited        it was edited, but the fields cannot be listed; `note` gives the reason
    edits         edited fields: before is the added value, after the current one
    upgrade       fields that an upgrade to `available`, or to the latest version if its own is gone, would change
    kube_version  the Kubernetes version for which it is in sync, if that is not the requested one
    note          why edits or the upgrade are unknown
    """

    name: str
    sidecar: str
    version: str = ""
    mode: str = ""
    by: str = ""
    available: str = ""
    missing: bool = False
    unknown: bool = False
    edited: bool = False
    edits: tuple[FieldChange, ...] = ()
    upgrade: tuple[FieldChange, ...] = ()
    kube_version: str = ""
    note: str = ""

    @property
    def in_sync(self) -> bool:
        """True if it is neither missing nor edited."""
        return not self.missing and not self.edits and not self.edited

    @property
    def state(self) -> str:
        """Its state for people: missing, edited, unknown, outdated, or in sync."""
        if self.missing:
            return "missing"
        if self.edits:
            return f"edited ({plural(len(self.edits), 'field')})"
        if self.edited:
            return "edited"
        if self.unknown:
            return "unknown"
        if self.available or self.upgrade:
            return "outdated"
        return f"in sync (Kubernetes {self.kube_version})" if self.kube_version else "in sync"


@dataclass(frozen=True)
class WorkloadStatus:
    """The status of a workload and its instances.

    line        its first line in the file, from 1
    unreadable  its record is invalid; `note` gives the reason
    """

    label: str
    file: str
    line: int
    instances: tuple[InstanceStatus, ...] = field(default=())
    note: str = ""
    unreadable: bool = False
