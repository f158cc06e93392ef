"""A time limit for schemas of other people: a pattern, or a schema that refers to itself, can run without end."""

from __future__ import annotations

import re
import warnings
from typing import Any

from sidecarctl.catalog.json_schema_messages import SchemaFault, SchemaProblem, explain_errors
from sidecarctl.cpu_time import TooSlow, run_in_time


def explain_in_time(schema: Any, value: object) -> list[SchemaProblem]:
    """Return the violations of a schema. Raises SchemaFault for an invalid schema, and if finding them takes too long."""
    try:
        answer = run_in_time(_explain, (schema, value))
    except TooSlow as problem:
        raise SchemaFault(f"validating the value {problem}") from None
    if isinstance(answer, str):
        raise SchemaFault(answer)
    return [SchemaProblem(tuple(path), *rest) for path, *rest in answer]


def _explain(request: tuple[Any, object]) -> list[list[Any]] | str:
    """Return the violations as JSON, or the fault of the schema."""
    try:
        found = explain_errors(*request)
    except SchemaFault as fault:
        return str(fault)
    return [[list(one.path), one.message, one.hint, one.on_key, one.missing] for one in found]


# A pattern without repetition inside a repeated group takes at most this many steps for n characters and k repetitions: n ** k.
_REPETITION = re.compile(r"[*+}]")
_CHOICE = re.compile(r"(?<!\()\?|\|")
_REPEATED_GROUP = re.compile(r"\)[*+{]|\(\?[^:]|\\[1-9]")
_FEW_STEPS = 1_000_000


def pattern_matches(pattern: str, text: str) -> bool:
    """Return True if the pattern matches anywhere in the text. Raise SchemaFault if that exceeds the time limit."""
    if _is_quick(pattern, len(text)):
        return _search((pattern, text))
    try:
        return bool(run_in_time(_search, (pattern, text)))
    except TooSlow as problem:
        raise SchemaFault(f'pattern "{pattern}" on {len(text)} characters {problem}') from None


def _is_quick(pattern: str, length: int) -> bool:
    if _REPEATED_GROUP.search(pattern):
        return length < 2
    ways = len(_CHOICE.findall(pattern))  # two each
    if ways > _FEW_STEPS.bit_length():
        return False
    steps: int = (length + 1) ** (len(_REPETITION.findall(pattern)) + 1) << ways
    return steps <= _FEW_STEPS


def _search(request: tuple[str, str]) -> bool:
    pattern, text = request
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the author of the schema, not of its user
            return re.search(pattern, text) is not None
    except (RecursionError, OverflowError) as error:  # thousands of groups, or of repetitions
        raise re.error(str(error)) from None
