"""Findings: diagnostics about a manifest, with severity, path, and place in a file."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from sidecarctl.lazy_dataclass import dataclass, field

PathTuple = tuple["str | int", ...]


class Severity(str, Enum):
    """The severity of a finding: error (fails), warning (costs or may fail), or info (style)."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """The position from most to least severe: 0 error, 1 warning, 2 info."""
        return ("error", "warning", "info").index(self.value)


@dataclass(frozen=True)
class Place:
    """A range in a file. Lines and columns start at 1, columns count characters, and the end is exclusive.

    `line_text` is the source line without its line end, for the snippet.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    line_text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @classmethod
    def parse(cls, where: str, line_text: str = "") -> Place | None:
        """Return the place for `file:line:column`, None if line or column is missing."""
        head, _, column = where.rpartition(":")
        file, _, line = head.rpartition(":")
        if not (line.isdecimal() and column.isdecimal()):
            return None
        return cls(file, int(line), int(column), int(line), int(column), line_text)


@dataclass(frozen=True)
class Related:
    """A second place that explains a finding, with a short label."""

    label: str
    path: PathTuple = ()
    place: Place | None = None


@dataclass(frozen=True)
class AutoFix:
    """The automatic fix of a finding: its description, or the reason why it is refused ("" if it is not)."""

    description: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Finding:
    """One diagnostic about a manifest.

    rule      name of the rule, in kebab case
    message   what is wrong: one line without the place
    why       consequences in full sentences, or ""
    help      how to fix it, or ""
    path      keys and indices from the root of the document: ("metadata", "name")
    on_key    True to underline the key instead of the value
    workload  label of the workload: "Deployment/web"
    container name of the container, or ""
    role      role of the container: app, init, sidecar, classic, or ephemeral
    source    origin of the cause: "input", or the sidecar template: "sidecar logger@1.0.0"
    expected  known valid content: a type ("string"), allowed values, or names of missing items
    autofix    the safe fix, None if there is none
    hides_line  True if the source line can have a secret, so that reports do not show it
    """

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    path: PathTuple = ()
    on_key: bool = False
    why: str = ""
    help: str = ""
    workload: str = ""
    container: str = ""
    role: str = ""
    source: str = "input"
    related: tuple[Related, ...] = field(default=())
    place: Place | None = None
    expected: tuple[str, ...] = ()
    autofix: AutoFix | None = None
    hides_line: bool = False

    @property
    def fixable(self) -> bool:
        """True if `--fix` fixes the finding."""
        return self.autofix is not None and not self.autofix.refused


@dataclass(frozen=True)
class Ignored:
    """A finding that an ignore in the manifest hides, with the reason given there, or ""."""

    finding: Finding
    reason: str = ""


MAX_QUOTE_LENGTH = 60
ELLIPSIS = "…"  # ends a shortened value


def shorten(text: str, most: int) -> str:
    """Return a text with at most so many characters, and an ellipsis if it has more."""
    return text if len(text) <= most else text[:most] + ELLIPSIS


def omit_long(text: str, most: int) -> str:
    """Return a message, or its length if it is longer. A part of it could end inside a secret, which could not be masked."""
    return text if len(text) <= most else f"a message of more than {most:,} characters"


def quote(value: object) -> str:
    """Return a value as quoted text for a message, shortened to 60 characters."""
    text = str(value).replace("\n", "\\n")
    return f'"{shorten(text, MAX_QUOTE_LENGTH)}"'


def list_first(names: Sequence[str], shown: int) -> str:
    """Return the first names as a list: `a, b`, or `a, b, and 4 more`."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f", and {rest} more" if rest > 0 else "")


def list_some(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names as a list in a sentence: `a`, `a and b`, `a, b, and c`, or `a, b, c, and 4 others`."""
    rest = len(names) - shown
    words = [*names[:shown], *([f"{rest} other{'s' * (rest > 1)}"] if rest > 0 else [])]
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"
