"""What can be typed after --set: the parameters of some sidecars, nested ones too, and the values that a schema names."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sidecarctl.authoring.parameter_table import common_rows, rows
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.cli import parser
from sidecarctl.cli.options import Argument, Option
from sidecarctl.errors import SidecarctlError

if TYPE_CHECKING:
    from sidecarctl.catalog.catalog import Catalog


def assignments(sidecars: Sequence[Sidecar], incomplete: str) -> list[tuple[str, str]]:
    """Return `[SIDECAR.]KEY=` or `KEY=VALUE` with a description, for what begins with `incomplete`."""
    found = [each for sidecar in sidecars for each in _of(sidecar, f"{sidecar.name}." if len(sidecars) > 1 else "")]
    if "=" in incomplete:
        typed = incomplete.partition("=")[0]
        pairs = [(f"{key}={value}", text) for key, values, text in found if key == typed for value in values]
    else:
        pairs = [(f"{key}=", text) for key, _, text in found]
    return [(word, text) for word, text in pairs if word.startswith(incomplete)]


def _of(sidecar: Sidecar, prefix: str) -> Iterator[tuple[str, list[str], str]]:
    for row in [*rows(sidecar.parameters), *common_rows()]:
        if not any(step in ("[]", "<name>") for step in row.path) and row.type not in ("map", "any value"):
            words = row.type.split(", ")[0].split(" | ") if " | " in row.type and " or " not in row.type else []
            yield prefix + ".".join(row.path), words, row.description


def sidecars(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """Sidecar names with their summaries."""
    return [
        (entry.name, entry.known.summary)
        for entry in _catalog(ctx).entries()
        if entry.known and not entry.shadowed_by and entry.name.startswith(incomplete)
    ]


def parameters(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """`KEY=` for the parameters of the sidecars that stand on the command line, `KEY=VALUE` for those of few values."""

    catalog, found = _catalog(ctx), []
    for name in _given(ctx, "sidecars"):
        try:
            found.append(catalog.find(name))
        except SidecarctlError:
            continue
    return assignments(found, incomplete)


def _given(ctx: object, name: str) -> list[str]:
    """What stands on the command line already. While an option's value is typed, click has not sorted the other words yet."""
    found = getattr(ctx, "params", {}).get(name) or (getattr(ctx, "args", []) if name == "sidecars" else [])
    return [str(word) for word in found]


def _catalog(ctx: object) -> Catalog:
    from sidecarctl.catalog.catalog import open_catalog

    try:
        return open_catalog([Path(folder) for folder in _given(ctx, "library")])
    except SidecarctlError:
        return open_catalog()


def versions(incomplete: str) -> list[str]:
    """Kubernetes versions."""
    from sidecarctl.kube.versions import SUPPORTED

    return [version for version in reversed(SUPPORTED) if version.startswith(incomplete)]


def schemas(incomplete: str) -> list[str]:
    """Names of the JSON Schemas, and of the sidecars that have one for their parameters."""
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.cli.commands.schema import VALUES, shipped

    names = (*shipped(), VALUES, *open_catalog().names())
    return [name for name in names if name.startswith(incomplete)]


def environments(incomplete: str) -> list[str]:
    """Environments of the nearest composition, its own includes left out."""
    from pathlib import Path

    from sidecarctl.composition.layers import read_file
    from sidecarctl.composition.model import discover

    try:
        path = discover(Path())
        names = read_file(path).environments if path else {}
    except SidecarctlError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def rules(incomplete: str) -> list[tuple[str, str]]:
    """Names of rules, with what they find."""
    from sidecarctl.validate.registry import rules as known

    return [(name, one.what) for name, one in known().items() if name.startswith(incomplete)]


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
        return None if typed.startswith("-") else [name for name in parser.BY_NAME if name.startswith(typed)]
    entry = parser.BY_NAME.get(given[0])
    return _offered(parser.described(entry.load()), given[1:], typed) if entry else None


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
    known = globals().get(spec.complete) if spec.complete else None
    if known is None:
        return []
    found = known(context, typed) if "ctx" in inspect.signature(known).parameters else known(typed)
    return [each if isinstance(each, str) else each[0] for each in found]
