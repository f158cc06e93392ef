"""Checks the arguments of the Python API: each has its type, can be written as UTF-8, and has a bounded size and depth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.lazy_pattern import lazy_pattern

_SURROGATE = lazy_pattern("[\ud800-\udfff]")
_LONGEST_INTEGER = 1024  # bits
_DEPTH = 100


def check_manifest(text: object, file: str) -> str:
    """Return a text of manifests. Raises UsageError if it is not a string, InputError if it cannot be written as UTF-8."""
    checked = _check_string("text", text)
    if checked.isascii():
        return checked
    found = _SURROGATE.search(checked)
    if found:
        line = checked.count("\n", 0, found.start())
        column = found.start() - (checked.rfind("\n", 0, found.start()) + 1)
        raise InputError(
            f"invalid text: lone surrogate {_name(found[0])}",
            where=f"{file}:{line + 1}:{column + 1}",
            hint="decode the bytes as UTF-8, without the error handler surrogateescape or surrogatepass",
        )
    return checked


def check_word(name: str, value: object) -> str:
    """Return a string argument. Raises UsageError if it is not a string or cannot be written as UTF-8."""
    return _check_writable(name, _check_string(name, value))


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return a string argument that is one of the choices. Raises UsageError for any other."""
    word = check_word(name, value)
    if word not in choices:
        known = ", ".join(each for each in choices if each)
        raise UsageError(
            f"invalid {name} {_quote(word)}", hint=did_you_mean(word[:100], choices) or f"expected one of: {known}"
        )
    return word


def check_flag(name: str, value: object) -> bool:
    """Return an argument that is True or False. Raises UsageError for anything else."""
    if not isinstance(value, bool):
        raise UsageError(f"{name}: expected True or False, got {_describe(value)}")
    return value


def check_words(name: str, values: object) -> tuple[str, ...]:
    """Return an argument that is a sequence or set of strings. Raises UsageError for anything else, also for a string.

    A set is sorted: its own order is another one in each process.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, set, frozenset)):
        raise UsageError(
            f"{name}: expected a list of strings, got {_describe(values)}",
            hint=f"use {name}=[{_quote(values)}]" if isinstance(values, str) else "",
        )
    ordered = (
        values
        if isinstance(values, Sequence)
        else sorted(values, key=lambda each: each if isinstance(each, str) else "")
    )
    return tuple(check_word(f"{name}[{number}]", value) for number, value in enumerate(ordered))


def check_path(name: str, value: object) -> Path:
    """Return a path argument. Raises UsageError for anything that is not the path of a file."""
    try:
        given = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    except TypeError:  # of an object that gives something else
        given = None
    if not isinstance(given, str):
        raise UsageError(f"{name}: expected a path, got {_describe(value)}")
    path = str.__str__(given)
    if not path or "\0" in path:
        raise UsageError(f"{name}: invalid path {_quote(path)}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise UsageError(f"{name}: invalid path: lone surrogate {_name(path[error.start])}") from None
    try:
        Path(path).exists()
    except OSError as problem:
        raise UsageError(f"{name}: cannot access {_quote(path)}: {problem.strerror or problem}") from None
    return Path(path)


def check_paths(name: str, values: object) -> tuple[Path, ...]:
    """Return an argument that is a sequence of paths. Raises UsageError for anything else, also for one path."""
    if isinstance(values, (str, bytes, os.PathLike)) or not isinstance(values, Sequence):
        raise UsageError(f"{name}: expected a list of paths, got {_describe(values)}")
    return tuple(check_path(f"{name}[{number}]", value) for number, value in enumerate(values))


def check_parameters(values: object, sidecars: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return parameters by sidecar name as plain data that JSON can hold. Raises UsageError for anything else.

    `sidecars` are the names of the libraries; parameters of a sidecar that the call does not add have no effect.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise UsageError(f"parameters: expected a mapping of sidecars to mappings, got {_describe(values)}")
    count = [limits.VALUES.value]
    checked = {}
    for sidecar, given in values.items():
        name = check_word("parameters", sidecar)
        where = f"parameters[{_quote(name)}]"
        if not isinstance(given, Mapping):
            raise UsageError(f"{where}: expected a mapping, got {_describe(given)}")
        if name not in sidecars:
            raise UsageError(f"{where}: unknown sidecar", hint=did_you_mean(name[:100], sidecars) or "")
        checked[name] = _copy_mapping(where, given, _DEPTH, count)
    return checked


def _copy_mapping(where: str, value: Mapping[Any, Any], depth: int, count: list[int]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise UsageError(f"{where}: expected strings as keys, got {_describe(key)}")
        _check_writable(where, key)
    return {str.__str__(key): _copy(f"{where}[{_quote(key)}]", each, depth - 1, count) for key, each in value.items()}


def _copy(where: str, value: object, depth: int, count: list[int]) -> Any:
    """Return a copy of a value as JSON data. `count` is how many values it may still have.

    A subclass, such as a member of an Enum, becomes the string or number that it is.
    """
    count[0] -= 1
    if count[0] < 0:
        raise UsageError(f"parameters have more than {limits.VALUES.value:,} values", hint=limits.VALUES.way_out)
    if depth < 0:
        raise UsageError(f"{where[:100]}...: nested more than {_DEPTH} levels deep")
    if isinstance(value, str):
        return _check_writable(where, str.__str__(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > _LONGEST_INTEGER:
            raise UsageError(f"{where}: number with more than {_LONGEST_INTEGER} bits")
        return int.__int__(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise UsageError(f"{where}: {value} is not a number that YAML and JSON share")
        return float.__float__(value)
    if isinstance(value, Mapping):
        return _copy_mapping(where, value, depth, count)
    if isinstance(value, (list, tuple)):
        return [_copy(f"{where}[{number}]", each, depth - 1, count) for number, each in enumerate(value)]
    raise UsageError(f"{where}: expected a string, number, boolean, None, list, or mapping, got {_describe(value)}")


def _check_string(name: str, value: object) -> str:
    if not isinstance(value, str):
        hint = "decode it as UTF-8" if isinstance(value, bytes) else ""
        raise UsageError(f"{name}: expected a string, got {_describe(value)}", hint=hint)
    return str.__str__(value)


def _check_writable(name: str, text: str) -> str:
    found = None if text.isascii() else _SURROGATE.search(text)
    if found:
        raise UsageError(f"{name}: lone surrogate {_name(found[0])}, which UTF-8 cannot encode")
    return text


def _describe(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _quote(text: str) -> str:
    shown = text if len(text) <= 100 else f"{text[:100]}..."
    return '"' + shown.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
