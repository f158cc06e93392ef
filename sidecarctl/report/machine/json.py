"""The JSON report (`schemas/report.schema.json`), built field by field, independent of the model."""

from __future__ import annotations

from sidecarctl.findings import AutoFix, Finding, Ignored, Place, Related, Severity
from sidecarctl.report.json_text import to_json
from sidecarctl.report.machine import with_fingerprints
from sidecarctl.results import (
    ABSENT,
    FieldChange,
    InstanceChange,
    PodFacts,
    Report,
    WorkloadChange,
    count_by_severity,
    field_text,
    sort_findings,
    sort_key,
)

VERSION = 1


def render_json(report: Report) -> str:
    """Return the report as ASCII JSON. Lines and columns start at 1, ends are exclusive."""
    return to_json(document(report))


def document(report: Report) -> dict[str, object]:
    """Return the report as plain data; its long lists are iterators, as `to_json` reads them."""
    counted = count_by_severity(report.findings)
    findings = with_fingerprints(report, sort_findings(report.findings))
    ignored = sorted(report.ignored, key=lambda one: sort_key(one.finding))
    return {
        "version": VERSION,
        "tool": {"name": "sidecarctl", "version": report.version},
        "kubeVersion": report.kube_version or None,
        "files": list(report.files),
        "summary": {
            "errors": counted[Severity.ERROR],
            "warnings": counted[Severity.WARNING],
            "infos": counted[Severity.INFO],
            "ignored": len(report.ignored),
            "fixed": report.fixed or 0,
            "fixable": report.fixable,
            "workloads": len(report.changes),
            "changed": sum(change.changed for change in report.changes),
        },
        "findings": (_finding(finding) | {"fingerprint": fingerprint} for finding, fingerprint in findings),
        "ignored": map(_ignored, ignored),
        "changes": map(_change, report.changes),
        "retargeted": [vars(one) for one in report.retargeted],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "why": finding.why,
        "help": finding.help,
        "place": _place(finding.place),
        "path": list(finding.path),
        "field": field_text(finding.path),
        "workload": finding.workload or None,
        "container": finding.container or None,
        "role": finding.role or None,
        "source": finding.source,
        "related": [_related(related) for related in finding.related],
        "fix": _fix(finding.autofix),
    }


def _fix(autofix: AutoFix | None) -> dict[str, object] | None:
    if autofix is None:
        return None
    return {"description": autofix.description or None, "refused": autofix.refused or None}


def _ignored(ignored: Ignored) -> dict[str, object]:
    return _finding(ignored.finding) | {"reason": ignored.reason}


def _related(related: Related) -> dict[str, object]:
    return {
        "label": related.label,
        "place": _place(related.place),
        "path": list(related.path),
        "field": field_text(related.path),
    }


def _place(place: Place | None) -> dict[str, object] | None:
    if place is None:
        return None
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def _change(change: WorkloadChange) -> dict[str, object]:
    return {
        "kind": change.kind,
        "name": change.name,
        "namespace": change.namespace or None,
        "file": change.file,
        "line": change.line,
        "changed": change.changed,
        "skipped": change.skipped or None,
        "instances": [_instance(instance) for instance in change.instances],
        "replicas": change.replicas,
        "before": _facts(change.before),
        "after": _facts(change.after),
        "cost": dict(change.cost),
    }


def _instance(instance: InstanceChange) -> dict[str, object]:
    return {
        "action": instance.action,
        "name": instance.name,
        "sidecar": instance.sidecar or None,
        "version": instance.version or None,
        "previousVersion": instance.previous or None,
        "mode": instance.mode or None,
        "parts": list(instance.parts),
        "reason": instance.reason or None,
        "nextSteps": instance.next_steps or None,
        "parameters": [_field_change(change) for change in instance.parameters],
        "fields": [_field_change(change) for change in instance.fields],
        "changelog": [{"version": version, "text": text} for version, text in instance.changelog],
    }


def _field_change(change: FieldChange) -> dict[str, object]:
    """Return a field with its values; a value that is absent is left out."""
    values = (("before", change.before), ("after", change.after))
    return {"path": change.path, **{key: value for key, value in values if value is not ABSENT}}


def _facts(facts: PodFacts | None) -> dict[str, object] | None:
    if facts is None:
        return None
    return {"requests": dict(facts.requests), "limits": dict(facts.limits), "qos": facts.qos or None}
