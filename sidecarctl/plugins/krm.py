"""A KRM function: a ResourceList in, a ResourceList out, with results. Knows kustomize's and kpt's contract, no flags.

kustomize shows no results and takes no notice of their severity: what is wrong is told on standard error too and by the exit
code. A ResourceList comes out in any case, since kustomize reads it first and would otherwise complain about that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sidecarctl.compose.composition import Composition
from sidecarctl.compose.gathering import carried, gather, scatter
from sidecarctl.compose.pipeline import Options, Walked, render_documents
from sidecarctl.compose.selection import Selection
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, SidecarctlError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.plugins import resource_list, results
from sidecarctl.plugins.function_config import composition_of
from sidecarctl.plugins.renaming import restated
from sidecarctl.plugins.resource_list import ResourceList
from sidecarctl.plugins.unused import told_unused
from sidecarctl.report.model import WorkloadChange
from sidecarctl.report.outdated import outdated
from sidecarctl.validate.run import workload_findings
from sidecarctl.yamltext.stream import Document

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
        said = [results.of_error(error)]
        text = resource_list.write(given, None, said) if given else resource_list.empty(said)
        return Outcome(text, error=error, code=error.exit_code)
    findings = [*walked.findings, *told_unused(chosen, walked.rules)]
    if check:
        findings += [*outdated(walked.changes, _OUTDATED), *_invalid(given.items, walked, settings)]
    failed = any(finding.severity.rank <= fail_on.rank for finding in findings)
    documents = None if failed or check or _untouched(given, walked) else walked.documents
    said = [results.of_finding(finding, given.items) for finding in findings]
    if documents is not None:
        said += [one for change in walked.changes if (one := results.of_change(change, given.items))]
    return Outcome(
        resource_list.write(given, documents, said),
        tuple(results.for_people(finding, given.items) for finding in findings),
        () if failed or check else walked.changes,
        code=EXIT_FINDINGS if failed else EXIT_OK,
    )


def _walked(given: ResourceList, chosen: Selection, settings: Options) -> Walked:
    items = restated(given.items, settings.kinds)
    documents, moved = gather(items, settings.kinds)
    walked = render_documents(documents, chosen, settings)
    back = carried(scatter(walked.documents, moved, len(items)), items)
    return Walked(tuple(back), walked.changes, walked.findings, walked.rules)


def _untouched(given: ResourceList, walked: Walked) -> bool:
    return len(given.items) == len(walked.documents) and all(
        old is new or old.text == new.text for old, new in zip(given.items, walked.documents)
    )


def _invalid(items: Sequence[Document], walked: Walked, settings: Options) -> Iterator[Finding]:
    """What is wrong with items that the composition has nothing to do with: the others have been looked at."""
    seen = {change.file for change in walked.changes} | {f.place.file for f in walked.findings if f.place}
    for item in items:
        if item.file not in seen and "ontainers" in item.text:
            for finding in workload_findings(item.value, settings.kube_version, settings.validate, settings.kinds):
                yield replace(finding, place=item.locate(finding.path, on_key=finding.on_key))
