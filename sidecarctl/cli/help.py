"""Renders the help of the program and of its commands, from the same descriptions that `parser` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sidecarctl.cli.command_table import COMMANDS, GROUPS, CommandInfo
from sidecarctl.cli.options import PANELS, Argument, Option
from sidecarctl.cli.parser import Parameter, describe
from sidecarctl.report.terminal import paint, wrap

_MAX_LEFT = 30
_GLOBAL = (
    ("-h, --help", "Print help. `sidecarctl help COMMAND` does the same."),
    ("--version", "Print the version."),
    ("--install-completion", "Install shell completion."),
    ("--show-completion", "Print the shell completion script."),
)
EXIT_CODES = (
    ("0", "Success."),
    ("1", "A finding at or above --fail-on, or --check found a difference."),
    ("2", "Usage error: option, parameter, sidecar, composition, or no input."),
    ("3", "Input that cannot be read or parsed."),
    ("4", "A bug in sidecarctl."),
)

Row = tuple[str, str]


def render_program(*, color: bool, width: int) -> str:
    """Return the help of the program."""
    lines = ["Add sidecars to Kubernetes manifests: offline, lossless, reversible.", ""]
    lines += [f"{_heading('Usage:', color)} sidecarctl COMMAND [OPTIONS]", ""]
    sections = [(group, [(info.name, info.summary) for info in COMMANDS if info.group == group]) for group in GROUPS]
    sections += [("Options", list(_GLOBAL)), ("Exit codes", list(EXIT_CODES))]
    left = max(len(row[0]) for _, rows in sections for row in rows)
    for title, rows in sections:
        lines += [*_section(title, rows, min(left, _MAX_LEFT), color, width), ""]
    lines += _examples(
        (
            ("Add a logger and preview the change", "sidecarctl add logger -f web.yaml --diff"),
            ("Show the parameters of a sidecar", "sidecarctl show logger"),
        ),
        color,
    )
    return "\n".join(lines) + "\n"


def render_command(info: CommandInfo, *, color: bool, width: int) -> str:
    """Return the help of one command."""
    parameters = list(describe(info.load()).values())
    arguments = [(one.spec.metavar, one.spec.help) for one in parameters if isinstance(one.spec, Argument)]
    usage = " ".join(["sidecarctl", info.name, *(metavar for metavar, _ in arguments), "[OPTIONS]"])
    lines = [*wrap(info.summary, width), "", f"{_heading('Usage:', color)} {usage}", ""]
    sections: list[tuple[str, list[Row]]] = [("Arguments", arguments)] if arguments else []
    for panel in PANELS:
        rows = [_option_row(one) for one in parameters if isinstance(one.spec, Option) and one.spec.panel == panel]
        if panel == PANELS[-1]:
            rows.append(("-h, --help", "Print help."))
        if rows:
            sections.append((panel, rows))
    left = min(_MAX_LEFT, max(len(row[0]) for _, rows in sections for row in rows))
    for title, rows in sections:
        lines += [*_section(title, rows, left, color, width), ""]
    lines += _examples(info.examples, color)
    return "\n".join(lines) + "\n"


def _option_row(parameter: Parameter) -> Row:
    assert isinstance(parameter.spec, Option)
    spec = parameter.spec
    flags = sorted(spec.flags, key=len)
    name = ", ".join(flags) if len(flags[0]) == 2 else "    " + ", ".join(flags)
    if parameter.kind is not bool:
        name += f" {spec.metavar}"
    notes = []
    if spec.choices:
        notes.append(f"[{', '.join(spec.choices)}]")
    if parameter.default is not None and parameter.kind in (str, int):
        notes.append(f"[default: {parameter.default}]")
    return name, " ".join([spec.help, *notes])


def _section(title: str, rows: Iterable[Row], left: int, color: bool, width: int) -> Iterator[str]:
    yield _heading(f"{title}:", color)
    indent = " " * (left + 4)
    for name, text in rows:
        label = paint(name, "bold", color) + " " * (left - len(name))
        if len(name) > left:
            yield f"  {paint(name, 'bold', color)}"
            yield from wrap(text, width, indent, indent)
        else:
            first, *more = wrap(text, width, indent, indent)
            yield f"  {label}  {first.strip()}"
            yield from more


def _examples(examples: Sequence[Row], color: bool) -> list[str]:
    lines = [_heading("Examples:", color)]
    for label, command in examples:
        lines += [f"  {label}:", f"    {paint(command, 'bold', color)}"]
    return lines


def _heading(text: str, color: bool) -> str:
    return paint(text, "heading", color)
