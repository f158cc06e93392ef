"""The typer application, built from the same descriptions that `parser` reads.

Used for completion scripts, for shells other than bash, and to explain command lines that `parser` does not accept.
"""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Annotated, Any, Optional

import typer

from sidecarctl.cli import completion
from sidecarctl.cli.command_table import COMMANDS
from sidecarctl.cli.options import Argument, Command, Option
from sidecarctl.cli.parser import Parameter, describe


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
        raise typer.Exit(command(**plain))

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
    complete = getattr(completion, spec.complete) if spec.complete else None
    base: Any = {bool: bool, int: int, str: Optional[str], list: list[str]}[parameter.kind]
    if isinstance(spec, Argument):
        return Annotated[
            base, typer.Argument(metavar=spec.metavar.strip("[.]"), help=spec.help, autocompletion=complete)
        ]
    if spec.choices:
        choice: Any = Enum("Choice", {word: word for word in spec.choices}, type=str)  # type: ignore[misc]
        base = Optional[choice] if parameter.default is None else choice
    return Annotated[base, _option(spec, parameter.kind, complete)]


def _option(spec: Option, kind: type, complete: Any) -> Any:
    metavar = spec.metavar or ("" if kind is bool else None)
    return typer.Option(*spec.flags, help=spec.help, metavar=metavar, envvar=spec.env or None, autocompletion=complete)
