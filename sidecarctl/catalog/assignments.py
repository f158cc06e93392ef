"""What a user gives as parameters, as text: `--set KEY=VALUE` and `--values FILE`. Knows no sidecar's schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.yamltext.parse import Lines, SyntaxProblem, parse

_STEP = re.compile(r"(?:\\.|[^.\[\\])+|\[[^\]]*\]|\.")
_MAX_ITEMS = 1000


class Unread(str):
    """The text of a value that is not read yet: what it means (`1.10`: a number or a string) the parameter's schema says."""


def split_key(key: str) -> list[str | int]:
    """Return the steps of `a.b[0].c`; a backslash takes the meaning off a dot or bracket: `a.b\\.c`.

    Raises UsageError for a key that is none.
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
            raise UsageError(f"{key!r} is not the key of a parameter", hint=_KEY_HINT)
        position += len(token)
    if wants_name:
        raise UsageError(f"{key!r} is not the key of a parameter", hint=_KEY_HINT)
    return steps


_KEY_HINT = "write name, name.inner, name[0] or, for a dot in a key, name.with\\.dot"


def assign(target: dict[str, Any], key: str, value: object) -> None:
    """Set the value at a dotted key in `target`, making the mappings and lists on the way.

    Raises UsageError where the key leads through something that is neither, or past the end of a list.
    """
    steps = split_key(key)
    here: Any = target
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        fresh: Any = value if last else [] if isinstance(steps[number + 1], int) else {}
        if isinstance(step, int):
            _need(isinstance(here, list), key, step, "is no list")
            _need(
                step <= len(here) < _MAX_ITEMS,
                key,
                step,
                f"has {len(here) if isinstance(here, list) else 0} item(s) so far",
            )
            if step == len(here):
                here.append(fresh)
            elif last:
                here[step] = value
        else:
            _need(isinstance(here, dict), key, step, "is no mapping")
            if last or here.get(step) is None:
                here[step] = fresh
        here = here[step]


def _need(condition: bool, key: str, step: str | int, what: str) -> None:
    if not condition:
        shown = f"[{step}]" if isinstance(step, int) else f"{step!r}"
        raise UsageError(f"{key!r} can't be set at {shown}: what stands there {what}", hint="set the outer value first")


def parse_set(texts: Sequence[str], sidecars: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, per sidecar, what `--set [SIDECAR.]KEY=VALUE` gives; values are `Unread`.

    `sidecars` are the names that parameters can be for; with one, its name may be left out.
    """
    given: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, key, value = addressed(text, sidecars)
        try:
            assign(given.setdefault(name, {}), key, Unread(value))
        except UsageError as error:
            error.where = error.where or f"--set {text}"
            raise
    return given


def addressed(text: str, sidecars: Sequence[str]) -> tuple[str, str, str]:
    """Return the sidecar, the key and the value of `[SIDECAR.]KEY=VALUE`. Raises UsageError where one is missing."""
    key, equals, value = _at_equals(text)
    where = f"--set {text}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("a parameter is not UTF-8", where=f"--set {key}", hint="give it in UTF-8")
    if not equals or not key:
        raise UsageError(f"{text!r} is no KEY=VALUE", hint="for example --set period=30s", where=where)
    return *_addressee(key, [name.partition("@")[0] for name in sidecars], where), value


def _at_equals(text: str) -> tuple[str, str, str]:
    found = re.match(r"((?:\\.|[^=\\])*)(=?)", text)
    assert found is not None
    return found[1], found[2], text[found.end() :]


def _addressee(key: str, names: Sequence[str], where: str) -> tuple[str, str]:
    """Which sidecar a key is for, and the rest of the key."""
    first, dot, rest = key.partition(".")
    if dot and rest and first in names:
        return first, rest
    if len(set(names)) == 1:
        return names[0], key
    if not names:
        raise UsageError("there is no sidecar to set parameters of", where=where, hint="name a sidecar")
    meant = did_you_mean(first, names) if dot else ""
    raise UsageError(
        f"{key!r} does not say which sidecar it is for",
        where=where,
        hint=meant or f"write SIDECAR.KEY=VALUE, with SIDECAR one of {', '.join(names)}",
    )


def read_values(text: str, file: str, sidecars: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, per sidecar, what a `--values` file gives: a mapping from sidecars to their parameters.

    Raises InputError where the text is no YAML, UsageError (with the place) where it is no such mapping or names a sidecar
    that is not among `sidecars`.
    """
    try:
        root = parse(text)
    except SyntaxProblem as problem:
        raise InputError(problem.message, where=_place(text, file, problem.offset), hint=problem.hint) from None
    if root is None or root.value is None:
        return {}
    shape = "a values file maps sidecars to their parameters: `logger: {logDir: /srv/log}`"
    if not isinstance(root.value, dict):
        raise UsageError("the values are no mapping", where=_place(text, file, root.start), hint=shape)
    names = [name.partition("@")[0] for name in sidecars]
    pairs = getattr(root, "pairs", {})
    for name, value in root.value.items():
        start = pairs[name][0].start if name in pairs else root.start
        if name not in names:
            raise UsageError(
                f"{name!r} is none of the sidecars asked for",
                where=_place(text, file, start),
                hint=did_you_mean(name, names) or shape,
            )
        if value is not None and not isinstance(value, dict):
            raise UsageError(f"the parameters of {name} are no mapping", where=_place(text, file, start), hint=shape)
    return {name: copy.deepcopy(value) for name, value in root.value.items() if value}


def _place(text: str, file: str, offset: int) -> str:
    line, column = Lines(text).at(offset)
    return f"{file}:{line + 1}:{column + 1}"


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `under` with `over` on top, mapping by mapping; everything else is replaced whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


# A parameter's dotted key to where it was given: `--set port=1`, or `file:line:column`.
Origins = Mapping[str, str]

_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


def of_sets(texts: Sequence[str], sidecars: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, per sidecar, the keys that `--set` gives, which `parse_set` has taken."""
    origins: dict[str, dict[str, str]] = {}
    for text in texts:
        name, key, _ = addressed(text, sidecars)
        origins.setdefault(name, {})[key] = f"--set {text.partition('=')[0]}"
    return origins


def of_values(text: str, file: str) -> dict[str, dict[str, str]]:
    """Return, per sidecar, the keys that a values file gives, which `read_values` has taken."""
    lines, origins = Lines(text), {}
    for name, (_, parameters) in getattr(parse(text), "pairs", {}).items():
        places = {key: lines.at(node.start) for key, (node, _) in getattr(parameters, "pairs", {}).items()}
        origins[name] = {key: f"{file}:{line + 1}:{column + 1}" for key, (line, column) in places.items()}
    return origins


def meant(message: str, origins: Origins) -> str:
    """Return where the parameter was given that a message names, empty where it names none that was.

    What to do stands at a message's end (`…; set port`), so what is named there goes first.
    """
    for part in reversed(message.split("; ")):
        for word in _KEY.findall(part):
            for key, place in origins.items():
                if f"{key}.".startswith(f"{word}.") or f"{word}.".startswith(f"{key}."):
                    return place
    return ""
