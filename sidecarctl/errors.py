"""Exceptions for users, by exit code, each with a hint."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_BUG = 4
_CLOSE = 0.6  # share of equal letters from which a word may be meant
_MOST_COMPARISONS = 100_000  # of words, for the suggestions of one list: they take 0.3 s


class SidecarctlError(Exception):
    """An error that a user can fix.

    `message` says what is wrong, `hint` how to fix it, `where` is `file:line:column` (or less), `line_text` the source line
    if known, `exit_code` the exit code of the process. `workload` is the workload that it occurred for.
    """

    exit_code = EXIT_USAGE
    line_text = ""
    workload = ""

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __reduce__(self) -> Any:
        """Pickle the error with its state, so that worker processes can return it."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[SidecarctlError], args: tuple[Any, ...], state: dict[str, Any]) -> SidecarctlError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(SidecarctlError):
    """An invalid option, parameter, sidecar name, or composition (exit 2)."""


class LibraryError(UsageError):
    """An invalid library entry: metadata, schema, template, or fragment (exit 2)."""


# Repeats no command: the options select workloads in every command.
_LEAVE_OUT = (
    'leave the workload out: select others with --name or --kind, or annotate it with sidecarctl.dev/inject: "false"'
)


_SEARCHED = 1_000  # characters of a message, for the names of parameters


class TemplateRefusal(LibraryError):
    """An error that a template raises about its parameters (exit 2)."""

    HINT = "change the parameters that the message names"

    def about(self, workload: str, place: str, parameters: Iterable[str]) -> None:
        """Set the workload that the template refuses, with its place; the hint names the parameters of the message."""
        message = self.message[:_SEARCHED]
        found = (re.search(rf"\b{re.escape(name)}\b(\.[a-z]\w*)*", message) for name in parameters)
        named = [match[0] for match in found if match]
        template, self.where = self.where, place
        way_out = f"use {' or '.join(f'--set {name}=...' for name in named)}" if named else _LEAVE_OUT
        self.hint = f"{way_out} (raised by the template at {template})"
        self.workload = workload

    def moved_to(self, place: str) -> TemplateRefusal:
        """Return the error at the place of the parameter; the hint names the place in the template."""
        return TemplateRefusal(self.message, hint=f"{self.hint} (raised by the template at {self.where})", where=place)


class TemplateStopped(LibraryError):
    """A template was stopped at the limit of time or memory: a second rendering would take as long (exit 2)."""


class InputError(SidecarctlError):
    """Input that cannot be read or parsed (exit 3)."""

    exit_code = EXIT_INPUT


class StepTooLong(BaseException):
    """Ends a command that takes too long; `error` says so. Not an Exception: no error that a command goes on after."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error


class BugError(SidecarctlError):
    """A broken invariant of sidecarctl (exit 4)."""

    exit_code = EXIT_BUG


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the closest of `known`, or an empty string."""
    import difflib

    # A file can have thousands of misspelled words, and difflib is slow.
    near = [each for each in known if _may_be_close(word, each)]
    close = difflib.get_close_matches(word, near, n=1, cutoff=_CLOSE) if near else ()
    return f'did you mean "{close[0]}"?' if close else ""


class Suggester:
    """Suggestions for a list of unknown words, which can be long: only the first ones are compared with the known words."""

    def __init__(self) -> None:
        self._left = _MOST_COMPARISONS

    def did_you_mean(self, word: str, known: Collection[str]) -> str:
        """Return what `did_you_mean` returns, or an empty string after too many comparisons."""
        if self._left <= 0:
            return ""
        self._left -= len(known)
        return did_you_mean(word, known)


def _may_be_close(one: str, two: str) -> bool:
    """Return False if the lengths differ too much, or too many letters of one word are not in the other one."""
    first, second = len(one), len(two)
    needed = _CLOSE * (first + second) / 2
    if first < needed or second < needed:
        return False
    letters, others = _letters(one), _letters(two)
    return first - len(letters - others) >= needed and second - len(others - letters) >= needed


@lru_cache(maxsize=1024)
def _letters(word: str) -> frozenset[str]:
    return frozenset(word)
