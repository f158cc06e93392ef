"""Writes to stdout and stderr: reports, errors, progress. Decides colors and width."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from sidecarctl.errors import BugError, SidecarctlError, StepTooLong
from sidecarctl.findings import Finding, Severity
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report import terminal, text
from sidecarctl.results import WorkloadChange, plural
from sidecarctl.skipped import Skipped

if TYPE_CHECKING:
    from sidecarctl.report.summary import NextSteps

_T = TypeVar("_T")
_PROGRESS_DELAY = 1.0  # seconds
ISSUES = "https://github.com/sidecarctl/sidecarctl/issues"


@dataclass(frozen=True)
class StreamStyle:
    """How to write to a stream: colors, columns, and whether it can show box-drawing characters."""

    color: bool
    width: int
    lines: bool


def stream_style(stream: TextIO | None = None) -> StreamStyle:
    """Return the style of a stream, by default of stdout."""
    stream = stream or sys.stdout
    encoding = (stream.encoding or "").lower()
    return StreamStyle(
        terminal.use_color(stream, os.environ),
        terminal.columns(stream, os.environ),
        encoding.startswith("utf"),
    )


def color() -> bool:
    """Return whether stderr takes colors."""
    return terminal.use_color(sys.stderr, os.environ)


def width() -> int:
    """Return the width of stderr in columns."""
    return terminal.columns(sys.stderr, os.environ)


def report(message: str) -> None:
    """Write a message to stderr. If stderr is full or closed, this and all later messages are discarded."""
    message = terminal.without_commands(message)
    try:
        sys.stderr.write(message if message.endswith("\n") or not message else message + "\n")
    except OSError:
        discard(sys.stderr)


def report_line(line: str) -> None:
    """Write a line of plain text to stderr, with control characters of names as escapes."""
    report(terminal.visible(line))


def discard(stream: TextIO) -> None:
    """Discard what is buffered in a stream, and all that is written to it later."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def report_lost(lost: Sequence[str]) -> None:
    """Write what of the replaced files could not be kept to stderr."""
    for each in lost:
        report_line(f"note: {each}")


@cache
def report_foreign(path: Path, owner: int) -> None:
    """Write to stderr, once in a run, that a file or directory is not used because it belongs to another user (uid)."""
    report_line(f"warning: {path} is not used: it belongs to another user (uid {owner})")
    report_line(f"help: run sidecarctl as that user (in a container, with `--user {owner}`), or change the owner")


def report_findings(findings: Sequence[Finding], *, group: bool = False) -> None:
    """Write findings to stderr, with their source lines; `group` shows many warnings of one rule once."""
    if findings:
        report(text.render_findings(findings, color=color(), width=width(), group=group))


def report_error(error: SidecarctlError) -> None:
    """Write an error to stderr; for a bug, add how to report it."""
    report(text.render_error(error, color=color(), width=width()))
    if isinstance(error, BugError):
        report(f"This is a bug in sidecarctl. No files were written. Report it at {ISSUES}")


def report_bug(error: Exception) -> None:
    """Write an unexpected exception to stderr, and its traceback to a temporary file."""
    import tempfile
    import traceback

    from sidecarctl import __version__

    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="sidecarctl-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(f"sidecarctl {__version__}, Python {sys.version}\n{_without_values(sys.argv)!r}\n\n{trace}")
        details = f"the traceback is in {log.name}; "
    except OSError:
        details = ""
    bug = BugError(f"{type(error).__name__}: {error}")
    bug.hint = f"{details}report it with the input that causes it, without secrets"
    report_error(bug)


def _without_values(arguments: Sequence[str]) -> list[str]:
    """Return a command line without the values of parameters, which may be secret."""
    return [re.sub(r"=.*", "=...", word, flags=re.DOTALL) for word in arguments]


def render_changes(changes: Sequence[WorkloadChange], *, verbose: bool, dry_run: bool = False) -> str:
    """Return the report of a run: one line for each workload and instance."""
    from sidecarctl.report import summary

    return summary.render_changes(changes, color=color(), width=width(), verbose=verbose, dry_run=dry_run)


