"""Where results go: standard output, a file, a folder, in place; or a diff, or only the exit code. All or nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli import flowing, talk, workers
from sidecarctl.cli.flowing import Flowed, Walk
from sidecarctl.cli.inputs import named
from sidecarctl.compose.pipeline import Result, Walked
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, SidecarctlError, UsageError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source
from sidecarctl.files.write import Write, write_all
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.lazily import dataclass
from sidecarctl.report.model import Report, WorkloadChange

Transform = Callable[[str, str], Result]


@dataclass(frozen=True)
class Mirror:
    """What is different where the output is the render of a tree.

    leave_out  sources that are no input: the composition's own files
    closing    what is to be said at the end, given the results of all sources
    prune      delete what an earlier run wrote into the output folder and this one does not
    """

    leave_out: Callable[[Source], bool]
    closing: Callable[[Sequence[Result]], Sequence[Finding]]
    prune: bool = False


@dataclass(frozen=True)
class Delivery:
    """What the options of input and output ask for."""

    files: Sequence[str]
    output: str | None = None
    in_place: bool = False
    diff: bool = False
    check: bool = False
    keep_going: bool = False
    fail_on: str = "error"
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    stdin_filename: str | None = None
    mirror: Mirror | None = None
    needs_workload: bool = False
    idle: str = ""
    jobs: int = 1

    @property
    def writes_nothing(self) -> bool:
        """True when only a diff or a verdict is asked for."""
        return self.diff or self.check

    def severity(self) -> Severity | None:
        """The mildest severity that fails the run."""
        return None if self.fail_on == "never" else Severity(self.fail_on)


@dataclass(frozen=True)
class Done:
    """One source with what became of it: a result, or the error that stopped it.

    `present` is what stands now where the result belongs: the input itself, or an output of an earlier run.
    """

    source: Source
    read: Read
    result: Result | None = None
    error: SidecarctlError | None = None
    present: str | None = None

    @property
    def outdated(self) -> bool:
        """True where the result is not what stands in its place."""
        return self.result is not None and self.result.text != self.now

    def told(self, delivery: Delivery) -> bool:
        """True where its changes are to be reported: of outputs that are compared, only those that differ."""
        return self.present is None or self.outdated or not delivery.writes_nothing

    @property
    def now(self) -> str:
        """What stands where the result belongs."""
        return self.read.text if self.present is None else self.present


def inputs(delivery: Delivery) -> list[str]:
    """Return what `-f` names; without it standard input. Raises UsageError where that is a terminal."""
    return named(delivery.files)


def run(delivery: Delivery, transform: Transform, walk: Walk | None = None) -> int:
    """Take every source through a transformation, deliver the results, report, and return the exit code.

    A long stream goes through `walk`, which is the same for documents, without ever being in memory as a whole.
    """
    _refuse_nonsense(delivery)
    data: bytes | None = None
    if walk is not None and flowing.suits(delivery):
        (path,) = inputs(delivery)
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
        done = list(_with_present(delivery, done))
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
        talk.say_error(_nothing_to_do(done))
        return EXIT_FINDINGS
    _report(delivery, done, findings, changes, held_back)
    code = _exit_code(delivery, done, findings, errors)
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
        talk.say_error(_nothing_to_do([one]))
        return EXIT_FINDINGS
    _report(replace(delivery, idle="" if flowed.workloads else delivery.idle), [one], flowed.findings, (), held_back)
    if not held_back:
        for line in flowing.waiting(flowed.lines):
            talk.say(line.decode("utf-8", "surrogateescape"))
    return _exit_code(delivery, [one], flowed.findings, errors)


def _worked(delivery: Delivery, transform: Transform, data: bytes | None = None) -> Iterator[Done]:
    """Yield what becomes of each source; `data` is standard input, where it has been read."""
    found = sources.find(inputs(delivery), delivery.stdin_filename or "-")
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
    for done in workers.spread(wanted, work, jobs):
        if done.error and done.error.exit_code != EXIT_INPUT and not delivery.keep_going:
            raise done.error
        yield done


def _refuse_nonsense(delivery: Delivery) -> None:
    if delivery.in_place and delivery.output:
        raise UsageError("--in-place and --output exclude each other", hint="drop one of them")
    if delivery.in_place and (not delivery.files or "-" in delivery.files):
        raise UsageError("--in-place needs files: standard input can't be replaced", hint="name them with -f")


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


def targets(delivery: Delivery, done: Sequence[Done]) -> list[Path]:
    """Return where each result goes: one input to the output file itself, several below the folder, as they stand below
    theirs.
    """
    assert delivery.output
    target = Path(delivery.output)
    if len(done) == 1 and not target.is_dir() and not (delivery.mirror and into_folder(delivery)):
        return [target]
    taken: dict[Path, str] = {}
    for one in done:
        path = target / (one.source.relative or "stdin.yaml")
        if path in taken:
            raise UsageError(f"{one.source.name} and {taken[path]} would both be written to {path}")
        taken[path] = one.source.name
    return list(taken)


def into_folder(delivery: Delivery) -> bool:
    """True where the output is a folder: it is one, is written like one, or what it mirrors is one or several."""
    output = delivery.output or ""
    return (
        Path(output).is_dir()
        or output.endswith(("/", os.sep))
        or len(delivery.files) > 1
        or any(Path(file).is_dir() for file in delivery.files)
    )


def _with_present(delivery: Delivery, done: Sequence[Done]) -> Iterator[Done]:
    """Compare with the outputs that are there, where the run has any; a file that is not there counts as empty."""
    if not delivery.output:
        yield from done
        return
    for path, one in zip(targets(delivery, done), done):
        try:
            text = sources.decode(path.read_bytes(), str(path))
        except (OSError, SidecarctlError):
            text = ""
        yield replace(one, present=text, source=replace(one.source, name=str(path)))


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


def stdin_bytes() -> bytes:
    """Return what another program pipes in. Raises UsageError where standard input is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "nothing is piped in: this command is run by another program",
            hint="see the example in --help; for manifests of your own use `sidecarctl render`",
        )
    return sys.stdin.buffer.read()


