"""Where results go: standard output, a file, a folder, in place; or a diff, or only the exit code. All or nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from sidecarctl.cli import flowing, talk, workers
from sidecarctl.cli.delivery import Delivery, Done, refuse_nonsense, targets, with_present
from sidecarctl.cli.flowing import Flowed, Walk
from sidecarctl.cli.inputs import named
from sidecarctl.cli.printing import write_stdout
from sidecarctl.cli.reporting import exit_code, nothing_to_do, report
from sidecarctl.compose.pipeline import Result, Walked
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, SidecarctlError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source
from sidecarctl.files.write import Write, write_all

Transform = Callable[[str, str], Result]


def run(delivery: Delivery, transform: Transform, walk: Walk | None = None) -> int:
    """Take every source through a transformation, deliver the results, report, and return the exit code.

    A long stream goes through `walk`, which is the same for documents, without ever being in memory as a whole.
    """
    refuse_nonsense(delivery)
    data: bytes | None = None
    if walk is not None and flowing.suits(delivery):
        (path,) = named(delivery.files)
        stream = flowing.opened(path)
        if stream is not None and not isinstance(stream, bytes):
            name = delivery.stdin_filename or path if path == "-" else path
            with stream, flowing.flow(walk, stream, name, lambda walked: _told(delivery, walked)) as flowed:
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
        talk.say_error(error)
    if in_vain:
        talk.say_error(nothing_to_do(done))
        return EXIT_FINDINGS
    report(delivery, done, findings, changes, held_back)
    code = exit_code(delivery, done, findings, errors)
    if delivery.mirror and not held_back:
        from sidecarctl.cli import mirroring

        code = max(code, mirroring.finish(delivery, done))
    return code


def _told(delivery: Delivery, walked: Walked) -> str:
    quiet = delivery.quiet or not walked.changes
    return "" if quiet else talk.changes_text(walked.changes, verbose=delivery.verbose)


def _flowed(delivery: Delivery, flowed: Flowed, name: str) -> int:
    """Deliver what has flowed, report, and return the exit code."""
    errors = [flowed.error] if flowed.error else []
    one = Done(Source(name), Read(""), None if errors else Result("", (), flowed.findings))
    in_vain = delivery.needs_workload and not (errors or flowed.findings or flowed.workloads)
    held_back = in_vain or bool(errors) or bool(one.result and one.result.failed)
    if not held_back:
        write_stdout(flowing.waiting(flowed.out))
    for error in errors:
        talk.say_error(error)
    if in_vain:
        talk.say_error(nothing_to_do([one]))
        return EXIT_FINDINGS
    report(replace(delivery, idle="" if flowed.workloads else delivery.idle), [one], flowed.findings, (), held_back)
    if not held_back:
        for line in flowing.waiting(flowed.lines):
            talk.say(line.decode("utf-8", "surrogateescape"))
    return exit_code(delivery, [one], flowed.findings, errors)


def _worked(delivery: Delivery, transform: Transform, data: bytes | None = None) -> Iterator[Done]:
    """Yield what becomes of each source; `data` is standard input, where it has been read."""
    found = sources.find(named(delivery.files), delivery.stdin_filename or "-")
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
    worked = workers.spread(wanted, work, jobs)
    for done in worked if delivery.quiet else talk.progress(worked, len(wanted)):
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
