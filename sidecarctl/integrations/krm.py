"""What a run has to say as the results of a KRM function, and for people who see no results. Knows no stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sidecarctl.composition.model import Composition
from sidecarctl.composition.select import Selection, find_unused_rules
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, SidecarctlError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.companions import gather_companions, keep_metadata, restore_order
from sidecarctl.inject.pipeline import Options, ProcessedDocuments, render_documents
from sidecarctl.integrations import resource_list
from sidecarctl.integrations.function_config import composition_of
from sidecarctl.integrations.renames import restated
from sidecarctl.integrations.resource_list import ResourceList, item_index
from sidecarctl.kube.workload import as_mapping
from sidecarctl.results import WorkloadChange, field_text, find_outdated
from sidecarctl.validate.check_document import check_workloads
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


# Makes a composition ready; without one, the composition of the command line or of the folder. Raises UsageError.
Ready = Callable[["Composition | None"], tuple[Selection, Options]]
_OUTDATED = "run the transformer, or `sidecarctl render`, before this check"


@dataclass(frozen=True)
class Outcome:
    """What a run gives: the text for standard output, what is to be said, and the exit code."""

    text: str
    findings: tuple[Finding, ...] = ()
    changes: tuple[WorkloadChange, ...] = ()
    error: SidecarctlError | None = None
    code: int = EXIT_OK


def run(
    data: bytes,
    ready: Ready,
    environment: str = "",
    *,
    check: bool = False,
    fail_on: Severity = Severity.ERROR,
) -> Outcome:
    """Return what becomes of a ResourceList.

    `check` changes nothing (a validator): it says which items are not as the composition wants them, and what is wrong with
    any. `fail_on` is the mildest finding that fails the run.
    """
    given: ResourceList | None = None
    try:
        given = resource_list.read(decode(data, resource_list.STREAM))
        chosen, settings = ready(composition_of(given.function_config, Path(), environment))
        walked = _walked(given, chosen, settings)
    except SidecarctlError as error:
        said = [of_error(error)]
        text = resource_list.write(given, None, said) if given else resource_list.empty(said)
        return Outcome(text, error=error, code=error.exit_code)
    findings = [*walked.findings, *find_unused_rules(chosen, walked.rules)]
    if check:
        findings += [*find_outdated(walked.changes, _OUTDATED), *_invalid(given.items, walked, settings)]
    failed = any(finding.severity.rank <= fail_on.rank for finding in findings)
    documents = None if failed or check or _untouched(given, walked) else walked.documents
    said = [of_finding(finding, given.items) for finding in findings]
    if documents is not None:
        said += [one for change in walked.changes if (one := of_change(change, given.items))]
    return Outcome(
        resource_list.write(given, documents, said),
        tuple(for_people(finding, given.items) for finding in findings),
        () if failed or check else walked.changes,
        code=EXIT_FINDINGS if failed else EXIT_OK,
    )


def _walked(given: ResourceList, chosen: Selection, settings: Options) -> ProcessedDocuments:
    items = restated(given.items, settings.kinds)
    documents, moved = gather_companions(items, settings.kinds)
    walked = render_documents(documents, chosen, settings)
    back = keep_metadata(restore_order(walked.documents, moved, len(items)), items)
    return ProcessedDocuments(tuple(back), walked.changes, walked.findings, walked.rules)


def _untouched(given: ResourceList, walked: ProcessedDocuments) -> bool:
    return len(given.items) == len(walked.documents) and all(
        old is new or old.text == new.text for old, new in zip(given.items, walked.documents)
    )


def _invalid(items: Sequence[Document], walked: ProcessedDocuments, settings: Options) -> Iterator[Finding]:
    """What is wrong with items that the composition has nothing to do with: the others have been looked at."""
    seen = {change.file for change in walked.changes} | {f.place.file for f in walked.findings if f.place}
    for item in items:
        if item.file not in seen and "ontainers" in item.text:
            for finding in check_workloads(item.value, settings.kube_version, settings.validate, settings.kinds):
                yield replace(finding, place=item.locate(finding.path, on_key=finding.on_key))
