"""What can go wrong for a user: one exception per exit code, each with a hint. Knows nothing of YAML or Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_BUG = 4


class SidecarctlError(Exception):
    """Something that a user can put right.

    `message` says what and why, `hint` what to do, `where` is `file:line:column` (or less), `line_text` the line there if
    it is known, `exit_code` ends the process.
    """

    exit_code = EXIT_USAGE
    line_text = ""

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __reduce__(self) -> Any:
        """Come back from a worker process as it was, whatever a subclass is made from."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[SidecarctlError], args: tuple[Any, ...], state: dict[str, Any]) -> SidecarctlError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(SidecarctlError):
    """A flag, parameter, sidecar name or composition that makes no sense (exit 2)."""


class LibraryError(UsageError):
    """A library entry that can't be used: its metadata, schema, template or fragment is wrong (exit 2)."""


class TemplateRefusal(LibraryError):
    """What a template itself says against its parameters (exit 2)."""

    HINT = "the parameters do not go together; change the ones that the message names"

    def moved_to(self, place: str) -> TemplateRefusal:
        """Return the same, told of the parameter at `place`; the template's own place stays in the hint."""
        return TemplateRefusal(self.message, hint=f"{self.hint} (the template says so at {self.where})", where=place)


class InputError(SidecarctlError):
    """Input that can't be read or parsed (exit 3)."""

    exit_code = EXIT_INPUT


class BugError(SidecarctlError):
    """An invariant of sidecarctl's own does not hold (exit 4)."""

    exit_code = EXIT_BUG


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the closest of `known`, or an empty string."""
    import difflib  # for mistakes only

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""
