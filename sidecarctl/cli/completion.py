"""Shell completion: what each argument and option can be, and a fast answer for bash that does not import typer."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sidecarctl.authoring.parameter_table import list_common_parameters, list_parameters
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.cli.command_table import BY_NAME
from sidecarctl.cli.options import Argument, Option
from sidecarctl.cli.parser import HELP_FLAGS, Parameter, describe, split_words
from sidecarctl.errors import SidecarctlError, StepTooLong

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
    for row in [*list_parameters(sidecar.parameters), *list_common_parameters()]:
        if not any(step in ("[]", "<name>") for step in row.path) and row.type not in ("map", "any value"):
            words = row.type.split(", ")[0].split(" | ") if " | " in row.type and " or " not in row.type else []
            yield prefix + ".".join(row.path), words, row.description


def sidecars(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """Sidecar names with their summaries; NAME@VERSION after an @."""
    found = [
        (f"{entry.name}@{entry.listing.version}" if "@" in incomplete else entry.name, entry.listing.summary)
        for entry in _catalog(ctx).entries()
        if entry.listing and not entry.shadowed_by and ("@" in incomplete or not entry.newer)
    ]
    return [(word, summary) for word, summary in found if word.startswith(incomplete)]


def sidecars_and_paths(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """Sidecars of the library, and manifests and directories."""
    return [*sidecars(ctx, incomplete), *_paths(incomplete)]


def instances_and_paths(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """The instances in the manifests on the command line, or below the working directory, and paths."""
    from sidecarctl.cli.inputs import input_options, read_inputs, split_paths
    from sidecarctl.cli.options import InputFlags
    from sidecarctl.cli.rule_config import nearest_kinds
    from sidecarctl.cli.selection import find_instances

    _, words = split_paths(_given(ctx, "sidecars"))
    named = [*words, *_given(ctx, "file")]
    paths = [path for path in named or ["."] if not _can_block(path)]
    if not paths:
        return _paths(incomplete)
    try:
        inputs = read_inputs(input_options(paths, InputFlags()))
        found = find_instances(inputs, nearest_kinds(required=False))
    except SidecarctlError:
        found = {}
    return [*((name, "instance") for name in found if name.startswith(incomplete)), *_paths(incomplete)]


def _can_block(path: str) -> bool:
    """Return True for stdin and for pipes and devices, whose reading can wait for what the user types."""
    found = Path(path)
    return path == "-" or (found.exists() and not (found.is_file() or found.is_dir()))


def _paths(incomplete: str) -> list[tuple[str, str]]:
    """Directories (with a slash) and manifests that begin with a text."""
    from sidecarctl.files.sources import SUFFIXES

    folder, _, start = incomplete.rpartition("/")
    home = Path(folder or ("/" if incomplete.startswith("/") else "."))
    prefix = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(home.iterdir())
    except OSError:
        return []
    shown = [each for each in entries if each.name.startswith(start or "") and (start or not each.name.startswith("."))]
    return [
        (f"{prefix}{each.name}{'/' if each.is_dir() else ''}", "")
        for each in shown
        if (each.is_dir() or each.name.endswith(SUFFIXES)) and (prefix or not each.name.startswith("-"))
    ]


def kinds(incomplete: str) -> list[str]:
    """Kinds with a pod template."""
    from sidecarctl.cli.rule_config import nearest_kinds

    return sorted(name for name in nearest_kinds(required=False).names() if name.startswith(incomplete))


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
    from sidecarctl.cli.libraries import open_libraries

    try:
        return open_libraries(_given(ctx, "library"))
    except SidecarctlError:
        return open_catalog()


def versions(incomplete: str) -> list[str]:
    """Kubernetes versions."""
    from sidecarctl.kube.versions import SUPPORTED

    return [version for version in reversed(SUPPORTED) if version.startswith(incomplete)]


def schemas(incomplete: str) -> list[str]:
    """Names of the JSON Schemas, and of the sidecars that have one for their parameters."""
    from sidecarctl.cli.commands.schema import VALUES, shipped

    names = (*shipped(), VALUES, *_catalog(None).names())
    return [name for name in names if name.startswith(incomplete)]


def library_actions(ctx: object, incomplete: str) -> list[str]:
    """Actions of `library`, then the names of vendored libraries."""
    from sidecarctl.cli.commands.library import ACTIONS, open_lock

    words = _given(ctx, "words")
    try:
        names = list(open_lock().libraries) if words[:1] in (["update"], ["remove"]) else [] if words else list(ACTIONS)
    except SidecarctlError:
        names = []
    return [name for name in names if name.startswith(incomplete) and name not in words[1:]]


def environments(incomplete: str) -> list[str]:
    """Environments of the nearest composition, its own includes left out."""
    from pathlib import Path

    from sidecarctl.composition.composition_file import read_file
    from sidecarctl.composition.find import find_composition_file

    try:
        path = find_composition_file(Path())
        names = read_file(path).environments if path else {}
    except SidecarctlError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def rules(incomplete: str) -> list[tuple[str, str]]:
    """Names of rules, with what they find."""
    from sidecarctl.validate.registry import rules as known

    return [(name, one.what) for name, one in known().items() if name.startswith(incomplete)]


def complete_bash(env: Mapping[str, str]) -> list[str] | None:
    """Return the words that bash offers for the line in its completion variables; None to leave the answer to typer.

    Nothing goes to stderr, where it would end up in the middle of the command line. After an error, there are no words.
    """
    with redirect_stderr(StringIO()):
        try:
            offered = _complete_bash(env)
        except (SidecarctlError, StepTooLong, OSError):
            return []
    return None if offered is None else [word for word in offered if is_plain(word)]


# Shells insert what they are offered as it is: `$(...)` in the name of a file would run when the line does.
_PLAIN = re.compile(r"(?![=~])[\w@%+=:,./~\[\]-]*")
_ACTIVE = str.maketrans("\\`$[]", "   ()")


def is_plain(word: str) -> bool:
    """Return True for a word that means itself in every shell; others are not offered."""
    return _PLAIN.fullmatch(word) is not None


def keep_plain(complete: Callable[..., Iterable[str | tuple[str, str]]]) -> Callable[..., Any]:
    """Return a function of this module without words that a shell would read as something else, also in descriptions."""

    from sidecarctl.report.terminal import visible

    def describe_plainly(text: str) -> str:
        # In one line, without the markup of rich, and without `:::`, which typer puts before descriptions for PowerShell.
        return visible(" ".join(text.split())).translate(_ACTIVE).replace(":::", ":")

    def keep(found: Iterable[str | tuple[str, str]]) -> list[str | tuple[str, str]]:
        pairs = ((each, "") if isinstance(each, str) else each for each in found)
        return [(word, describe_plainly(text)) if text else word for word, text in pairs if is_plain(word)]

    if "ctx" in inspect.signature(complete).parameters:
        return lambda ctx, incomplete: keep(complete(ctx, incomplete))
    return lambda incomplete: keep(complete(incomplete))


def _complete_bash(env: Mapping[str, str]) -> list[str] | None:
    if env.get("_SIDECARCTL_COMPLETE") != "complete_bash":
        return None
    try:
        words, position = shlex.split(env["COMP_WORDS"]), int(env["COMP_CWORD"])
    except (KeyError, ValueError):  # not called by a shell: typer would raise an error
        return []
    before, typed = words[1:position], words[position] if position < len(words) else ""
    if not before:
        return None if typed.startswith("-") else [name for name in BY_NAME if name.startswith(typed)]
    info = BY_NAME.get(before[0])
    return _offer(describe(info.load()), before[1:], typed) if info else None


def _offer(parameters: Mapping[str, Parameter], before: Sequence[str], typed: str) -> list[str] | None:
    words = split_words(parameters, before)
    if words is None or words.help or "--" in before:
        return None
    if not words.pending and typed.startswith("-"):
        return None if "=" in typed else _offer_flags(parameters, words.values, typed)
    arguments = [one for one in parameters.values() if isinstance(one.spec, Argument)]
    if words.pending:
        wanted = parameters[words.pending]
    elif arguments and (arguments[0].kind is list or not words.positional):
        wanted = arguments[0]
    else:
        return None
    given = {**words.values, **{one.name: words.positional for one in arguments}}
    return _offer_values(wanted.spec, SimpleNamespace(params=given, args=words.positional), typed)


def _offer_flags(parameters: Mapping[str, Parameter], given: Mapping[str, object], typed: str) -> list[str]:
    open_options = [one for one in parameters.values() if one.name not in given or one.kind is list]
    flags = [flag for one in open_options if isinstance(one.spec, Option) for flag in one.spec.flags]
    return [flag for flag in (*flags, *HELP_FLAGS) if flag.startswith(typed)]


def _offer_values(spec: Option | Argument, context: SimpleNamespace, typed: str) -> list[str]:
    if isinstance(spec, Option) and spec.choices:
        return [choice for choice in spec.choices if choice.startswith(typed)]
    if not spec.complete:
        return []
    complete = globals()[spec.complete]
    found = complete(context, typed) if "ctx" in inspect.signature(complete).parameters else complete(typed)
    return [each if isinstance(each, str) else each[0] for each in found]
