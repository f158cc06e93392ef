"""Runs a transformation over all sources and delivers the results: stdout, file, directory, in place, diff, or check.

All or nothing: unless --keep-going is given, a run with an error writes no file and nothing to stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli import console, streaming
from sidecarctl.cli.console import write_stdout
from sidecarctl.cli.delivery import Delivery, Done, check_options, compare_with_output, targets
from sidecarctl.cli.inputs import Inputs, read_inputs
from sidecarctl.cli.streaming import Streamed, Walk
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, SidecarctlError
from sidecarctl.files.sources import Read, Source
from sidecarctl.files.write import Write, write_all
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.inject.pipeline import ProcessedDocuments, Result
from sidecarctl.report.notes import render_notes, split_notes
from sidecarctl.results import NextSteps, Report, WorkloadChange
from sidecarctl.skipped import Skipped
from sidecarctl.validate.placeholders import merge_notes

Transform = Callable[[str, str], Result]


def run(delivery: Delivery, transform: Transform, walk: Walk | None = None) -> int:
    """Transform every source, deliver the results, report, and return the exit code.

    `walk` is the same transformation for a stream of documents: a long input goes through it in flat memory.
    """
    check_options(delivery)
    stdin: bytes | None = None
    if walk is not None and streaming.is_possible(delivery):
        (path,) = delivery.files
        stream = streaming.open_long(path)
        if stream is not None and not isinstance(stream, bytes):
            name = delivery.inputs.stdin_name if path == "-" else path
            steps = NextSteps()
            with stream, streaming.transform(walk, stream, name, lambda one: _render(delivery, one, steps)) as streamed:
                if streamed is not None:
                    return _deliver_stream(delivery, streamed, name, steps)
                stream.seek(0)
                stdin = stream.read() if path == "-" else None
        else:
            stdin = stream
    inputs = read_inputs(delivery.inputs, stdin)
    return _deliver_all(delivery, inputs, list(_transform_all(delivery, transform, inputs)))


def _deliver_all(delivery: Delivery, inputs: Inputs, done: list[Done]) -> int:
    errors: list[SidecarctlError] = [*inputs.errors, *(one.error for one in done if one.error is not None)]
    errors += [error for one in done if one.result for error in one.result.errors]
    findings = [finding for one in done if one.result for finding in one.result.findings]
    if delivery.mirror and not errors:
        findings += delivery.mirror.closing([one.result for one in done if one.result])
        done = list(compare_with_output(delivery, done))
    changes = [change for one in done if one.result and one.is_reported(delivery) for change in one.result.changes]
    failed = any(one.result is not None and one.result.failed for one in done)
    no_workload = delivery.needs_workload and not (errors or findings or changes)
    held_back = no_workload or ((bool(errors) or failed) and not delivery.keep_going)
    if not held_back:
        _deliver(delivery, [one for one in done if one.result and not one.result.failed])
    for error in errors:
        console.report_error(error)
    if no_workload:
        return _report_no_workload(delivery, inputs)
    report_changes(delivery, done, findings, changes, held_back=held_back, skipped=inputs.skipped)
    code = exit_code(delivery, done, findings, errors)
    if delivery.mirror and not held_back:
        from sidecarctl.cli import prune

        code = max(code, prune.finish(delivery, done))
    return code


def _render(delivery: Delivery, processed: ProcessedDocuments, steps: NextSteps) -> str:
    if delivery.quiet or not processed.changes:
        return ""
    if delivery.next_steps:
        steps.collect(processed.changes)
    return console.render_changes(processed.changes, verbose=delivery.verbose, dry_run=delivery.writes_nothing)


def _deliver_stream(delivery: Delivery, streamed: Streamed, name: str, steps: NextSteps) -> int:
    errors = [streamed.error] if streamed.error else []
    result = None if errors else Result("", (), streamed.findings)
    one = Done(Source(name), Read(""), result, streamed.error)
    no_workload = delivery.needs_workload and not (errors or streamed.findings or streamed.workloads)
    held_back = no_workload or bool(errors) or bool(one.result and one.result.failed)
    if not held_back:
        write_stdout(streaming.rewind(streamed.out))
    for error in errors:
        console.report_error(error)
    if no_workload:
        return _report_no_workload(delivery, Inputs(((one.source, one.read),)))
    idle = "" if streamed.workloads else delivery.idle
    report_changes(replace(delivery, idle=idle), [one], streamed.findings, (), held_back=held_back)
    if not held_back:
        for line in streaming.rewind(streamed.lines):
            console.report(line.decode("utf-8", "surrogateescape"))
        console.report(console.render_next_steps(steps))
    return exit_code(delivery, [one], streamed.findings, errors)


def _transform_all(delivery: Delivery, transform: Transform, inputs: Inputs) -> Iterator[Done]:
    """Yield the result of each source."""

    def work(item: tuple[Source, Read]) -> Done:
        source, read = item
        try:
            return Done(source, read, transform(read.text, source.name))
        except SidecarctlError as error:
            return Done(source, read, error=error)

    results = streaming.spread(inputs.sources, work, delivery.jobs)
    for done in results if delivery.quiet else console.progress(results, len(inputs.sources)):
        if done.error and done.error.exit_code != EXIT_INPUT and not delivery.keep_going:
            raise done.error
        yield done


def _deliver(delivery: Delivery, done: Sequence[Done]) -> None:
    if delivery.diff:
        _print_diffs(done)
    elif delivery.check:
        return
    elif delivery.in_place:
        write_all(
            Write(one.source.path, one.result.text, one.read.stamp)
            for one in done
            if one.result and one.result.changed and one.source.path
        )
    elif delivery.output:
        write_all(_outputs(delivery, done))
    elif delivery.format == "text":
        write_stdout(_join(one.result.text for one in done if one.result))


def _outputs(delivery: Delivery, done: Sequence[Done]) -> Iterator[Write]:
    for path, one in zip(targets(delivery, done), done):
        assert one.result
        if delivery.mirror is None or one.outdated or not path.exists():
            yield Write(path, one.result.text)


def _join(texts: Iterable[str]) -> Iterator[str]:
    """Join texts to one stream, with a separator where the next text does not start with one."""
    before = ""
    for text in texts:
        if before:
            if not before.endswith("\n"):
                yield "\n"
            if not text.startswith("---"):
                yield "---\n"
        yield text
        before = text or before


def _print_diffs(done: Sequence[Done]) -> None:
    from sidecarctl.report.diff import unified_diff
    from sidecarctl.report.terminal import use_color

    color = use_color(sys.stdout, os.environ)
    write_stdout(
        unified_diff(one.current, one.result.text, one.source.name, color=color, terminal=sys.stdout.isatty())
        for one in done
        if one.result
    )


def report_changes(
    delivery: Delivery,
    done: Sequence[Done],
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    *,
    held_back: bool,
    skipped: Sequence[Skipped] = (),
) -> None:
    """Report findings and changes: to people on stderr, to programs on stdout."""
    findings = list(merge_notes(findings))
    if delivery.format != "text":
        outdated = _outdated_findings(delivery, done) if delivery.check else ()
        print_report(delivery, [*findings, *outdated], changes, [one.source.name for one in done])
        return
    shown, notes = (findings, []) if delivery.verbose else split_notes(findings)
    console.report_findings([f for f in shown if not delivery.quiet or f.severity is Severity.ERROR])
    if delivery.quiet:
        return
    for line in render_notes(notes):
        console.report(line)
    if held_back:
        console.report(console.nothing_written(findings, sum(one.error is not None for one in done)))
        return
    nothing = not shown and not any(one.result.changes for one in done if one.result)
    if delivery.mirror and not delivery.verbose:
        changes = [change for change in changes if change.changed or change.skipped]
    console.report(console.render_changes(changes, verbose=delivery.verbose, dry_run=delivery.writes_nothing))
    if delivery.next_steps and not delivery.writes_nothing:
        steps = NextSteps()
        steps.collect(changes)
        console.report(console.render_next_steps(steps))
    console.report_skipped(skipped, verbose=delivery.verbose)
    if nothing and delivery.idle:
        console.report(delivery.idle)


def _outdated_findings(delivery: Delivery, done: Sequence[Done]) -> Iterator[Finding]:
    """Yield what `--check` found to change, for programs that read findings instead of exit codes."""
    from sidecarctl.results import OUTDATED_RULE, find_outdated

    help = "run the same command without --check"
    for one in done:
        if one.result is None or one.result.failed or not one.outdated:
            continue
        if one.present is None:
            yield from find_outdated(one.result.changes, help)
        else:
            name = one.source.name
            yield Finding(OUTDATED_RULE, f"{name} is outdated", help=help, place=Place(name, 1, 1, 1, 1))


def print_report(
    delivery: Delivery, findings: Sequence[Finding], changes: Sequence[WorkloadChange], files: Sequence[str]
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
        fail_on=delivery.severity(),
    )
    write_stdout([machine.render_report(report, delivery.format)])


def _report_no_workload(delivery: Delivery, inputs: Inputs) -> int:
    """Report that the input has no workload, or none that the options select, and return the exit code."""
    from sidecarctl.cli.selection import no_workload_error, nothing_selected_error

    if not delivery.quiet:
        console.report_skipped(inputs.skipped, verbose=delivery.verbose)
    if not delivery.settings.workloads.selects_all:
        error = nothing_selected_error(inputs, delivery.settings)
        if error is not None:
            console.report_error(error)
            return error.exit_code
    console.report_error(no_workload_error([source.name for source, _ in inputs.sources]))
    return EXIT_FINDINGS


def exit_code(
    delivery: Delivery, done: Sequence[Done], findings: Sequence[Finding], errors: Sequence[SidecarctlError]
) -> int:
    """Return the exit code of a run."""
    if errors:
        return max(error.exit_code for error in errors)
    limit = delivery.severity()
    if any(one.result is not None and one.result.failed for one in done) and delivery.fail_on != "never":
        return EXIT_FINDINGS
    if limit is not None and any(finding.severity.rank <= limit.rank for finding in findings):
        return EXIT_FINDINGS
    if delivery.check and any(one.outdated for one in done):
        return EXIT_FINDINGS
    return EXIT_OK