def write_stdout(parts: Iterable[str | bytes]) -> None:
    """Write text to standard output exactly: no translation of line ends, UTF-8 whatever the locale."""
    sys.stdout.flush()
    for part in parts:
        sys.stdout.buffer.write(part.encode("utf-8") if isinstance(part, str) else part)
    sys.stdout.buffer.flush()


def _print_diffs(done: Sequence[Done]) -> None:
    from sidecarctl.report.diff import unified
    from sidecarctl.report.terminal import use_color

    color = use_color(sys.stdout, os.environ)
    write_stdout(
        unified(one.now, one.result.text, one.source.name, color=color, terminal=sys.stdout.isatty())
        for one in done
        if one.result
    )


def _report(
    delivery: Delivery,
    done: Sequence[Done],
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    held_back: bool,
) -> None:
    if delivery.format != "text":
        verdict = _verdict(delivery, done) if delivery.check else ()
        print_report(delivery, [*findings, *verdict], changes, [one.source.name for one in done])
        return
    talk.say_findings([f for f in findings if not delivery.quiet or f.severity is Severity.ERROR])
    if delivery.quiet:
        return
    nothing = not findings and not any(one.result.changes for one in done if one.result)
    if delivery.mirror and not delivery.verbose:
        changes = [change for change in changes if change.changed or change.skipped]
    talk.say_changes(changes, verbose=delivery.verbose, held_back=held_back)
    if nothing and delivery.idle and not held_back:
        talk.say(delivery.idle)


def _verdict(delivery: Delivery, done: Sequence[Done]) -> Iterator[Finding]:
    """What `--check` found to change, for a program that reads findings and no exit codes."""
    from sidecarctl.report.outdated import RULE, outdated

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

    report = Report(
        __version__,
        tuple(findings),
        (),
        tuple(changes),
        tuple(files),
        root=str(Path.cwd()),
        fail_on=delivery.severity(),
    )
    write_stdout([machine.render(report, delivery.format)])


def _nothing_to_do(done: Sequence[Done]) -> SidecarctlError:
    """An input without a workload is more likely a mistake than a wish."""
    names = ", ".join(one.source.name for one in done[:3]) + (", ..." if len(done) > 3 else "")
    return UsageError(
        f"no workload found in {names}: nothing was added",
        hint="a workload is a Pod, Deployment, StatefulSet, DaemonSet, Job, CronJob or another kind with a pod template",
    )


def _exit_code(
    delivery: Delivery, done: Sequence[Done], findings: Sequence[Finding], errors: Sequence[SidecarctlError]
) -> int:
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
