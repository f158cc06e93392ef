"""The typer application, built from the same descriptions that `parser` reads.

Used for completion scripts, for shells other than bash, and to explain command lines that `parser` does not accept.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, Optional

import typer
from typer import Abort

from sidecarctl.cli import completion
from sidecarctl.cli.command_table import BY_NAME, COMMANDS
from sidecarctl.cli.options import Argument, Command, Option
from sidecarctl.cli.parser import Parameter, call, describe, split_words
from sidecarctl.errors import UsageError, did_you_mean

__all__ = ["Abort", "build", "usage_error"]


def build() -> typer.Typer:
    """Return the application with every command."""
    app = typer.Typer(
        name="sidecarctl",
        help="Add sidecars to Kubernetes manifests: offline, lossless, reversible.",
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    for info in COMMANDS:
        app.command(info.name, help=info.summary)(_with_typer_signature(info.load()))
    app.callback()(_callback)
    return app


def _callback() -> None:
    """Keep the commands as commands when there is only one."""


def _with_typer_signature(command: Command) -> Any:
    """Return the command with a signature that typer understands."""

    def run(**values: Any) -> None:
        plain = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
        raise typer.Exit(call(command, plain))

    parameters = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, annotation=_annotation(one), default=_default(one))
        for one in describe(command).values()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _default(parameter: Parameter) -> Any:
    if isinstance(parameter.spec, Argument) and parameter.spec.required:
        return inspect.Parameter.empty
    return list(parameter.default) if isinstance(parameter.default, (list, tuple)) else parameter.default


def _annotation(parameter: Parameter) -> Any:
    spec = parameter.spec
    complete = completion.keep_plain(getattr(completion, spec.complete)) if spec.complete else None
    base: Any = {bool: bool, int: int, str: Optional[str], list: list[str]}[parameter.kind]
    if isinstance(spec, Argument):
        return Annotated[
            base, typer.Argument(metavar=spec.metavar.split()[0].strip("[.]"), help=spec.help, autocompletion=complete)
        ]
    if spec.choices:
        choice: Any = Enum("Choice", {word: word for word in spec.choices}, type=str)  # type: ignore[misc]
        base = Optional[choice] if parameter.default is None else choice
    return Annotated[base, _option(spec, parameter.kind, complete)]


def _option(spec: Option, kind: type, complete: Any) -> Any:
    metavar = spec.metavar or ("" if kind is bool else None)
    least = 0 if kind is int else None
    return typer.Option(
        *spec.flags, help=spec.help, metavar=metavar, envvar=spec.env or None, autocompletion=complete, min=least
    )


def usage_error(problem: Any, argv: Sequence[str]) -> UsageError:
    """Return an error of typer about a command line in the words of sidecarctl."""
    kind, message = type(problem).__name__, str(problem.message)
    flag = getattr(problem, "option_name", "")
    hint = f"`sidecarctl help {argv[0]}` lists the arguments and options"
    parameters = describe(BY_NAME[argv[0]].load()) if argv and argv[0] in BY_NAME else {}
    parameter = parameters.get(getattr(getattr(problem, "param", None), "name", None) or "")
    if kind == "NoSuchOption":
        flags = [each for one in parameters.values() if isinstance(one.spec, Option) for each in one.spec.flags]
        return UsageError(f'unknown option "{flag}"', hint=did_you_mean(flag, flags) or hint)
    if kind == "BadOptionUsage":
        return UsageError(f"{flag} {'requires' if 'requires' in message else 'does not take'} a value", hint=hint)
    if kind == "MissingParameter" and parameter:
        return UsageError(f"missing argument: {parameter.spec.metavar.split()[0].strip('[.]')}", hint=hint)
    if kind == "BadParameter" and parameter and isinstance(parameter.spec, Option):
        return _invalid_value(parameter, parameters, argv, hint)
    if "extra argument" in message:
        extra = message.partition("(s) (")[2].rstrip(")")
        return UsageError(f"unexpected argument: {extra}" if extra else "unexpected argument", hint=hint)
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=hint)


def _invalid_value(
    parameter: Parameter, parameters: dict[str, Parameter], argv: Sequence[str], hint: str
) -> UsageError:
    assert isinstance(parameter.spec, Option)
    spec = parameter.spec
    words = split_words(parameters, argv[1:])
    given = words.values.get(parameter.name) if words else None
    name = spec.flags[0] if given or not os.environ.get(spec.env) else spec.env
    value = given[-1] if given else os.environ.get(spec.env, "")
    shown = f' "{value}"' if value else ""
    if spec.choices:
        choices = f"{', '.join(spec.choices[:-1])}, or {spec.choices[-1]}"
        return UsageError(
            f"invalid value{shown} for {name}: use {choices}", hint=did_you_mean(value, spec.choices) or hint
        )
    rule = {int: ": use a whole number, 0 or more", bool: ": use true or false"}.get(parameter.kind, "")
    return UsageError(f"invalid value{shown} for {name}{rule}", hint=hint)
