"""The typer application: made from the commands' own signatures. Imported for help, completion and wrong use only."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Annotated, Any, Optional

import typer

from sidecarctl.cli import completion as completion_module
from sidecarctl.cli import parser
from sidecarctl.cli.options import Argument, Command
from sidecarctl.cli.parser import described

EPILOG = "Documentation of each rule: sidecarctl rules. Of each sidecar: sidecarctl show SIDECAR."


def build() -> typer.Typer:
    """Return the application with every command."""
    app = typer.Typer(
        name="sidecarctl",
        help="Add sidecars to Kubernetes manifests: offline, lossless, reversible.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
        pretty_exceptions_enable=False,
    )
    for command in parser.TABLE:
        app.command(
            command.name,
            help=command.help,
            rich_help_panel=command.panel,
            no_args_is_help=False,
            epilog=command.example,
        )(_typed(command.load()))
    app.callback(invoke_without_command=True)(_main)
    return app


def _main(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from sidecarctl import __version__

        typer.echo(f"sidecarctl {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


def _typed(command: Command) -> Any:
    """The command with a signature that typer understands."""
    parameters = []
    for name, (kind, spec, default) in described(command).items():
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=_annotation(kind, spec, default),
                default=_default(spec, default),
            )
        )

    def run(**values: Any) -> None:
        plain = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
        raise typer.Exit(command(**plain))

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = command.__doc__
    return run


def _default(spec: Any, default: Any) -> Any:
    if isinstance(spec, Argument) and spec.required:
        return inspect.Parameter.empty
    return list(default) if isinstance(default, (list, tuple)) else default


def _annotation(kind: type, spec: Any, default: Any) -> Any:
    completion = getattr(completion_module, spec.complete, None) if spec.complete else None
    base: Any = {bool: bool, int: int, str: Optional[str], list: list[str]}[kind]
    if isinstance(spec, Argument):
        return Annotated[
            base, typer.Argument(metavar=spec.metavar, help=spec.help, autocompletion=completion, show_default=False)
        ]
    if spec.choices:
        choice: Any = Enum("Choice", {word: word for word in spec.choices}, type=str)  # type: ignore[misc]
        base = Optional[choice] if default is None else choice
    return Annotated[
        base,
        typer.Option(
            *spec.flags,
            help=spec.help,
            metavar=spec.metavar or ("" if kind is bool else None),
            envvar=spec.env or None,
            show_envvar=False,
            rich_help_panel=spec.panel,
            autocompletion=completion,
        ),
    ]
