"""Reference pages: commands and environment variables from the option table, files from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.cli.command_table import COMMANDS, GROUPS, CommandInfo
from sidecarctl.cli.help import EXIT_CODES
from sidecarctl.cli.options import PANELS, Argument, Option
from sidecarctl.cli.parser import Parameter, describe
from tools.docs_site.rule_pages import cell

SCHEMAS = {
    "composition": (
        "Composition",
        "`sidecarctl.yaml` says which workloads get which sidecars. See [Compositions](compositions.md).",
    ),
    "sidecar": (
        "Sidecar",
        "`sidecar.yaml` describes a sidecar of a library. See [Writing sidecars](writing-sidecars.md).",
    ),
    "fragment": (
        "Fragment",
        "A template renders to a fragment: what a sidecar adds. See [Writing sidecars](writing-sidecars.md).",
    ),
    "report": ("Report", "The report that `--format json` prints."),
}
# Variables that no option sets.
VARIABLES = {
    "SIDECARCTL_LIBRARY": "Library directories, separated like `PATH`. They are searched before the shipped library.",
    "SIDECARCTL_NO_CACHE": "If set, rendered templates are not kept in the user's cache directory.",
    "SIDECARCTL_LOG": "File to which `post-render` appends what it reports.",
    "NO_COLOR": "If set, output has no colors.",
    "FORCE_COLOR": "If set, output has colors also when it is not a terminal.",
    "COLUMNS": "Width of reports in columns.",
}


def pages(root: Path) -> dict[str, str]:
    """Return the pages by path in the site. Links are relative to docs/."""
    return {
        "reference/index.md": index(),
        **{f"reference/commands/{info.name}.md": command_page(info) for info in COMMANDS},
        **{f"reference/{name}.md": schema_page(root, name) for name in SCHEMAS},
        "reference/environment.md": environment_page(),
        "reference/exit-codes.md": exit_codes_page(),
    }


def index() -> str:
    """Return the page that lists commands, files, and the rest."""
    lines = [
        "# Reference",
        "",
        "## Commands",
        "",
        "[Command line](commands.md) describes what commands have in common.",
        "",
    ]
    for group in GROUPS:
        lines += [f"### {group}", "", "| command | purpose |", "|---|---|"]
        own = [info for info in COMMANDS if info.group == group]
        lines += [f"| [{info.name}](reference/commands/{info.name}.md) | {cell(info.summary)} |" for info in own]
        lines.append("")
    lines += ["## Files", "", "| file | content |", "|---|---|"]
    lines += [f"| [{title}](reference/{name}.md) | {about} |" for name, (title, about) in SCHEMAS.items()]
    lines += ["| [Record](reference/record.md) | The annotation that lists what sidecarctl added to a workload. |", ""]
    lines += [
        "## More",
        "",
        "- [Exit codes](reference/exit-codes.md)",
        "- [Environment variables](reference/environment.md)",
    ]
    return "\n".join([*lines, "- [Python API](python-api.md)", ""])


def command_page(info: CommandInfo) -> str:
    """Return the page of a command."""
    parameters = list(describe(info.load()).values())
    arguments = [one.spec for one in parameters if isinstance(one.spec, Argument)]
    usage = " ".join(["sidecarctl", info.name, *(one.metavar for one in arguments), "[OPTIONS]"])
    lines = [f"# {info.name}", "", info.summary, "", "```text", usage, "```", ""]
    if arguments:
        lines += ["## Arguments", "", "| argument | description |", "|---|---|"]
        lines += [*(f"| `{one.metavar}` | {cell(one.help)} |" for one in arguments), ""]
    lines += ["## Examples", ""]
    for label, command in info.examples:
        lines += [f"{label}:", "", "```sh", command, "```", ""]
    lines += ["## Options", ""]
    for panel in PANELS:
        rows = [one for one in parameters if isinstance(one.spec, Option) and one.spec.panel == panel]
        if rows:
            lines += [
                f"### {panel}",
                "",
                "| option | purpose | default | variable |",
                "|---|---|---|---|",
                *map(option_row, rows),
                "",
            ]
    return "\n".join(lines)


def option_row(parameter: Parameter) -> str:
    """Return the table row of an option."""
    spec = parameter.spec
    assert isinstance(spec, Option)
    flags = ", ".join(f"`{flag}`" for flag in sorted(spec.flags, key=len))
    value = "" if parameter.kind is bool else f" `{spec.metavar}`"
    text = cell(spec.help) + (f" One of {', '.join(f'`{one}`' for one in spec.choices)}." if spec.choices else "")
    shown = parameter.default not in (None, "", False) and parameter.kind in (str, int)
    default = f"`{parameter.default}`" if shown else ""
    return f"| {flags}{value} | {text} | {default} | {f'`{spec.env}`' if spec.env else ''} |"


def environment_page() -> str:
    """Return the page of environment variables."""
    lines = ["# Environment variables", ""]
    lines += ["Flags override variables, which override the composition. Values of lists are separated by spaces.", ""]
    lines += ["## Options", "", "| variable | option | commands |", "|---|---|---|"]
    found: dict[str, tuple[str, list[str]]] = {}
    for info in COMMANDS:
        for one in describe(info.load()).values():
            if isinstance(one.spec, Option) and one.spec.env:
                flag = max(one.spec.flags, key=len)
                found.setdefault(one.spec.env, (flag, []))[1].append(info.name)
    for name, (flag, commands) in sorted(found.items()):
        links = ", ".join(f"[{one}](reference/commands/{one}.md)" for one in commands)
        lines.append(f"| `{name}` | `{flag}` | {links} |")
    lines += ["", "## Other variables", "", "| variable | purpose |", "|---|---|"]
    lines += [f"| `{name}` | {cell(text)} |" for name, text in VARIABLES.items()]
    lines += ["", "## Limits", "", "Input beyond a limit is an error. See [Security](../SECURITY.md#limits).", ""]
    lines += ["| variable | default | limits |", "|---|---|---|"]
    lines += [f"| `{one.variable}` | {one.default:,} | {cell(one.what)} |" for one in limits.ALL]
    return "\n".join(lines) + "\n"


def exit_codes_page() -> str:
    """Return the page of exit codes."""
    lines = ["# Exit codes", "", "| code | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| {code} | {cell(text)} |" for code, text in EXIT_CODES)]) + "\n"


def schema_page(root: Path, name: str) -> str:
    """Return the page of a file that a shipped JSON Schema describes."""
    schema = json.loads((root / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    title, about = SCHEMAS[name]
    lines = [f"# {title}", "", about, "", f"JSON Schema: `sidecarctl schema {name}` prints it.", ""]
    lines += ["## Fields", "", "| field | type | description |", "|---|---|---|"]
    lines += [f"| `{path}` | {kind} | {text} |" for path, kind, text in fields(schema, schema, "", ())]
    return "\n".join(lines) + "\n"


def fields(schema: Any, root: Any, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield path, type, and description of each field below a schema."""
    required = schema.get("required", ())
    for name, raw in schema.get("properties", {}).items():
        part, seen_here = resolve(raw, root, seen)
        here = f"{path}.{name}" if path else name
        text = cell(part.get("description", ""))
        yield here, kind_of(part, root), f"{'Required. ' if name in required else ''}{text}".strip()
        yield from below(part, root, here, seen_here)


