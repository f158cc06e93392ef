"""Reports a run: findings and changes to people on stderr, to programs on stdout; a summary last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli import console
from sidecarctl.cli.console import write_stdout
from sidecarctl.cli.delivery import Delivery, Done
from sidecarctl.cli.inputs import Inputs
from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.report.notes import render_notes, split_notes
from sidecarctl.report.summary import NextSteps
from sidecarctl.results import CREATE_STEP, SERVICE_STEP, Report, Retargeted, WorkloadChange, create_step
from sidecarctl.validate.placeholders import merge_notes


def report_changes(
    delivery: Delivery,
    inputs: Inputs,
    done: Sequence[Done],
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    *,
    held_back: bool,
    retargeted: Sequence[Retargeted] = (),
) -> None:
    """Report findings and changes: to people on stderr, to programs on stdout."""
    findings = list(merge_notes(findings))
    if delivery.flags.format != "text":
        outdated = _outdated_findings(delivery, done) if delivery.flags.check else ()
        print_report(delivery, [*findings, *outdated], changes, [one.source.name for one in done], retargeted)
        if not delivery.flags.quiet:
            console.report_skipped(inputs.skipped, verbose=delivery.flags.verbose)
        return
    shown, notes = (findings, []) if delivery.flags.verbose else split_notes(findings)
    shown = [f for f in shown if not delivery.flags.quiet or f.severity is Severity.ERROR]
    console.report_findings(shown, group=not delivery.flags.verbose)
    if delivery.flags.quiet:
        return
    for line in render_notes(notes):
        console.report(line)
    if held_back and not delivery.flags.check:
        console.report_skipped(inputs.skipped, verbose=delivery.flags.verbose)
        console.report(console.nothing_written(findings, _count_errors(inputs, done)))
        return
    nothing = not shown and not any(one.result.changes for one in done if one.result)
    if delivery.mirror and not delivery.flags.verbose:
        changes = [change for change in changes if change.changed or change.skipped]
    console.report(
        console.render_changes(changes, verbose=delivery.flags.verbose, dry_run=delivery.flags.writes_nothing)
    )
    if retargeted:
        from sidecarctl.report.retargeted import render_retargeted

        console.report(render_retargeted(retargeted, dry_run=delivery.flags.writes_nothing))
    if delivery.next_steps and not delivery.flags.writes_nothing:
        steps = NextSteps()
        has_service = bool(retargeted) or any(one.rule == "service-bypasses-sidecar" for one in findings)
        steps.collect(changes, [*([SERVICE_STEP] if has_service else []), *_present_objects(inputs, changes)])
        console.report(console.render_next_steps(steps))
    if delivery.reports_unknown_kinds:
        from sidecarctl.cli.selection import describe_unknown_kinds

        for line in describe_unknown_kinds(inputs, delivery.settings.kinds):
            console.report_line(line)
    # What a file that failed has is unknown.
    failed = any(one.failed for one in done)
    missing = [] if failed else _find_missing(delivery, changes)
    if missing and done and done[0].result and done[0].result.original:
        from sidecarctl.cli.selection import describe_missing_instances

        console.report_line(
            (delivery.idle.partition(":")[0] + ": " if nothing else "")
            + describe_missing_instances(missing, inputs, delivery.settings.kinds)
        )
    elif nothing and delivery.idle and not failed:
        console.report_line(delivery.idle)
    _report_summary(delivery, inputs, done)


def _present_objects(inputs: Inputs, changes: Sequence[WorkloadChange]) -> Iterator[str]:
    """Yield the beginnings of next steps that create an object which the input has."""
    if not any(CREATE_STEP in one.next_steps for change in changes for one in change.instances):
        return
    from sidecarctl.cli.selection import find_configuration

    for kind, name in find_configuration(inputs):
        yield create_step(kind, name)


def _find_missing(delivery: Delivery, changes: Sequence[WorkloadChange]) -> list[str]:
    """Return the names given to `remove` of which no instance was removed."""
    removed = {name for change in changes for one in change.instances for name in (one.name, one.sidecar)}
    return [name for name in delivery.removes if name not in removed]


def _count_errors(inputs: Inputs, done: Sequence[Done]) -> int:
    """Return the number of errors besides findings: of inputs, of files, and of documents."""
    of_documents = sum(len(one.result.errors) for one in done if one.result)
    return len(inputs.errors) + sum(one.error is not None for one in done) + of_documents


def _report_summary(delivery: Delivery, inputs: Inputs, done: Sequence[Done]) -> None:
    """Report the files by what happened to them. One file needs no summary; `render --check` has its own."""
    if len(done) + len(inputs.skipped) < 2 or (delivery.mirror and delivery.flags.check):
        console.report_skipped(inputs.skipped, verbose=delivery.flags.verbose)
        return
    failed = sum(one.result is None or one.result.failed for one in done)
    changed = sum(one.result is not None and one.result.changed and not one.result.failed for one in done)
    word = "would change" if delivery.flags.writes_nothing else "changed"
    counts = ((changed, word), (len(done) - changed - failed, "unchanged"), (failed, "failed"))
    console.report_summary(
        [f"{count} {what}" for count, what in counts if count],
        len(done),
        inputs.skipped,
        verbose=delivery.flags.verbose,
    )


def _outdated_findings(delivery: Delivery, done: Sequence[Done]) -> Iterator[Finding]:
    """Yield what `--check` found to change, for programs that read findings instead of exit codes."""
    from sidecarctl.report.outdated import OUTDATED_RULE, find_outdated

    help = "run the same command without --check"
    outdated = {one.source.name for one in done if one.outdated}
    named = set()  # files whose changes are findings of sidecars
    for one in done:
        files = {one.source.name, *one.shares}
        if one.result and not one.result.failed and one.present is None and outdated & files:
            found = list(find_outdated(one.result.changes, help))
            yield from found
            named |= files if found else set()
    for one in done:
        name = one.source.name
        if one.outdated and not one.failed and name not in named:  # such as one whose Service changes
            yield Finding(OUTDATED_RULE, f"{name} is outdated", help=help, place=Place(name, 1, 1, 1, 1))


def print_report(
    delivery: Delivery,
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    files: Sequence[str],
    retargeted: Sequence[Retargeted] = (),
) -> None:
    """Write a report for another program to stdout."""
    from sidecarctl.report import machine

    report = Report(
        __version__,
        tuple(findings),
        (),
        tuple(changes),
        tuple(files),
        root=str(Path.cwd()),
        fail_on=delivery.flags.severity(),
        retargeted=tuple(retargeted),
    )
    write_stdout([machine.render_report(report, delivery.flags.format)])


def find_selection_error(delivery: Delivery, inputs: Inputs) -> SidecarctlError | None:
    """Return the error for a run that changed nothing because the input has no workload, or none that is selected.

    With --check, also the error for input without an object.
    """
    from sidecarctl.cli.selection import no_workload_error, nothing_checked_error, nothing_selected_error

    if not delivery.settings.workloads.selects_all:
        error = nothing_selected_error(inputs, delivery.settings)
        if error is not None:
            return error
    if delivery.needs_workload:
        return no_workload_error([source.name for source, _ in inputs.sources])
    return nothing_checked_error(inputs) if delivery.flags.check else None