def render_next_steps(steps: NextSteps) -> str:
    """Return what to do after adding sidecars."""
    from sidecarctl.report import summary

    return summary.render_next_steps(steps, color=color(), width=width())


def report_skipped(skipped: Sequence[Skipped], *, verbose: bool = False) -> None:
    """Write what directories have besides manifests to stderr: one line, or with `verbose` a line for each too."""
    from sidecarctl.report import notes as lines

    report("".join(f"{line}\n" for line in lines.render_skipped(skipped, verbose=verbose)))


def report_summary(counts: Sequence[str], files: int, skipped: Sequence[Skipped], *, verbose: bool = False) -> None:
    """Write the last line of a run over several files: `12 files: 3 changed, 8 unchanged, 1 skipped (Helm chart)`."""
    from sidecarctl.report import notes as lines

    report("".join(f"{line}\n" for line in lines.render_summary(counts, files, skipped, verbose=verbose)))


def nothing_written(findings: Sequence[Finding], other_errors: int = 0) -> str:
    """Return the line that closes a failed run."""
    errors = other_errors + sum(finding.severity is Severity.ERROR for finding in findings)
    return f"no files written: {plural(errors, 'error')}"


def progress(items: Iterable[_T], total: int) -> Iterator[_T]:
    """Yield items; on a terminal, show a progress bar once they take longer than a second."""
    bar = task = None
    began = time.monotonic()
    try:
        for number, item in enumerate(items, 1):
            if bar is None and sys.stderr.isatty() and time.monotonic() - began > _PROGRESS_DELAY:
                from rich.console import Console
                from rich.progress import MofNCompleteColumn, Progress

                bar = Progress(
                    *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
                )
                task = bar.add_task("files", total=total)
                bar.start()
            if bar is not None and task is not None:
                bar.update(task, completed=number)
            yield item
    finally:
        if bar is not None:
            bar.stop()


@contextmanager
def log_to(path: Path | None, command: str, *, always: bool, named: bool) -> Iterator[None]:
    """Append what is written to stderr to a log file too, including the error that ends the run.

    Without `always`, a log that cannot be written is ignored. Without a path, nothing is logged. `named`: the user chose it.
    """
    if path is None:
        yield
        return
    from sidecarctl.integrations import helm

    tee = _Tee(sys.stderr)
    sys.stderr = tee
    try:
        yield
    except SidecarctlError as error:
        tee.written.append(text.render_error(error, color=False, width=0))
        if helm.append_run(path, command, tee.plain_text(), required=False, named=named):
            error.hint = f"{error.hint}{'; ' if error.hint else ''}see also {path}"
        raise
    except StepTooLong as slow:
        tee.written.append(text.render_error(slow.error, color=False, width=0))
        helm.append_run(path, command, tee.plain_text(), required=False, named=named)
        raise
    except Exception as error:
        tee.written.append(f"internal error: {type(error).__name__}: {error}\n")
        helm.append_run(path, command, tee.plain_text(), required=False, named=named)
        raise
    else:
        helm.append_run(path, command, tee.plain_text(), required=always, named=named)
    finally:
        sys.stderr = tee.stream


class _Tee:
    """A stream that also keeps what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.written: list[str] = []

    def write(self, message: str) -> int:
        self.written.append(message)
        return self.stream.write(message)

    def plain_text(self) -> str:
        """Return all that was written, without colors."""
        return re.sub(r"\x1b\[[0-9;]*m", "", "".join(self.written))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def write_text(text: str, stream: TextIO | None = None) -> None:
    """Write text for people to stdout or stderr, as UTF-8 and without translating line ends."""
    stream = stream or sys.stdout
    try:
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "backslashreplace"))
        stream.buffer.flush()
    except OSError:
        if stream is not sys.stderr:
            raise
        discard(stream)


def write_stdout(parts: Iterable[str | bytes]) -> None:
    """Write manifests or reports to stdout exactly, as UTF-8 and without translating line ends."""
    sys.stdout.flush()
    for part in parts:
        sys.stdout.buffer.write(part.encode("utf-8") if isinstance(part, str) else part)
    sys.stdout.buffer.flush()
