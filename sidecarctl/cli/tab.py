"""Answers bash when it completes a line, without typer, whose import takes longer than anybody likes to wait for a key.

Offers the words that typer would; a line that this does not understand, and every other shell, it leaves to typer.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sidecarctl.cli import commands, complete, fast
from sidecarctl.cli.options import Argument, Option

Described = Mapping[str, tuple[type, Option | Argument, Any]]
_HELP = ("-h", "--help")


def answer(env: Mapping[str, str]) -> list[str] | None:
    """Return what to offer for the line in the variables of bash's completion, None where typer should say."""
    if env.get("_SIDECARCTL_COMPLETE") != "complete_bash":
        return None
    try:
        words, at = shlex.split(env["COMP_WORDS"]), int(env["COMP_CWORD"])
    except (KeyError, ValueError):
        return None
    given, typed = words[1:at], words[at] if at < len(words) else ""
    if not given:
        return None if typed.startswith("-") else [name for name in commands.BY_NAME if name.startswith(typed)]
    entry = commands.BY_NAME.get(given[0])
    return _offered(fast.described(entry.load()), given[1:], typed) if entry else None


def _offered(parameters: Described, given: Sequence[str], typed: str) -> list[str] | None:
    flags = {flag: name for name, (_, spec, _) in parameters.items() if isinstance(spec, Option) for flag in spec.flags}
    values: dict[str, list[str]] = {}
    positional: list[str] = []
    waiting = ""  # the option whose value comes next
    for word in given:
        if waiting:
            values.setdefault(waiting, []).append(word)
            waiting = ""
        elif word in flags:
            name = flags[word]
            values.setdefault(name, [])
            waiting = "" if parameters[name][0] is bool else name
        elif word.startswith("-"):
            return None
        else:
            positional.append(word)
    if not waiting and typed.startswith("-"):
        if "=" in typed:
            return None
        once = {name for name in values if parameters[name][0] is not list}
        return [*(flag for flag, name in flags.items() if name not in once and flag.startswith(typed)), *_help(typed)]
    arguments = [name for name, (_, spec, _) in parameters.items() if isinstance(spec, Argument)]
    for name in arguments:
        values[name] = positional
    if not waiting and not (arguments and (parameters[arguments[0]][0] is list or not positional)):
        return None
    context = SimpleNamespace(params=values, args=positional)
    return _values(parameters[waiting or arguments[0]][1], context, typed)


def _help(typed: str) -> list[str]:
    return [flag for flag in _HELP if flag.startswith(typed)]


def _values(spec: Option | Argument, context: SimpleNamespace, typed: str) -> list[str]:
    if isinstance(spec, Option) and spec.choices:
        return [choice for choice in spec.choices if choice.startswith(typed)]
    known = getattr(complete, spec.complete, None) if spec.complete else None
    if known is None:
        return []
    found = known(context, typed) if "ctx" in inspect.signature(known).parameters else known(typed)
    return [each if isinstance(each, str) else each[0] for each in found]
