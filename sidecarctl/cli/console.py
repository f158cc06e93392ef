"""What goes to standard error, and how a report is chosen. Decides colour and width once."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sidecarctl.errors import BugError, SidecarctlError
from sidecarctl.findings import Finding
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report import terminal, text
from sidecarctl.results import WorkloadChange

_T = TypeVar("_T")
_PATIENCE = 1.0  # seconds
ISSUES = "https://github.com/sidecarctl/sidecarctl/issues"


def color() -> bool:
    """True when standard error takes colours."""
    return terminal.use_color(sys.stderr, os.environ)


def width() -> int:
    """Columns of the terminal behind standard error."""
    return terminal.columns(sys.stderr, os.environ)


def say(message: str) -> None:
    """Write to standard error."""
    sys.stderr.write(message if message.endswith("\n") or not message else message + "\n")


def progress(items: Iterable[_T], total: int) -> Iterator[_T]:
    """Yield items; on a terminal, where it takes longer than a second, with a bar that is gone when they are."""
    bar = task = None
    began = time.monotonic()
    try:
        for number, item in enumerate(items, 1):
            if bar is None and sys.stderr.isatty() and time.monotonic() - began > _PATIENCE:
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


def say_findings(findings: Sequence[Finding]) -> None:
    """Write findings as a compiler does."""
    if findings:
        say(text.render_findings(findings, color=color(), width=width()))


def say_error(error: SidecarctlError) -> None:
    """Write an error; a bug says how to report it."""
    say(text.render_error(error, color=color(), width=width()))
    if isinstance(error, BugError):
        say(f"This is a bug in sidecarctl, and nothing was written. Please report it: {ISSUES}")


def say_bug(error: Exception) -> None:
    """Write what is known of an unforeseen failure; the trace goes to a file."""
    import tempfile
    import traceback

    from sidecarctl import __version__

    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="sidecarctl-", suffix=".log", delete=False) as log:
            log.write(f"sidecarctl {__version__}, Python {sys.version}\n{_told(sys.argv)!r}\n\n{trace}")
        kept = f"The details are in {log.name}. "
    except OSError:
        kept = ""
    bug = BugError(f"{type(error).__name__}: {error}")
    bug.hint = f"{kept}please report it with the input that causes it"
    say_error(bug)


def _told(arguments: Sequence[str]) -> list[str]:
    """A command line without the values of parameters, which may be secret."""
    return [re.sub(r"=.*", "=...", word, flags=re.DOTALL) for word in arguments]


def say_changes(changes: Sequence[WorkloadChange], *, verbose: bool, held_back: bool) -> None:
    """Write the human report: a line per workload."""
    if held_back:
        say("nothing was written, because of the errors above")
    else:
        say(changes_text(changes, verbose=verbose))


def changes_text(changes: Sequence[WorkloadChange], *, verbose: bool) -> str:
    """Return the lines of the human report."""
    from sidecarctl.report import summary

    return summary.render_changes(changes, color=color(), width=width(), verbose=verbose)


@contextmanager
def logged(path: Path | None, command: str, *, asked_for: bool) -> Iterator[None]:
    """Write what is said meanwhile to a log too, errors that end the run included; None writes none.

    The error that reaches standard error names the log.
    """
    if path is None:
        yield
        return
    from sidecarctl.integrations import helm

    said = _Tee(sys.stderr)
    sys.stderr = said
    try:
        yield
    except SidecarctlError as error:
        said.heard.append(text.render_error(error, color=False, width=0))
        if helm.append(path, command, said.told(), asked_for=False):
            error.hint = f"{error.hint}{'; ' if error.hint else ''}this is also in {path}"
        raise
    except Exception as problem:
        said.heard.append(f"internal error: {type(problem).__name__}: {problem}\n")
        helm.append(path, command, said.told(), asked_for=False)
        raise
    else:
        helm.append(path, command, said.told(), asked_for=asked_for)
    finally:
        sys.stderr = said.stream


class _Tee:
    """Standard error that remembers what was written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.heard: list[str] = []

    def write(self, message: str) -> int:
        self.heard.append(message)
        return self.stream.write(message)

    def told(self) -> str:
        """All that was written, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", "".join(self.heard))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@dataclass(frozen=True)
class Looks:
    """Colours or not, columns, and whether characters that draw lines can be shown."""

    color: bool
    width: int
    lines: bool


def looks(stream: TextIO | None = None) -> Looks:
    """Return how standard output looks, or another stream."""
    stream = stream or sys.stdout
    encoding = (stream.encoding or "").lower()
    return Looks(
        terminal.use_color(stream, os.environ),
        terminal.columns(stream, os.environ),
        encoding.startswith("utf"),
    )


def out(text: str, stream: TextIO | None = None) -> None:
    """Write text to standard output, or another stream: no translation of line ends, UTF-8 whatever the locale."""
    stream = stream or sys.stdout
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "backslashreplace"))
    stream.buffer.flush()


def write_stdout(parts: Iterable[str | bytes]) -> None:
    """Write text to standard output exactly: no translation of line ends, UTF-8 whatever the locale."""
    sys.stdout.flush()
    for part in parts:
        sys.stdout.buffer.write(part.encode("utf-8") if isinstance(part, str) else part)
    sys.stdout.buffer.flush()
