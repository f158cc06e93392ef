"""Runs a transformation over all sources and delivers the results: stdout, file, directory, in place, diff, or check.

All or nothing: unless --keep-going is given, a run with an error writes no file and nothing to stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import IO, TYPE_CHECKING

from sidecarctl import watchdog
from sidecarctl.cli import console, streaming
from sidecarctl.cli.console import write_stdout
from sidecarctl.cli.delivery import (
    Delivery,
    Done,
    check_options,
    compare_with_output,
    is_directory_output,
    outputs,
    replacements,
    without_outputs,
)
from sidecarctl.cli.inputs import Inputs, read_inputs
from sidecarctl.cli.run_report import find_selection_error, report_changes
from sidecarctl.cli.streaming import Streamed, Walk
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, SidecarctlError
from sidecarctl.files.sources import Read, Source
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.companion_search import ALONE, Beside
from sidecarctl.inject.pipeline import ProcessedDocuments, Result
from sidecarctl.kube.fronts import concerns_retargeting
from sidecarctl.lazy_dataclass import replace
from sidecarctl.report.notes import split_notes
from sidecarctl.report.summary import NextSteps
from sidecarctl.results import Retargeted
from sidecarctl.validate.check_run import find_caused, needs_whole_run
from sidecarctl.yamltext.stream import split_readable

if TYPE_CHECKING:
    from pathlib import Path

    from sidecarctl.cli.companion_files import Group
    from sidecarctl.files.write import Write

# The text of a file, its name, and what other files have to do with its workloads.
Transform = Callable[[str, str, Beside], Result]
Prepare = Callable[[Inputs], Transform]


def run(delivery: Delivery, prepare: Prepare, walk: Walk | None = None) -> int:
    """Transform every source, deliver the results, report, and return the exit code.

    prepare  returns the transformation for the inputs of the run
    walk     the same transformation for a stream of documents: a long input goes through it in flat memory
    """
    check_options(delivery)
    stdin: bytes | None = None
    if walk is not None and streaming.is_possible(delivery):
        (path,) = delivery.files
        stream = streaming.open_long(path)
        if stream is not None and not isinstance(stream, bytes):
            name = delivery.inputs.stdin_name if path == "-" else path
            steps = NextSteps()
            with stream, _transform_stream(delivery, walk, stream, name, steps) as streamed:
                if streamed is not None:
                    return _deliver_stream(delivery, streamed, name, steps)
                stream.seek(0)
                stdin = stream.read() if path == "-" else None
        else:
            stdin = stream
    mirrors = bool(delivery.flags.output) and is_directory_output(delivery)
    inputs = read_inputs(delivery.inputs if delivery.mirror else without_outputs(delivery), stdin, mirrors=mirrors)
    if not inputs.sources and not inputs.errors:  # with --force-exclude, every named file can be left out
        console.report_skipped([] if delivery.flags.quiet else inputs.skipped, verbose=delivery.flags.verbose)
        return EXIT_OK
    return _deliver_all(delivery, inputs, list(_transform_all(delivery, prepare(inputs), inputs)))


def _transform_stream(
    delivery: Delivery, walk: Walk, stream: IO[bytes], name: str, steps: NextSteps
) -> AbstractContextManager[Streamed | None]:
    return streaming.transform(walk, stream, name, lambda one: _render(delivery, one, steps), fronts=delivery.fronts)


def _deliver_all(delivery: Delivery, inputs: Inputs, done: list[Done]) -> int:
    delivery = replace(delivery, several=len(done) + len(inputs.errors) > 1)
    errors: list[SidecarctlError] = [*inputs.errors, *(one.error for one in done if one.error is not None)]
    errors += [error for one in done if one.result for error in one.result.errors]
    findings = [finding for one in done if one.result for finding in one.result.findings]
    goes_on = not errors or delivery.flags.keep_going
    done, retargeted, skipped = _retarget(delivery, done) if goes_on else (done, (), ())
    # A file with a port to change can fail now. One that cannot be split is an error for each file that shares a change with it.
    errors += [one.error for one in done if one.error is not None]
    errors = list({(error.message, error.where): error for error in errors}.values())
    findings += skipped
    if delivery.mirror and not errors:  # a file that cannot be read can have the workloads of a rule
        findings += delivery.mirror.closing([one.result for one in done if one.result])
    if delivery.mirror and goes_on:
        done = list(compare_with_output(delivery, done))
    caused = _find_caused(delivery, done) if goes_on else []
    findings += caused
    # With --keep-going, what is not written is not reported as a change.
    reported = [one for one in done if not (one.failed and delivery.flags.keep_going) and one.is_reported(delivery)]
    changes = [change for one in reported if one.result for change in one.result.changes]
    failed = any(one.result is not None and one.result.failed for one in done) or (
        delivery.settings.fails and any(one.severity is Severity.ERROR for one in caused)
    )
    found_errors = any(one.severity is Severity.ERROR for one in findings)
    nothing = None if errors or found_errors or changes else find_selection_error(delivery, inputs)
    writes_some = delivery.flags.keep_going and not all(one.failed for one in done)
    held_back = nothing is not None or ((bool(errors) or failed) and not writes_some)
    if not held_back:
        record: Sequence[Write] = ()
        roots: Mapping[Path, str] = {}
        if delivery.mirror:
            from sidecarctl.cli import prune

            plan = prune.plan(delivery, done, complete=not errors and not failed)
            record, roots = plan.record, plan.roots
        _deliver(delivery, inputs, done, record, roots)
    for error in errors:
        console.report_error(error)
    if nothing is not None:
        console.report_findings([] if delivery.flags.quiet else split_notes(findings)[0])
        console.report_skipped([] if delivery.flags.quiet else inputs.skipped, verbose=delivery.flags.verbose)
        console.report_error(nothing)
        is_finding = delivery.needs_workload and delivery.settings.workloads.selects_all
        return EXIT_FINDINGS if is_finding else nothing.exit_code
    report_changes(delivery, inputs, done, findings, changes, held_back=held_back, retargeted=retargeted)
    code = exit_code(delivery, done, findings, errors)
    if delivery.mirror and not held_back:
        code = max(code, prune.finish(delivery, done, plan))
    return code


def _retarget(delivery: Delivery, done: list[Done]) -> tuple[list[Done], Sequence[Retargeted], Sequence[Finding]]:
    """Return the results with changed ports in objects around the pods, the changes, and what was left alone."""
    texts = [text for one in done if one.result for text in (one.read.text, one.result.text)]
    if not concerns_retargeting(texts, enabled=delivery.retarget):
        return done, (), ()
    from sidecarctl.cli.retargeting import retarget_files

    done, changes, skipped = retarget_files(delivery, done)
    if any(one.shares for one in done):
        from sidecarctl.cli.companion_files import fail_together

        done = fail_together(done)  # a file with a port to change can have failed
    return done, changes, skipped


def _find_caused(delivery: Delivery, done: Sequence[Done]) -> list[Finding]:
    """Return what the edits cause in other objects of the run, by the rules that compare objects."""
    if not any(one.result and one.result.changed for one in done):
        return []
    if not any(needs_whole_run(one.read.text) or (one.result and needs_whole_run(one.result.text)) for one in done):
        return []
    processed = [(one, one.result) for one in done if one.result]
    before = [document for one, _ in processed for document in split_readable(one.read.text, one.source.name, [])]
    after = [document for one, result in processed for document in split_readable(result.text, one.source.name, [])]
    settings = delivery.settings
    from sidecarctl.inject.secret_findings import mask_findings

    caused = find_caused(before, after, settings.kube_version, settings.kinds, settings.severities)
    return list(mask_findings(caused, frozenset[str]().union(*(result.secrets for _, result in processed))))


def _render(delivery: Delivery, processed: ProcessedDocuments, steps: NextSteps) -> str:
    if delivery.flags.quiet or not processed.changes:
        return ""
    if delivery.next_steps:
        steps.collect(processed.changes)
    return console.render_changes(
        processed.changes, verbose=delivery.flags.verbose, dry_run=delivery.flags.writes_nothing
    )


def _deliver_stream(delivery: Delivery, streamed: Streamed, name: str, steps: NextSteps) -> int:
    errors = [streamed.error] if streamed.error else []
    result = None if errors else Result("", (), streamed.findings, fails=delivery.settings.fails)
    one = Done(Source(name), Read(""), result, streamed.error)
    inputs = Inputs(((one.source, one.read),))
    nothing = None if errors or streamed.findings or streamed.workloads else find_selection_error(delivery, inputs)
    held_back = nothing is not None or bool(errors) or bool(one.result and one.result.failed)
    if not held_back:
        write_stdout(streaming.rewind(streamed.out))
    for error in errors:
        console.report_error(error)
    if nothing is not None:
        console.report_error(nothing)
        return EXIT_FINDINGS
    idle = "" if streamed.workloads else delivery.idle
    report_changes(replace(delivery, idle=idle), inputs, [one], streamed.findings, (), held_back=held_back)
    if not held_back:
        for line in streaming.rewind(streamed.lines):
            console.report(line.decode("utf-8", "surrogateescape"))
        console.report(console.render_next_steps(steps))
    return exit_code(delivery, [one], streamed.findings, errors)


def _transform_all(delivery: Delivery, transform: Transform, inputs: Inputs) -> Iterator[Done]:
    """Yield the result of each source. Files with companions of other files' workloads are processed after these."""
    groups: Mapping[str, Group] = {}
    if len(inputs.sources) > 1:
        from sidecarctl.cli.companion_files import find_companion_files

        groups = find_companion_files(inputs.sources, delivery.settings.kinds)
    if not groups:
        yield from _transform_each(delivery, transform, inputs, {}, {})
        return
    from sidecarctl.cli.companion_files import fail_together, transform_together

    together = transform_together(inputs.sources, groups, transform)
    done = list(_transform_each(delivery, transform, inputs, together.done, together.texts))
    yield from fail_together(done)


