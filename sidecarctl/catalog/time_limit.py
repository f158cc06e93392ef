"""Limits for schemas of other people: a pattern, or a schema that refers to itself, can run without end or fill the memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sidecarctl.catalog.schema_problems import SchemaProblem
from sidecarctl.catalog.schema_references import SchemaFault, check_endless
from sidecarctl.cpu_time import TooSlow, run_in_child, run_in_time, time_limit
from sidecarctl.errors import LibraryError
from sidecarctl.lazy_pattern import lazy_pattern


def explain_in_time(schema: Any, value: object) -> list[SchemaProblem]:
    """Return the violations of a schema. Raises SchemaFault for an invalid schema, and if finding them takes too long."""
    try:
        answer = run_in_child(_explain, (schema, value))
    except TooSlow as problem:
        check_endless(schema)  # the limit of memory can come before that of recursion
        raise SchemaFault(f"validating the value {problem}") from None
    if isinstance(answer, str):
        raise SchemaFault(answer)
    return [SchemaProblem(tuple(path), *rest) for path, *rest in answer]


@contextmanager
def library_time_limit(work: str, where: str) -> Iterator[None]:
    """Limit the time of work on metadata of a library, as `time_limit` does. Raises LibraryError."""
    try:
        with time_limit():
            yield
    except TooSlow as problem:
        message, _, hint = str(problem).partition("; ")
        raise LibraryError(f"{work} {message}", where=where, hint=hint) from None


def _explain(request: tuple[Any, object]) -> list[list[Any]] | str:
    """Return the violations as JSON, or the fault of the schema."""
    from sidecarctl.catalog.json_schema_messages import explain_errors  # only for invalid values

    try:
        found = explain_errors(*request)
    except SchemaFault as fault:
        return str(fault)
    return [[list(one.path), one.message, one.hint, one.on_key, one.missing] for one in found]


# A pattern without repetition inside a repeated group takes at most this many steps for n characters and k repetitions: n ** k.
_REPETITION = lazy_pattern(r"[*+}]")
_CHOICE = lazy_pattern(r"(?<!\()\?|\|")
_REPEATED_GROUP = lazy_pattern(r"\)[*+{]|\(\?[^:]|\\[1-9]")
_FEW_STEPS = 1_000_000
# The memory of a search is at most about 200 bytes for each character and group.
_FEW_SAVED_GROUPS = 200_000


def pattern_matches(pattern: str, text: str) -> bool:
    """Return True if the pattern matches anywhere in the text.

    Raises SchemaFault if that exceeds the limits of time or memory, re.error for an invalid pattern.
    """
    is_small = (len(text) + 1) * (pattern.count("(") + 1) <= _FEW_SAVED_GROUPS
    try:
        if _is_quick(pattern, len(text)):
            answer = _search((pattern, text))
        else:
            answer = (run_in_time if is_small else run_in_child)(_search, (pattern, text))
    except TooSlow as problem:
        raise SchemaFault(f'pattern "{pattern}" on {len(text)} characters {problem}') from None
    if isinstance(answer, str):
        raise re.error(answer)
    return answer


def _is_quick(pattern: str, length: int) -> bool:
    if _REPEATED_GROUP.search(pattern):
        return length < 2
    ways = len(_CHOICE.findall(pattern))  # two each
    if ways > _FEW_STEPS.bit_length():
        return False
    steps: int = (length + 1) ** (len(_REPETITION.findall(pattern)) + 1) << ways
    return steps <= _FEW_STEPS


def _search(request: tuple[str, str]) -> bool | str:
    """Return whether a pattern is found, or why it is invalid."""
    from sidecarctl.catalog.schema_pattern import search  # most runs check no pattern

    pattern, text = request
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the author of the schema, not of its user
            return search(pattern, text)
    except (re.error, RecursionError, OverflowError) as error:  # also thousands of groups, or of repetitions
        return str(error)
