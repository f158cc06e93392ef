"""Where results go: standard output, a file, a folder, in place; or a diff, or only the exit code. All or nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli import console, parallel, streaming
from sidecarctl.cli.console import write_stdout
from sidecarctl.cli.delivery import Delivery, Done, refuse_nonsense, targets, with_present
from sidecarctl.cli.streaming import Flowed, Walk
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, SidecarctlError, UsageError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source, input_paths
from sidecarctl.files.write import Write, write_all
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.inject.pipeline import Result, Walked
from sidecarctl.results import Report, WorkloadChange

Transform = Callable[[str, str], Result]


def run(delivery: Delivery, transform: Transform, walk: Walk | None = None) -> int:
    """Take every source through a transformation, deliver the results, report, and return the exit code.

    A long stream goes through `walk`, which is the same for documents, without ever being in memory as a whole.
    """
    refuse_nonsense(delivery)
    data: bytes | None = None
    if walk is not None and streaming.suits(delivery):
        (path,) = input_paths(delivery.files)
        stream = streaming.opened(path)
        if stream is not None and not isinstance(stream, bytes):
            name = delivery.stdin_filename or path if path == "-" else path
            with stream, streaming.flow(walk, stream, name, lambda walked: _told(delivery, walked)) as flowed:
                if flowed is not None:
                    return _flowed(delivery, flowed, name)
                stream.seek(0)
                data = stream.read() if path == "-" else None
        else:
            data = stream
    done = list(_worked(delivery, transform, data))
    errors = [one.error for one in done if one.error is not None]
    findings = [finding for one in done if one.result for finding in one.result.findings]
    if delivery.mirror and not errors:
        findings += delivery.mirror.closing([one.result for one in done if one.result])
        done = list(with_present(delivery, done))
    changes = [change for one in done if one.result and one.told(delivery) for change in one.result.changes]
    failed = any(one.result is not None and one.result.failed for one in done)
    in_vain = delivery.needs_workload and not (errors or findings or changes)
    held_back = in_vain or ((bool(errors) or failed) and not delivery.keep_going)
    report_is_output = delivery.format != "text"
    if not held_back:
        _deliver(delivery, [one for one in done if one.result and not one.result.failed], report_is_output)
    for error in errors:
        console.say_error(error)
    if in_vain:
        console.say_error(nothing_to_do(done))
        return EXIT_FINDINGS
    report_changes(delivery, done, findings, changes, held_back)
    code = exit_code(delivery, done, findings, errors)
    if delivery.mirror and not held_back:
        from sidecarctl.cli import prune

        code = max(code, prune.finish(delivery, done))
    return code


def _told(delivery: Delivery, walked: Walked) -> str:
    quiet = delivery.quiet or not walked.changes
    return "" if quiet else console.changes_text(walked.changes, verbose=delivery.verbose)


def _flowed(delivery: Delivery, flowed: Flowed, name: str) -> int:
    """Deliver what has flowed, report, and return the exit code."""
    errors = [flowed.error] if flowed.error else []
    one = Done(Source(name), Read(""), None if errors else Result("", (), flowed.findings))
    in_vain = delivery.needs_workload and not (errors or flowed.findings or flowed.workloads)
    held_back = in_vain or bool(errors) or bool(one.result and one.result.failed)
    if not held_back:
        write_stdout(streaming.waiting(flowed.out))
    for error in errors:
        console.say_error(error)
    if in_vain:
        console.say_error(nothing_to_do([one]))
        return EXIT_FINDINGS
    report_changes(
        replace(delivery, idle="" if flowed.workloads else delivery.idle), [one], flowed.findings, (), held_back
    )
    if not held_back:
        for line in streaming.waiting(flowed.lines):
            console.say(line.decode("utf-8", "surrogateescape"))
    return exit_code(delivery, [one], flowed.findings, errors)


def _worked(delivery: Delivery, transform: Transform, data: bytes | None = None) -> Iterator[Done]:
    """Yield what becomes of each source; `data` is standard input, where it has been read."""
    found = sources.find(input_paths(delivery.files), delivery.stdin_filename or "-")
    wanted = [source for source in found if not (delivery.mirror and delivery.mirror.leave_out(source))]

    def work(source: Source) -> Done:
        read = Read("")
        try:
            held = data is not None and source.path is None
            read = Read(sources.decode(data or b"", source.name)) if held else sources.read(source)
            return Done(source, read, transform(read.text, source.name))
        except SidecarctlError as error:
            return Done(source, read, error=error)

    # Only this process has standard input.
    jobs = delivery.jobs if all(source.path for source in wanted) else 1
    worked = parallel.spread(wanted, work, jobs)
    for done in worked if delivery.quiet else console.progress(worked, len(wanted)):
        if done.error and done.error.exit_code != EXIT_INPUT and not delivery.keep_going:
            raise done.error
        yield done


def _deliver(delivery: Delivery, done: Sequence[Done], report_is_output: bool) -> None:
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
    elif not report_is_output:
        write_stdout(_joined(one.result.text for one in done if one.result))


def _outputs(delivery: Delivery, done: Sequence[Done]) -> Iterator[Write]:
    for path, one in zip(targets(delivery, done), done):
        assert one.result
        if delivery.mirror is None or one.outdated or not path.exists():
            yield Write(path, one.result.text)


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """Several texts as one stream: a separator where the next does not bring its own."""
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
    from sidecarctl.report.diff import unified
    from sidecarctl.report.terminal import use_color

    color = use_color(sys.stdout, os.environ)
    write_stdout(
        unified(one.now, one.result.text, one.source.name, color=color, terminal=sys.stdout.isatty())
        for one in done
        if one.result
    )


def report_changes(
    delivery: Delivery,
    done: Sequence[Done],
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    held_back: bool,
) -> None:
    """Say what was found and done; to another program as the report that it asked for."""
    if delivery.format != "text":
        verdict = _verdict(delivery, done) if delivery.check else ()
        print_report(delivery, [*findings, *verdict], changes, [one.source.name for one in done])
        return
    console.say_findings([f for f in findings if not delivery.quiet or f.severity is Severity.ERROR])
    if delivery.quiet:
        return
    nothing = not findings and not any(one.result.changes for one in done if one.result)
    if delivery.mirror and not delivery.verbose:
        changes = [change for change in changes if change.changed or change.skipped]
    console.say_changes(changes, verbose=delivery.verbose, held_back=held_back)
    if nothing and delivery.idle and not held_back:
        console.say(delivery.idle)


def _verdict(delivery: Delivery, done: Sequence[Done]) -> Iterator[Finding]:
    """What `--check` found to change, for a program that reads findings and no exit codes."""
    from sidecarctl.results import RULE, outdated

    for one in done:
        if one.result is None or one.result.failed or not one.outdated:
            continue
        if one.present is None:
            yield from outdated(one.result.changes, "run the same command without --check")
        else:
            name = one.source.name
            place = Place(name, 1, 1, 1, 1)
            yield Finding(
                RULE, f"what is made of {name} is out of date", help="run the same command without --check", place=place
            )


def print_report(
    delivery: Delivery, findings: Sequence[Finding], changes: Sequence[WorkloadChange], files: Sequence[str]
) -> None:
    """Write a report for another program to standard output."""
    from sidecarctl.report import machine

    whole = Report(
        __version__,
        tuple(findings),
        (),
        tuple(changes),
        tuple(files),
        root=str(Path.cwd()),
        fail_on=delivery.severity(),
    )
    write_stdout([machine.render(whole, delivery.format)])


def nothing_to_do(done: Sequence[Done]) -> SidecarctlError:
    """An input without a workload is more likely a mistake than a wish."""
    names = ", ".join(one.source.name for one in done[:3]) + (", ..." if len(done) > 3 else "")
    return UsageError(
        f"no workload found in {names}: nothing was added",
        hint="a workload is a Pod, Deployment, StatefulSet, DaemonSet, Job, CronJob or another kind with a pod template",
    )


def exit_code(
    delivery: Delivery, done: Sequence[Done], findings: Sequence[Finding], errors: Sequence[SidecarctlError]
) -> int:
    """Return how the run ends."""
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
