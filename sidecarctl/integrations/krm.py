"""Run as a KRM function (kustomize, kpt): apply a composition to a ResourceList and report results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sidecarctl.composition.model import Composition
from sidecarctl.composition.select import Selection, find_unused_rules
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, InputError, SidecarctlError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.displaced_companions import gather_companions, restore_order
from sidecarctl.inject.pipeline import Options, ProcessedDocuments, render_documents
from sidecarctl.inject.secret_findings import mask_findings
from sidecarctl.inject.taken_names import added_names, find_taken_names
from sidecarctl.integrations import resource_list
from sidecarctl.integrations.function_config import read_composition
from sidecarctl.integrations.renames import follow_renames
from sidecarctl.integrations.resource_list import ResourceList, item_index
from sidecarctl.kube.workload import as_mapping, label_of
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.report.outdated import OUTDATED_RULE, find_outdated
from sidecarctl.report.retargeted import describe_retargeted
from sidecarctl.results import Retargeted, WorkloadChange, field_text
from sidecarctl.validate.check_document import check_workloads
from sidecarctl.validate.check_run import find_caused
from sidecarctl.yamltext.stream import Document

Result = dict[str, Any]
_PATH = ("internal.config.kubernetes.io/path", "config.kubernetes.io/path")
_INDEX = ("internal.config.kubernetes.io/index", "config.kubernetes.io/index")


def finding_result(finding: Finding, items: Sequence[Document]) -> Result:
    """Convert a finding to a KRM result."""
    item = _find_item(finding.place.file if finding.place else "", items)
    message = finding.message + (f" ({finding.help})" if finding.help else "")
    about = _resource_ref(item)
    field = {"field": {"path": field_text(finding.path)}} if about and finding.path else {}
    return {
        "message": message,
        "severity": finding.severity.value,
        **about,
        **field,
        **_file_path(item),
        "tags": {"rule": finding.rule},
    }


def change_result(change: WorkloadChange, items: Sequence[Document]) -> Result | None:
    """Convert the change of a workload to a KRM result, or None if nothing changed."""
    description = describe_change(change)
    if not description:
        return None
    item = _find_item(change.file, items)
    return {"message": description, "severity": Severity.INFO.value, **_resource_ref(item), **_file_path(item)}


def _retargeted_result(change: Retargeted, items: Sequence[Document]) -> Result:
    item = _find_item(change.file, items)
    return {"message": describe_retargeted(change), "severity": "info", **_resource_ref(item), **_file_path(item)}


def error_result(error: SidecarctlError) -> Result:
    """Convert the error that ended a run to a KRM result."""
    where = f"{error.where}: " if error.where else ""
    return {
        "message": where + error.message + (f" ({error.hint})" if error.hint else ""),
        "severity": Severity.ERROR.value,
    }


def describe_change(change: WorkloadChange) -> str:
    """Return a short description of a workload change, empty if nothing changed."""
    if change.skipped:
        return f"skipped: {change.skipped}"
    done = [one for one in change.instances if one.action in ("added", "updated", "removed")]
    return "; ".join(
        f"{one.action} {one.sidecar} {one.version}" + (f" as {one.name}" if one.name != one.sidecar else "")
        for one in done
    )


def locate_by_field(finding: Finding, items: Sequence[Document]) -> Finding:
    """Return the finding located by file and field instead of by line: the calling tools rewrite the text."""
    if finding.place is None or item_index(finding.place.file) is None:
        return finding
    item = _find_item(finding.place.file, items)
    name = _annotation(item, _PATH) or finding.place.file
    source = name if finding.source == "input" else f"{name}, {finding.source}"
    related = tuple(replace(one, place=None) for one in finding.related)
    return replace(finding, place=None, source=source, related=related)


def _find_item(file: str, items: Sequence[Document]) -> dict[str, Any]:
    index = item_index(file)
    return as_mapping(items[index].value) if index is not None and index < len(items) else {}


def _resource_ref(item: dict[str, Any]) -> dict[str, Any]:
    metadata = as_mapping(item.get("metadata"))
    found = {
        "apiVersion": item.get("apiVersion"),
        "kind": item.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
    }
    complete = {key: value for key, value in found.items() if isinstance(value, str) and value}
    return {"resourceRef": complete} if {"apiVersion", "kind", "name"} <= complete.keys() else {}


def _annotation(item: dict[str, Any], names: Sequence[str]) -> str:
    annotations = as_mapping(as_mapping(item.get("metadata")).get("annotations"))
    return next((str(annotations[name]) for name in names if name in annotations), "")


def _file_path(item: dict[str, Any]) -> dict[str, Any]:
    path, index = _annotation(item, _PATH), _annotation(item, _INDEX)
    if not path:
        return {}
    return {
        "file": {"path": path, **({"index": int(index)} if index.isdecimal() and len(index) <= _MAX_DIGITS else {})}
    }


_MAX_DIGITS = 18
# Prepares a composition, or the default one if None. Raises UsageError.
PrepareSelection = Callable[["Composition | None"], tuple[Selection, Options]]
_OUTDATED = "run the function without --check, or `sidecarctl render`, first"


@dataclass(frozen=True)
class FunctionResult:
    """The result of a run: text for stdout, findings, changes, error, and exit code."""

    text: str
    findings: tuple[Finding, ...] = ()
    changes: tuple[WorkloadChange, ...] = ()
    error: SidecarctlError | None = None
    code: int = EXIT_OK


def run(
    data: bytes,
    prepare: PrepareSelection,
    environment: str = "",
    *,
    check: bool = False,
    fail_on: Severity = Severity.ERROR,
) -> FunctionResult:
    """Apply a composition to a ResourceList.

    With `check` (as a validator), change nothing and report outdated and invalid items. `fail_on` is the minimum severity that
    makes the run fail.
    """
    given: ResourceList | None = None
    try:
        given = resource_list.read(decode(data, resource_list.STREAM))
        selection, settings = prepare(read_composition(given.function_config, Path(), environment))
        walked = _apply_selection(given, selection, settings)
    except SidecarctlError as error:
        return _fail(given, error)
    caused = find_caused(given.items, walked.documents, settings.kube_version, settings.kinds, settings.severities)
    findings = [*walked.findings, *mask_findings(caused, walked.secrets), *find_unused_rules(selection, walked.rules)]
    if check:
        findings += [*_find_outdated(given, walked), *_validate_unselected(given.items, walked, settings)]
    failed = any(finding.severity.rank <= fail_on.rank for finding in findings)
    documents = None if failed or check or _is_unchanged(given, walked) else walked.documents
    results = [finding_result(finding, given.items) for finding in findings]
    if documents is not None:
        results += [one for change in walked.changes if (one := change_result(change, given.items))]
        results += [_retargeted_result(change, given.items) for change in walked.retargeted]
    try:
        text = resource_list.write(given, documents, results)
    except InputError as error:
        return _fail(given, error)
    return FunctionResult(
        text,
        tuple(locate_by_field(finding, given.items) for finding in findings),
        () if failed or check else walked.changes,
        code=EXIT_FINDINGS if failed else EXIT_OK,
    )


def _fail(given: ResourceList | None, error: SidecarctlError) -> FunctionResult:
    """Return the input with an error, or the error alone if there is no input or both together exceed a limit."""
    results = [error_result(error)]
    text = resource_list.write_error(results)
    if given:
        with suppress(InputError):
            text = resource_list.write(given, None, results)
    return FunctionResult(text, error=error, code=error.exit_code)


def _apply_selection(given: ResourceList, selection: Selection, settings: Options) -> ProcessedDocuments:
    items = follow_renames(given.items, settings.kinds)
    documents = gather_companions(items, settings.kinds)
    walked = render_documents(documents, selection, settings)
    # Comments around a removed companion are a document of a stream, but no item.
    back = [each for each in restore_order(walked.documents) if each.value is not None]
    taken = find_taken_names(items, added_names(walked.changes))
    return replace(walked, documents=tuple(back), findings=(*walked.findings, *taken))


def _is_unchanged(given: ResourceList, walked: ProcessedDocuments) -> bool:
    return len(given.items) == len(walked.documents) and all(
        old is new or old.text == new.text for old, new in zip(given.items, walked.documents)
    )


def _find_outdated(given: ResourceList, walked: ProcessedDocuments) -> Iterator[Finding]:
    """Yield a finding for each outdated sidecar, and for each other item that would change, such as a Service."""
    found = list(find_outdated(walked.changes, _OUTDATED))
    yield from found
    named = {finding.place.file for finding in found if finding.place}
    texts = {item.file: item.text for item in given.items}
    for document in walked.documents:
        if document.file not in named and document.text != texts.get(document.file):
            message = f"{label_of(document.value)} is outdated"
            yield Finding(OUTDATED_RULE, message, help=_OUTDATED, place=document.locate(()))


def _validate_unselected(items: Sequence[Document], walked: ProcessedDocuments, settings: Options) -> Iterator[Finding]:
    """Yield findings of items that the composition does not select; selected items are already validated."""
    seen = {change.file for change in walked.changes} | {f.place.file for f in walked.findings if f.place}
    for item in items:
        if item.file not in seen and "ontainers" in item.text:
            for finding in check_workloads(item.value, settings.kube_version, settings.validate, settings.kinds):
                yield replace(finding, place=item.locate(finding.path, on_key=finding.on_key))
