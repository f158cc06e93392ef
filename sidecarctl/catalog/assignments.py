"""Parse parameters given as text: `--set KEY=VALUE`, `--set-file KEY=PATH`, and `--values FILE`."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.files.sources import decode
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.parse import Lines, SyntaxProblem, parse

# What may be meant to separate a key from a value, which can be a secret.
_SEPARATOR = lazy_pattern(r"[:=\s]")
_STEP = lazy_pattern(r"(?:\\.|[^.\[\\])+|\[[^\]]*\]|\.")
_OUTER_STEP = lazy_pattern(r"(?:\\.|[^.\[\\])*")
_MAX_ITEMS = 1000
_FORMS = {
    "--set": ("KEY=VALUE", "--set period=30s"),
    "--set-file": ("KEY=PATH", "--set-file config=config.yaml"),
    "--security-context": ("KEY=VALUE", "--security-context runAsUser=null"),
}


# Returns a dotted key as messages show it: its inner steps can be secret.
ShowKey = Callable[[str], str]


def outer_key(key: str) -> str:
    """Return a dotted key up to its first step, with three dots in place of the rest, which can be a secret."""
    found = _OUTER_STEP.match(key)
    return key if found is None or found.end() == len(key) else f"{found[0]}..."


class RawText(str):
    """Text that is parsed later, when the schema of the parameter determines its type: `1.10` can be a number or a
    string.
    """


def split_key(key: str, show: ShowKey = str) -> list[str | int]:
    """Return the steps of `a.b[0].c`; a backslash escapes a dot or bracket: `a.b\\.c`. Messages have the key as `show` returns it.

    Raise UsageError for an invalid key.
    """
    steps: list[str | int] = []
    wants_name, position = True, 0
    while position < len(key):
        found = _STEP.match(key, position)
        token = found.group() if found else ""
        if token == "." and not wants_name:
            wants_name = True
        elif token.startswith("[") and not wants_name and token[1:-1].isdecimal() and len(token) < 8:
            steps.append(int(token[1:-1]))
        elif token and token[0] not in ".[" and (wants_name):
            steps.append(re.sub(r"\\(.)", r"\1", token))
            wants_name = False
        else:
            raise UsageError(f'invalid parameter key "{show(key)}"', hint=_KEY_HINT)
        position += len(token)
    if wants_name:
        raise UsageError(f'invalid parameter key "{show(key)}"', hint=_KEY_HINT)
    if len(steps) > limits.DEPTH.value:
        raise UsageError(f"a parameter key has {len(steps):,} levels", hint=limits.DEPTH.way_out)
    return steps


_KEY_HINT = "use name, name.inner, name[0], or, for a dot in a key, name.with\\.dot"


def assign(target: dict[str, Any], key: str, value: object, show: ShowKey = str) -> None:
    """Set the value at a dotted key in `target` and create missing mappings and lists.

    Raise UsageError if the path goes through another type or past the end of a list.
    """
    steps = split_key(key, show)

    def require(condition: bool, what: str) -> None:
        if not condition:
            place = "" if show(key) != key else f" at [{step}]" if isinstance(step, int) else f' at "{step}"'
            raise UsageError(f'cannot set "{show(key)}"{place}: {what}', hint="set the outer value first")

    here: Any = target
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        fresh: Any = value if last else [] if isinstance(steps[number + 1], int) else {}
        if isinstance(step, int):
            require(isinstance(here, list), "the current value is not a list")
            require(step <= len(here) < _MAX_ITEMS, f"the length of the list is {len(here)}")
            if step == len(here):
                here.append(fresh)
            elif last:
                here[step] = value
        else:
            require(isinstance(here, dict), "the current value is not a mapping")
            if last or here.get(step) is None:
                here[step] = fresh
        here = here[step]


def parse_set(texts: Sequence[str], sidecars: Sequence[str], show: ShowKey = str) -> dict[str, dict[str, Any]]:
    """Return the parameters of `--set [SIDECAR.]KEY=VALUE` by sidecar. Values are `RawText`.

    `sidecars` are the valid sidecar names; if there is only one, keys can omit it. Messages have keys as `show` returns them.
    """
    given: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, key, value = parse_assignment(text, sidecars, show=show)
        try:
            assign(given.setdefault(name, {}), key, RawText(value), partial(_show_own, show, name))
        except UsageError as error:
            error.where = error.where or f"--set {show(_split_at_equals(text)[0])}=..."
            raise
    return given


def _show_own(show: ShowKey, name: str, key: str) -> str:
    """Return a key without the name of its sidecar as messages show it."""
    return show(f"{name}.{key}").removeprefix(f"{name}.")


def parse_set_files(texts: Sequence[str], sidecars: Sequence[str], show: ShowKey = str) -> dict[str, dict[str, Any]]:
    """Return the parameters of `--set-file [SIDECAR.]KEY=PATH` by sidecar. Values are the texts of the files.

    Raise UsageError for an invalid option, InputError for a file that cannot be read or is not UTF-8.
    """
    given: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, key, path = parse_assignment(text, sidecars, "--set-file", show)
        where = f"--set-file {show(_split_at_equals(text)[0])}={path}"
        value = _read_parameter_file(path, where)
        try:
            assign(given.setdefault(name, {}), key, value, partial(_show_own, show, name))
        except UsageError as error:
            error.where = error.where or where
            raise
    return given


def _read_parameter_file(path: str, where: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            data = limits.read_at_most(stream, limits.FILE.value + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}", where=where, hint="check the path") from None
    if len(data) > limits.FILE.value:
        raise InputError(f"{path} is larger than {limits.FILE.value >> 10} KiB", where=where, hint=limits.FILE.way_out)
    return decode(data, path)


def parse_assignment(
    text: str, sidecars: Sequence[str], flag: str = "--set", show: ShowKey = str
) -> tuple[str, str, str]:
    """Return the sidecar, key, and value of `[SIDECAR.]KEY=VALUE`. Raise UsageError if one is missing.

    `flag` is the option for messages: one of `_FORMS`.
    """
    key, equals, value = _split_at_equals(text)
    # A value can be a secret, also one behind another separator.
    shown = f"{show(key)}{equals}{value}" if flag == "--set-file" else show(hide_value(text))
    where = f"{flag} {shown}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("parameter is not valid UTF-8", where=f"{flag} {show(key)}", hint="encode it as UTF-8")
    if not equals or not key or (flag == "--set-file" and not value):
        form, example = _FORMS[flag]
        raise UsageError(f'invalid parameter "{shown}": expected {form}', hint=f"example: {example}", where=where)
    return *split_sidecar(key, [name.partition("@")[0] for name in sidecars], where, show), value


def hide_value(text: str) -> str:
    """Return a word up to its first separator, with three dots in place of the rest, which can be a value."""
    found = _SEPARATOR.search(text)
    return f"{text[: found.end()]}..." if found else text


def _split_at_equals(text: str) -> tuple[str, str, str]:
    found = re.match(r"((?:\\.|[^=\\])*)(=?)", text)
    assert found is not None
    return found[1], found[2], text[found.end() :]


def split_sidecar(key: str, names: Sequence[str], where: str, show: ShowKey = str) -> tuple[str, str]:
    """Return the sidecar that a key belongs to, and the rest of the key."""
    first, dot, rest = key.partition(".")
    if dot and rest and first in names:
        return first, rest
    if len(set(names)) == 1:
        return names[0], key
    if not names:
        raise UsageError("no sidecar to set parameters for", where=where, hint="add the name of a sidecar")
    find_origin = did_you_mean(first, names) if dot else ""
    raise UsageError(
        f'ambiguous parameter "{show(key)}": it can belong to {len(set(names))} sidecars',
        where=where,
        hint=find_origin or f"use <sidecar>.<key>=<value>, where <sidecar> is one of {', '.join(names)}",
    )


def read_values(text: str, file: str, sidecars: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a `--values` file by sidecar.

    Raise InputError for invalid YAML, UsageError with the location for anything but a mapping of names in `sidecars` to
    parameters.
    """
    try:
        root = parse(text)
    except SyntaxProblem as problem:
        problem.hide_content()
        raise InputError(problem.message, where=_locate(text, file, problem.offset), hint=problem.hint) from None
    if root is None or root.value is None:
        return {}
    shape = "a values file maps sidecar names to parameters: `logger: {logDir: /srv/log}`"
    if not isinstance(root.value, dict):
        raise UsageError("values file: expected a mapping", where=_locate(text, file, root.start), hint=shape)
    names = [name.partition("@")[0] for name in sidecars]
    pairs = getattr(root, "pairs", {})
    for name, value in root.value.items():
        start = pairs[name][0].start if name in pairs else root.start
        if name not in names:
            raise UsageError(
                f'unknown sidecar "{name}" in values file',
                where=_locate(text, file, start),
                hint=did_you_mean(name, names) or shape,
            )
        if value is not None and not isinstance(value, dict):
            raise UsageError(f"parameters of {name}: expected a mapping", where=_locate(text, file, start), hint=shape)
    return {name: copy.deepcopy(value) for name, value in root.value.items() if value}


