"""Finding, Severity, Place: one thing to say about a manifest. Symbolic first: a check names a path, `locate` finds the line."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from sidecarctl.lazy_dataclass import dataclass

PathTuple = tuple["str | int", ...]


class Severity(str, Enum):
    """How much a finding matters: what breaks is an error, what costs is a warning, taste is info."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for error, 1 for warning, 2 for info: smaller is worse."""
        return ("error", "warning", "info").index(self.value)


@dataclass(frozen=True)
class Place:
    """A stretch of a file. Lines and columns count from 1, columns in characters; the end is exclusive.

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
        """Return the point that `file:line:column` names; None where line or column is not said."""
        head, _, column = where.rpartition(":")
        file, _, line = head.rpartition(":")
        if not (line.isdecimal() and column.isdecimal()):
            return None
        return cls(file, int(line), int(column), int(line), int(column), line_text)


@dataclass(frozen=True)
class Related:
    """Another place that helps to understand a finding, with a short label."""

    label: str
    path: PathTuple = ()
    place: Place | None = None


@dataclass(frozen=True)
class Remedy:
    """What `validate --fix` does about a finding, or why it does not; `refused` is empty where it does."""

    says: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing to say about a manifest.

    rule      kebab-case name, its identity everywhere
    message   what is wrong, one sentence without the place
    why       why it matters, may be empty
    help      what to do, may be empty
    path      keys and indices from the document's root; ("metadata", "name")
    on_key    underline the key instead of the value
    workload  "Deployment/web", container its name, role one of app|init|sidecar|classic|ephemeral
    source    where the cause stands: "input", or the sidecar's template that caused it ("sidecar logger@1.0.0")
    wants     what belongs there, where it is known: a type ("string"), the words that are allowed, what is missing
    remedy    the safe fix, None where there is none
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
    wants: tuple[str, ...] = ()
    remedy: Remedy | None = None

    @property
    def fixable(self) -> bool:
        """True where `--fix` puts it right."""
        return self.remedy is not None and not self.remedy.refused


@dataclass(frozen=True)
class Ignored:
    """A finding that the manifest itself asks to leave out, and the reason given there (may be empty)."""

    finding: Finding
    reason: str = ""


_LONGEST_QUOTE = 60


def quote(value: object) -> str:
    """Return a text in quotes, cut where it is long, for a message."""
    text = str(value).replace("\n", "\\n")
    return f'"{text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"}"'
