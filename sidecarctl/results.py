"""What a report says, whatever its format: findings, and what changed in which workload. Knows no format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from sidecarctl.findings import Finding, Ignored, PathTuple, Place, Severity
from sidecarctl.lazy_dataclass import dataclass

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
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class RuleCard:
    """What a format says about a rule itself. `what` is one sentence, `why` and `fix` may be empty."""

    name: str
    severity: Severity
    what: str
    layer: str = ""
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class PodFacts:
    """What the scheduler sees of a pod: effective requests and limits ("cpu": "150m"), and the QoS class."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    qos: str = ""


@dataclass(frozen=True)
class InstanceChange:
    """What happened to one instance.

    action    one of ACTIONS
    sidecar   the sidecar's name; name is the instance's
    version   now (or, when removed, until now); previous the one that an update replaced
    mode      native | classic | init
    parts     what it consists of, in words: "container logger", "mount /var/log/app in web"
    reason    why it was skipped, or what changed
    """

    action: str
    name: str
    sidecar: str = ""
    version: str = ""
    previous: str = ""
    mode: str = ""
    parts: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class WorkloadChange:
    """What happened to one workload.

    line      where it begins in the file, from 1
    skipped   why nothing at all was done to it, else empty
    replicas  how many pods it asks for, None where that is not known
    cost      what the change adds to the requests of all replicas together ("cpu": "150m")
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
        """True where the manifest is no longer what it was."""
        return any(instance.action in ("added", "updated", "removed") for instance in self.instances)


@dataclass(frozen=True)
class Report:
    """The result of a run, as every format gets it.

    files     what was looked at, by the names that findings use
    root      the absolute folder that paths are made relative to ("" leaves them)
    fail_on   the mildest severity that fails the run, None when nothing does
    fixed     how many findings were fixed; None where none were to be
    rules     cards of the rules that findings name, at least
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

    @property
    def fixable(self) -> int:
        """How many findings have a safe fix."""
        return sum(one.fixable for one in self.findings)

    def fails(self, finding: Finding) -> bool:
        """True where the finding is bad enough to fail the run."""
        return self.fail_on is not None and finding.severity.rank <= self.fail_on.rank


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by file, line, column and rule; what has no place comes last. The order is total."""
    return sorted(findings, key=sort_key)


def sort_key(finding: Finding) -> tuple[object, ...]:
    """Return what findings are sorted by."""
    place = finding.place
    where = (0, place.file, place.line, place.column) if place else (1, finding.source, 0, 0)
    whom = (finding.workload, finding.container, field_text(finding.path))
    return (*where, finding.rule, *whom, finding.message)


def count_by_severity(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Count findings by severity, worst first; every severity is there."""
    totals = dict.fromkeys(Severity, 0)
    for finding in findings:
        totals[finding.severity] += 1
    return totals


def field_text(path: PathTuple) -> str:
    """Return a path as people write it, unambiguous: `spec.ports[0]`, `metadata.labels["a.b/c"]`."""
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
    """Say whom the finding is about: `Deployment/web, container logger (native sidecar)`, or nothing."""
    if not finding.container:
        return finding.workload
    role = ROLE_TEXT.get(finding.role, finding.role)
    container = f"container {finding.container}" + (f" ({role})" if role else "")
    return f"{finding.workload}, {container}" if finding.workload else container


def plural(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _Absent:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class FieldChange:
    """A field with what it was (or should be) and what it is (or will be). A value may be ABSENT."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class InstanceStatus:
    """One instance in a workload.

    by         the composition that added it, empty for a person
    available  a newer version that the library has, else empty
    missing    wanted, but not there
    unknown    whether somebody edited it can't be told; `note` says why
    edits      fields that differ from what was written: before is what was written, after what stands there
    upgrade    what an upgrade to `available` would change; or to the newest there is, where its own version is gone
    kube_version  the Kubernetes that it is right for, where it is not the one asked about
    note       why nothing can be said about edits or the upgrade
    """

    name: str
    sidecar: str
    version: str = ""
    mode: str = ""
    by: str = ""
    available: str = ""
    missing: bool = False
    unknown: bool = False
    edits: tuple[FieldChange, ...] = ()
    upgrade: tuple[FieldChange, ...] = ()
    kube_version: str = ""
    note: str = ""

    @property
    def sound(self) -> bool:
        """True where it is there, and as it was written."""
        return not self.missing and not self.edits

    @property
    def state(self) -> str:
        """Its state in a few words."""
        if self.missing:
            return "missing"
        if self.edits:
            return plural(len(self.edits), "hand edit")
        if self.unknown:
            return "unknown"
        return f"as written for {self.kube_version}" if self.kube_version else "as written"


@dataclass(frozen=True)
class WorkloadStatus:
    """A workload with its instances; `line` is where it begins in the file, from 1."""

    label: str
    file: str
    line: int
    instances: tuple[InstanceStatus, ...] = field(default=())
    note: str = ""


OUTDATED_RULE = "outdated"
_STATES = {"added": "is missing", "updated": "is not as it would be written", "removed": "is not wanted any more"}


def find_outdated(changes: Iterable[WorkloadChange], help: str) -> Iterator[Finding]:
    """Yield a finding for each sidecar that a change would add, update or remove."""
    for change in changes:
        for one in change.instances:
            if one.action in _STATES:
                name = one.name if one.name == one.sidecar else f"{one.sidecar} as {one.name}"
                yield Finding(
                    OUTDATED_RULE,
                    f"the sidecar {name} {one.version} {_STATES[one.action]}",
                    help=help,
                    workload=change.label,
                    place=Place(change.file, change.line, 1, change.line, 1),
                )
