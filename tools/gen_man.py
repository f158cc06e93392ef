"""Write manual pages from the option table: sidecarctl(1), and one page for each command.

    python tools/gen_man.py [DIRECTORY]     default: build/man

`man -l build/man/sidecarctl.1` shows one. See groff_man(7).
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli.command_table import COMMANDS, GROUPS, CommandInfo
from sidecarctl.cli.help import EXIT_CODES, GLOBAL_OPTIONS
from sidecarctl.cli.options import PANELS, Argument, Option
from sidecarctl.cli.parser import Parameter, describe

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTATION = "https://github.com/sidecarctl/sidecarctl/tree/main/docs"


def escape(text: str) -> str:
    """Return text for roff: backslashes, hyphens, and a leading period or quote have no special meaning."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def heading(name: str, summary: str) -> Iterator[str]:
    """Yield the first lines of a page."""
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    yield f'.TH "{escape(name.upper())}" "1" "{day}" "sidecarctl {__version__}" "User Commands"'
    yield from (".SH NAME", f"{escape(name)} \\- {escape(summary[:1].lower() + summary[1:].rstrip('.'))}")


def items(pairs: Iterable[tuple[str, str]], *, bold: bool = True) -> Iterator[str]:
    """Yield a list of terms with their explanations."""
    for term, text in pairs:
        yield from (".TP", f"\\fB{escape(term)}\\fR" if bold else escape(term), escape(text))


def examples(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield labeled command lines."""
    for label, command in pairs:
        yield from (".PP", escape(f"{label}:"), ".PP", ".RS 4", ".nf", escape(command), ".fi", ".RE")


def option(parameter: Parameter) -> tuple[str, str]:
    """Return the flags of an option, and its help with choices, default, and variable."""
    spec = parameter.spec
    assert isinstance(spec, Option)
    flags = ", ".join(sorted(spec.flags, key=len)) + ("" if parameter.kind is bool else f" {spec.metavar}")
    text = spec.help + (f" One of {', '.join(spec.choices)}." if spec.choices else "")
    if parameter.default is not None and parameter.kind in (str, int):
        text += f" Default: {parameter.default}."
    return flags, text + (f" Variable: {spec.env}." if spec.env else "")


def command_page(info: CommandInfo) -> str:
    """Return the page of a command."""
    parameters = list(describe(info.load()).values())
    arguments = [one.spec for one in parameters if isinstance(one.spec, Argument)]
    usage = " ".join(["sidecarctl", info.name, *(one.metavar for one in arguments), "[OPTIONS]"])
    lines = [*heading(f"sidecarctl-{info.name}", info.summary), ".SH SYNOPSIS", f"\\fB{escape(usage)}\\fR"]
    lines += [".SH DESCRIPTION", escape(info.summary), *items((one.metavar, one.help) for one in arguments)]
    lines += [".SH OPTIONS"]
    for panel in PANELS:
        found = [one for one in parameters if isinstance(one.spec, Option) and one.spec.panel == panel]
        if found:
            lines += [f".SS {panel}", *items(map(option, found))]
    lines += [".SH EXAMPLES", *examples(info.examples)]
    return "\n".join([*lines, ".SH SEE ALSO", "\\fBsidecarctl\\fR(1)", ""])


def program_page() -> str:
    """Return the page of the program."""
    summary = "Add sidecars to Kubernetes manifests: offline, lossless, and reversible."
    lines = [*heading("sidecarctl", summary), ".SH SYNOPSIS", "\\fBsidecarctl COMMAND [OPTIONS]\\fR"]
    lines += [".SH DESCRIPTION", escape(summary), ".SH COMMANDS"]
    for group in GROUPS:
        of_group = [one for one in COMMANDS if one.group == group]
        lines += [f".SS {group}", *items((f"sidecarctl-{one.name}(1)", one.summary) for one in of_group)]
    lines += [".SH OPTIONS", *items(GLOBAL_OPTIONS), ".SH EXIT STATUS", *items(EXIT_CODES)]
    lines += [
        *(".SH ENVIRONMENT", "Every option can be set by a variable, which its description names."),
        *(
            ".SH FILES",
            *items((("sidecarctl.yaml", "The composition."), ("sidecarctl.lock", "The vendored libraries."))),
        ),
        *(".SH SEE ALSO", escape(DOCUMENTATION), ""),
    ]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Return all pages by file name."""
    return {"sidecarctl.1": program_page(), **{f"sidecarctl-{one.name}.1": command_page(one) for one in COMMANDS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=ROOT / "build" / "man")
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")
    print(directory)


if __name__ == "__main__":
    main()
