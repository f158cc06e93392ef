"""Reads command lines. Every other part of the command line (help, completion, typer) uses what is described here.

typer is only asked about a command line that `parse` does not accept: it explains what is wrong. Its import takes
longer than most commands run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_origin

from sidecarctl.cli.options import Argument, Command, Option
from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

HELP_FLAGS = ("--help", "-h")
# Names of files can have any bytes; `--set` has a message of its own.
_OF_FILES = ("PATH", "FILE", "DIR", "GLOB", "KEY=PATH", "KEY=VALUE")
_SURROGATE = lazy_pattern("[\ud800-\udfff]")
_TRUE = ("1", "true", "t", "yes", "y", "on")
_FALSE = ("0", "false", "f", "no", "n", "off")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command. `kind` is bool, int, str, or list (of strings); `group` is the group parameter it is in."""

    name: str
    kind: type
    spec: Option | Argument
    default: Any
    group: str = ""


@dataclass(frozen=True)
class Words:
    """A command line as words: what each option was given, the positional arguments, and what is left open.

    values   by parameter name: the texts given, in order; none for a flag
    pending  the option whose value comes next, empty for none
    """

    values: dict[str, list[str]]
    positional: list[str]
    pending: str = ""
    help: bool = False


def describe(command: Command) -> dict[str, Parameter]:
    """Return the parameters of a command by name, those of groups in place of the group."""
    parameters: dict[str, Parameter] = {}
    defaults = _defaults(command)
    for name, hint in _hints(command).items():
        if _is_group(hint):
            blank = hint()
            members = _hints(hint).items()
            parameters.update({key: _describe(key, each, getattr(blank, key), name) for key, each in members})
        else:
            parameters[name] = _describe(name, hint, defaults.get(name))
    return parameters


def _defaults(command: Any) -> dict[str, Any]:
    """Return the defaults of the parameters of a function by name."""
    names = command.__code__.co_varnames[: command.__code__.co_argcount]
    values = command.__defaults__ or ()
    return {**dict(zip(names[len(names) - len(values) :], values)), **(command.__kwdefaults__ or {})}


@cache
def _hints(owner: Any) -> dict[str, Any]:
    """Return the annotations of the parameters of a command, or of the fields of a group, by name.

    `typing.get_type_hints` compiles each of them, which takes 2 ms for a command; most are names like `o.Library`.
    """
    scope = vars(sys.modules[owner.__module__])
    return {name: _hint(text, scope) for name, text in owner.__annotations__.items() if name != "return"}


def _hint(text: str, scope: dict[str, Any]) -> Any:
    module, dot, name = text.partition(".")
    if dot and name.isidentifier() and module in scope:
        return getattr(scope[module], name)
    return scope[text] if text in scope else eval(text, scope)


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and hint.__module__.startswith("sidecarctl.cli.")


def _describe(name: str, hint: Any, default: Any, group: str = "") -> Parameter:
    base = hint.__origin__
    spec = next(extra for extra in hint.__metadata__ if isinstance(extra, (Option, Argument)))
    kind = list if get_origin(base) is list else next((each for each in (bool, int) if base is each), str)
    return Parameter(name, kind, spec, default, group)


def call(command: Command, values: Mapping[str, Any]) -> int:
    """Call a command with values by name; those of a group become one argument."""
    arguments = dict(values)
    if arguments.get("output") == "-":
        arguments["output"] = None  # stdout, the default
    for name, hint in _hints(command).items():
        if _is_group(hint):
            members = _hints(hint)
            arguments[name] = hint(**{key: arguments.pop(key) for key in members if key in arguments})
    return command(**arguments)


def split_words(parameters: Mapping[str, Parameter], argv: Sequence[str]) -> Words | None:
    """Assign the words of a command line to parameters; None for an unknown or malformed option."""
    flags = {flag: one.name for one in parameters.values() if isinstance(one.spec, Option) for flag in one.spec.flags}
    words = Words({}, [])
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words.positional.extend(rest)
            break
        if word in HELP_FLAGS:
            return Words(words.values, words.positional, help=True)
        if not word.startswith("-") or word == "-":
            words.positional.append(word)
            continue
        if word.startswith("--"):
            flag, attached, value = word.partition("=")
        else:
            flag, attached, value = word[:2], word[2:], word[2:]
        name = flags.get(flag)
        if name is None:
            return None
        given = words.values.setdefault(name, [])
        if parameters[name].kind is bool:
            if attached:
                return None
        elif attached:
            given.append(value)
        elif rest:
            given.append(rest.pop(0))
        else:
            return Words(words.values, words.positional, pending=name)
    return words


def parse(parameters: Mapping[str, Parameter], argv: Sequence[str], env: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the keyword arguments of a command line; None if it is not valid or asks for help.

    An option that the command line does not give is taken from its environment variable, if that is not empty.
    """
    words = split_words(parameters, argv)
    if words is None or words.pending or words.help:
        return None
    values: dict[str, Any] = {}
    positional = words.positional
    for name, parameter in parameters.items():
        default = (
            list(parameter.default) if parameter.kind is list and parameter.default is not None else parameter.default
        )
        if isinstance(parameter.spec, Argument):
            if (parameter.spec.required and not positional) or (parameter.kind is not list and len(positional) > 1):
                return None
            values[name] = positional if parameter.kind is list else (positional[0] if positional else default)
            positional = []
            continue
        try:
            if name in words.values:
                values[name] = True if parameter.kind is bool else _convert(parameter, words.values[name])
            else:
                values[name] = _from_env(parameter, env, default)
        except ValueError:
            return None
    return None if positional else values


def _from_env(parameter: Parameter, env: Mapping[str, str], default: Any) -> Any:
    assert isinstance(parameter.spec, Option)
    text = env.get(parameter.spec.env) if parameter.spec.env else None
    if not text:
        return default
    if parameter.kind is bool:
        word = text.strip().lower()
        if word not in _TRUE + _FALSE:
            raise ValueError(text)
        return word in _TRUE
    # As in typer: a list in the environment is separated by whitespace.
    return _convert(parameter, text.split() if parameter.kind is list else [text])


def _convert(parameter: Parameter, texts: list[str]) -> Any:
    """Return the value of an option, of which the last text counts. Raises ValueError, and UsageError for bytes in a text."""
    assert isinstance(parameter.spec, Option)
    if parameter.spec.metavar not in _OF_FILES and any(_SURROGATE.search(text) for text in texts):
        raise UsageError(f"value of {parameter.spec.flags[0]} is not valid UTF-8", hint="encode it as UTF-8")
    if parameter.kind is list:
        return texts
    text = texts[-1]
    if parameter.spec.choices and text not in parameter.spec.choices:
        raise ValueError(text)
    if parameter.kind is int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        return int(text)
    return text