def _transform_each(
    delivery: Delivery, transform: Transform, inputs: Inputs, together: Mapping[str, Done], texts: Mapping[str, str]
) -> Iterator[Done]:
    """Yield the result of each source: one that is there, or that of its text."""

    def work(item: tuple[Source, Read]) -> Done:
        source, read = item
        watchdog.begin(source.name)
        if source.name in together:
            return together[source.name]
        try:
            result = transform(texts.get(source.name, read.text), source.name, ALONE)
            return Done(source, read, replace(result, original=read.text))
        except SidecarctlError as error:
            return Done(source, read, error=error)

    results: Iterator[Done] = map(work, inputs.sources)
    if len(inputs.sources) > 1:
        from sidecarctl import workers

        results = workers.spread(inputs.sources, work, delivery.flags.jobs)
    for done in results if delivery.flags.quiet else console.progress(results, len(inputs.sources)):
        if done.error and done.error.exit_code != EXIT_INPUT and not delivery.flags.keep_going:
            raise done.error
        yield done
    watchdog.begin()


def _deliver(
    delivery: Delivery, inputs: Inputs, done: Sequence[Done], record: Sequence[Write], roots: Mapping[Path, str]
) -> None:
    results = [one for one in done if not one.failed]
    if delivery.flags.diff:
        _print_diffs(results)
    elif delivery.flags.check:
        return
    elif delivery.flags.in_place or delivery.flags.output:
        from sidecarctl.files.write import write_all

        writes = replacements(results) if delivery.flags.in_place else outputs(delivery, done, inputs)
        console.report_lost(write_all(chain(writes, record), roots))
    elif delivery.flags.format == "text":
        write_stdout(_join(one.result.text for one in results if one.result))


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


def exit_code(
    delivery: Delivery, done: Sequence[Done], findings: Sequence[Finding], errors: Sequence[SidecarctlError]
) -> int:
    """Return the exit code of a run."""
    if errors:
        return max(error.exit_code for error in errors)
    limit = delivery.flags.severity()
    if any(one.result is not None and one.result.failed for one in done) and delivery.flags.fail_on != "never":
        return EXIT_FINDINGS
    if limit is not None and any(finding.severity.rank <= limit.rank for finding in findings):
        return EXIT_FINDINGS
    if delivery.flags.check and any(one.outdated for one in done):
        return EXIT_FINDINGS
    return EXIT_OK
