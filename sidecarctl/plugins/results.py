"""What a run has to say as the results of a KRM function, and for people who see no results. Knows no stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.workload import as_mapping
from sidecarctl.plugins.resource_list import item_index
from sidecarctl.report.model import WorkloadChange, field_text
from sidecarctl.yamltext.stream import Document

Result = dict[str, Any]
_PATH = ("internal.config.kubernetes.io/path", "config.kubernetes.io/path")
_INDEX = ("internal.config.kubernetes.io/index", "config.kubernetes.io/index")


def of_finding(finding: Finding, items: Sequence[Document]) -> Result:
    """Return a finding as a result."""
    item = _item(finding.place.file if finding.place else "", items)
    message = finding.message + (f" ({finding.help})" if finding.help else "")
    about = _reference(item)
    field = {"field": {"path": field_text(finding.path)}} if about and finding.path else {}
    return {
        "message": message,
        "severity": finding.severity.value,
        **about,
        **field,
        **_file(item),
        "tags": {"rule": finding.rule},
    }


def of_change(change: WorkloadChange, items: Sequence[Document]) -> Result | None:
    """Return what happened to a workload as a result, None where nothing did."""
    told = said(change)
    if not told:
        return None
    item = _item(change.file, items)
    return {"message": told, "severity": Severity.INFO.value, **_reference(item), **_file(item)}


def of_error(error: SidecarctlError) -> Result:
    """Return what ended a run as a result."""
    where = f"{error.where}: " if error.where else ""
    return {
        "message": where + error.message + (f" ({error.hint})" if error.hint else ""),
        "severity": Severity.ERROR.value,
    }


def said(change: WorkloadChange) -> str:
    """Return what happened to a workload in a few words, empty where nothing did."""
    if change.skipped:
        return f"skipped: {change.skipped}"
    done = [one for one in change.instances if one.action in ("added", "updated", "removed")]
    return "; ".join(
        f"{one.action} {one.sidecar} {one.version}" + (f" as {one.name}" if one.name != one.sidecar else "")
        for one in done
    )


def for_people(finding: Finding, items: Sequence[Document]) -> Finding:
    """Return a finding that is told by file and field: lines of a text that a tool has rewritten mean nothing to anybody."""
    if finding.place is None or item_index(finding.place.file) is None:
        return finding
    item = _item(finding.place.file, items)
    name = _annotation(item, _PATH) or finding.place.file
    source = name if finding.source == "input" else f"{name}, {finding.source}"
    related = tuple(replace(one, place=None) for one in finding.related)
    return replace(finding, place=None, source=source, related=related)


def _item(file: str, items: Sequence[Document]) -> dict[str, Any]:
    index = item_index(file)
    return as_mapping(items[index].value) if index is not None and index < len(items) else {}


def _reference(item: dict[str, Any]) -> dict[str, Any]:
    metadata = as_mapping(item.get("metadata"))
    found = {
        "apiVersion": item.get("apiVersion"),
        "kind": item.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
    }
    kept = {key: value for key, value in found.items() if isinstance(value, str) and value}
    return {"resourceRef": kept} if {"apiVersion", "kind", "name"} <= kept.keys() else {}


def _annotation(item: dict[str, Any], names: Sequence[str]) -> str:
    annotations = as_mapping(as_mapping(item.get("metadata")).get("annotations"))
    return next((str(annotations[name]) for name in names if name in annotations), "")


def _file(item: dict[str, Any]) -> dict[str, Any]:
    path, index = _annotation(item, _PATH), _annotation(item, _INDEX)
    if not path:
        return {}
    return {"file": {"path": path, **({"index": int(index)} if index.isdecimal() else {})}}