def below(part: Any, root: Any, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a mapping, of the items of a list, or of the values of a map."""
    if len(set(seen)) < len(seen):
        return
    yield from fields(part, root, path, seen)
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(part.get(key), Mapping):
            inner, inner_seen = resolve(part[key], root, seen)
            yield from below(inner, root, path + suffix, inner_seen)


def resolve(part: Any, root: Any, seen: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """Return a schema with its reference resolved, and the references on the way."""
    reference = part.get("$ref", "") if isinstance(part, Mapping) else ""
    if not reference.startswith("#/"):
        return part, seen
    found = root
    for step in reference[2:].split("/"):
        found = found[step]
    return {**found, **part}, (*seen, reference)


def kind_of(part: Any, root: Any) -> str:
    """Return the type of a field: `string`, `list of string`, or its values."""
    part, _ = resolve(part, root, ())
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{'null' if one is None else one}`" for one in part["enum"])
    kinds = [part["type"]] if isinstance(part.get("type"), str) else list(part.get("type", ()))
    for choice in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        kinds += [one for one in kind_of(choice, root).split(" or ") if one not in kinds]
    names = {"array": "list", "object": "map"}
    shown = [names.get(one, one) for one in kinds]
    if shown == ["list"] and isinstance(part.get("items"), Mapping):
        return f"list of {kind_of(part['items'], root)}"
    return " or ".join(shown) or "any"