def _locate(text: str, file: str, offset: int) -> str:
    line, column = Lines(text).at(offset)
    return f"{file}:{line + 1}:{column + 1}"


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings recursively; values of `over` replace those of `under`."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


MISSING = object()


def value_at(values: Any, path: Sequence[str]) -> Any:
    """Return the value of parameters at a path, which can be null; MISSING if there is none."""
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return MISSING
        values = values[name]
    return values


# The origin of each parameter by dotted key: `--set port=1` or `file:line:column`.
Origins = Mapping[str, str]

_KEY = lazy_pattern(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


def origins_of_sets(
    texts: Sequence[str], sidecars: Sequence[str], flag: str = "--set", show: ShowKey = str
) -> dict[str, dict[str, str]]:
    """Return the origins of valid `--set` or `--set-file` options by sidecar."""
    origins: dict[str, dict[str, str]] = {}
    for text in texts:
        name, key, _ = parse_assignment(text, sidecars, flag, show)
        origins.setdefault(name, {})[key] = f"{flag} {show(text.partition('=')[0])}"
    return origins


def origins_of_values(text: str, file: str) -> dict[str, dict[str, str]]:
    """Return the origins of parameters in a valid values file by sidecar."""
    lines, origins = Lines(text), {}
    for name, (_, parameters) in getattr(parse(text), "pairs", {}).items():
        places = {key: lines.at(node.start) for key, (node, _) in getattr(parameters, "pairs", {}).items()}
        origins[name] = {key: f"{file}:{line + 1}:{column + 1}" for key, (line, column) in places.items()}
    return origins


def find_origin(message: str, origins: Origins) -> str:
    """Return the origin of the parameter that a message names, or an empty string.

    The last clause of a message says what to do (`...; set port`), so parameters in it take precedence.
    """
    for part in reversed(message.split("; ")):
        for word in _KEY.findall(part):
            for key, place in origins.items():
                if f"{key}.".startswith(f"{word}.") or f"{word}.".startswith(f"{key}."):
                    return place
    return ""
