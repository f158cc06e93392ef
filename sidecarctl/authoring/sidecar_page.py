"""The pages of `sidecarctl show` and `sidecarctl list`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog.catalog import SHIPPED, Entry
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.report.terminal import paint, visible, width_of, wrap

if TYPE_CHECKING:
    from sidecarctl.authoring.parameter_table import ParameterRow
    from sidecarctl.authoring.trial import TrialResult

_MODES = {
    "auto": "native on Kubernetes 1.29 or later, else classic",
    "native": "native: an init container with restartPolicy Always",
    "classic": "classic: a regular container next to the app",
    "init": "init: runs to completion before the app starts",
}
_STARTS = {"before-init": "before init containers of the app", "after-init": "after init containers of the app"}
_MAX_FLAGS = 4


def render_page(sidecar: Sidecar, *, color: bool, width: int, lines: bool = True) -> str:
    """Return the page: summary, added objects, example, parameters, and limitations."""
    from sidecarctl.authoring.parameter_table import list_common_parameters, list_parameters
    from sidecarctl.authoring.test_cases import run_example

    outcome = run_example(sidecar)
    out = [
        *_head(sidecar, color, width),
        *_section("What it adds", color),
        *_render_added(sidecar, outcome, color, width, lines),
        *_section("Use", color),
        *(f"  {line}" for line in example_command(sidecar, outcome)),
        *_section("Parameters", color),
        *_parameters(list_parameters(sidecar.parameters), color, width),
        *_section("Parameters of every sidecar", color),
        *_parameters(list_common_parameters(), color, width),
        *_limitations(sidecar, color, width),
    ]
    return "".join(f"{line}\n" for line in out)


def _section(title: str, color: bool) -> list[str]:
    return ["", paint(title, "bold", color), ""]


def _head(sidecar: Sidecar, color: bool, width: int) -> Iterator[str]:
    origin = "" if sidecar.library == SHIPPED else paint(f"  from {visible(sidecar.library)}", "dim", color)
    yield f"{paint(visible(sidecar.name), 'bold', color)} {visible(sidecar.version)}{origin}"
    yield from wrap(visible(sidecar.summary), width)
    if sidecar.description:
        yield ""
        yield from wrap(visible(unwrap(sidecar.description), keep="\n"), width, "  ", "  ")
    yield ""
    for key, text in facts(sidecar):
        first, *rest = wrap(visible(text), width, f"  {key:<12}", " " * 14)
        yield "  " + paint(key, "dim", color) + first[2 + len(key) :]
        yield from rest


def facts(sidecar: Sidecar) -> list[tuple[str, str]]:
    """Return labels and short texts: how the sidecar runs, and what it is allowed to do."""
    found = [("runs", _MODES[sidecar.mode])]
    if sidecar.mode in ("auto", "native"):
        found.append(("starts", _STARTS[sidecar.start]))
    if sidecar.starts_after:
        found.append(("after", ", ".join(sidecar.starts_after)))
    found.append(("shares with", "all app containers" if sidecar.targets == "all" else "the default app container"))
    security = sidecar.pod_security
    found.append(("PodSecurity", security.level + (f": {security.reason}" if security.reason else "")))
    if sidecar.homepage:
        found.append(("upstream", sidecar.homepage))
    return found


def unwrap(text: str) -> str:
    """Return text with line breaks inside paragraphs removed; list items keep their own line."""
    paragraphs = re.split(r"\n[ \t]*\n", text.strip())
    return "\n\n".join(re.sub(r"\n(?![ \t]*(?:[-*] |\d+\. ))[ \t]*", " ", paragraph) for paragraph in paragraphs)


def _render_added(sidecar: Sidecar, outcome: TrialResult, color: bool, width: int, lines: bool) -> Iterator[str]:
    from sidecarctl.authoring import parameter_table
    from sidecarctl.authoring.trial import find_injected_parts

    if outcome.text is None:
        yield from wrap(f"no example available: {visible(outcome.errors, keep=chr(10))}", width, "  ", "  ")
        if outcome.error is not None and outcome.error.where:
            yield f"  at {visible(outcome.error.where)}"
        return
    for own in find_injected_parts(outcome.text, sidecar.name):
        kind = own.workload.kind
        given = f" with {format_settings(outcome.trial.given)}" if outcome.trial.given else ""
        yield from wrap(visible(f"To a {kind} called {own.workload.name}{given}:"), width, "  ", "  ")
        parts = parameter_table.build_boxes(own)
        yield from (
            f"  {line}"
            for line in parameter_table.draw(parts, color=color, width=width - 2 if width else 0, lines=lines)
        )


def format_settings(given: Mapping[str, object]) -> str:
    """Return parameters on one line: `exporter=nginx, tls.secretName=shop-tls`."""
    return ", ".join(f"{key}={value}" for key, value in flatten(given))


def flatten(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys and values in the syntax of `--set`."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            step = re.sub(r"([.\[\\=])", r"\\\1", str(name))
            yield from flatten(inner, f"{key}.{step}" if key else step)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{key}[{number}]")
    elif key:
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def example_command(sidecar: Sidecar, outcome: TrialResult) -> list[str]:
    """Return an example command, one line per parameter."""
    library = "" if sidecar.library == SHIPPED else f" --library {shlex.quote(sidecar.library)}"
    command = f"sidecarctl add {sidecar.name}{library} -f deployment.yaml"
    given = list(flatten(outcome.trial.given)) if outcome.text is not None else []
    if len(given) > _MAX_FLAGS:
        return [f"{command} --values values.yaml"]
    flags = [f"--set {shlex.quote(f'{key}={value}')}" for key, value in given]
    return [" \\\n    ".join([command, *flags])] if flags else [command]


def _parameters(parameters: Iterable[ParameterRow], color: bool, width: int) -> Iterator[str]:
    listed = list(parameters)
    if not listed:
        yield "  none"
    for number, row in enumerate(listed):
        if number and not row.depth and listed[number - 1].depth:
            yield ""
        lead = "  " + "  " * row.depth
        name = visible(row.name)
        first, *rest = wrap(visible(row.note), width, f"{lead}{name}  ", f"{lead}      ")
        yield lead + paint(name, "bold", color) + paint(first[len(lead) + len(name) :], "dim", color)
        yield from (paint(line, "dim", color) for line in rest)
        if row.description:
            yield from wrap(visible(row.description), width, f"{lead}    ", f"{lead}    ")


def _limitations(sidecar: Sidecar, color: bool, width: int) -> Iterator[str]:
    if sidecar.does_not:
        yield from _section("What it does not do", color)
        for sentence in sidecar.does_not:
            yield from wrap(visible(" ".join(sentence.split())), width, "  - ", "    ")


def page_data(sidecar: Sidecar) -> str:
    """Return the page as JSON."""
    from sidecarctl.authoring.test_cases import run_example

    outcome = run_example(sidecar)
    found: dict[str, Any] = {
        "name": sidecar.name,
        "version": sidecar.version,
        "summary": sidecar.summary,
        "description": sidecar.description,
        "homepage": sidecar.homepage,
        "keywords": list(sidecar.keywords),
        "library": sidecar.library,
        "folder": str(sidecar.folder),
        "engine": sidecar.engine,
        "mode": sidecar.mode,
        "start": sidecar.start,
        "startsAfter": list(sidecar.starts_after),
        "targets": sidecar.targets,
        "podSecurity": {"level": sidecar.pod_security.level, "reason": sidecar.pod_security.reason},
        "doesNot": list(sidecar.does_not),
        "parameters": dict(sidecar.parameters),
        "example": {
            "parameters": dict(outcome.trial.given),
            "result": outcome.text,
            "refused": outcome.errors,
        },
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


_BROKEN = "broken"


def check_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, with an error added to those whose template fails.

    Unmodified entries of the shipped library are not rendered: they were tested at release.
    """
    return [entry if entry.checked or entry.error else _check_template(entry) for entry in entries]


def _check_template(entry: Entry) -> Entry:
    from sidecarctl.authoring.test_cases import run_example
    from sidecarctl.errors import LibraryError, TemplateRefusal

    assert entry.sidecar is not None
    error = run_example(entry.sidecar).error
    broken = isinstance(error, LibraryError) and not isinstance(error, TemplateRefusal)
    return replace(entry, error=error, listing=None) if broken and isinstance(error, LibraryError) else entry


_ROOM = 20  # Minimum columns for a summary next to the name; if fewer are left, it goes below.


def render_list(entries: Sequence[Entry], *, color: bool, width: int) -> str:
    """Return the list: name, version, summary, and remarks of each entry, and a closing line."""
    if not entries:
        return "no sidecars found\n"
    names = [visible(entry.name) for entry in entries]
    versions = [_version(entry) for entry in entries]
    size, version_size = (max(map(width_of, texts)) for texts in (names, versions))
    out: list[str] = []
    for entry, name, version in zip(entries, names, versions):
        head = f"{name}{' ' * (size - width_of(name))}  {version}{' ' * (version_size - width_of(version))}  "
        narrow = width and width - len(head) < _ROOM
        rest = "    " if narrow else " " * len(head)
        told = visible(_describe(entry))
        lines = [head.rstrip(), *wrap(told, width, rest, rest)] if narrow else wrap(told, width, head, rest)
        style = "error" if entry.error else "dim" if entry.shadowed_by else "bold"
        tail = lines[0][len(name) :]
        out.append(paint(name, style, color) + (paint(tail, "dim", color) if entry.shadowed_by else tail))
        out += [paint(line, "dim", color) if entry.shadowed_by else line for line in lines[1:]]
        for label, text in _remarks(entry):
            first, *more = wrap(visible(text), width, f"{rest}{label}: ", rest + " " * (len(label) + 2))
            painted = paint(f"{label}:", "error" if label == "error" else "dim", color)
            out += [rest + painted + first[len(rest) + len(label) + 1 :], *more]
    return "".join(f"{line}\n" for line in [*out, "", *wrap(_summary(entries), width)])


def _version(entry: Entry) -> str:
    return visible(entry.listing.version) if entry.listing else _BROKEN


def _describe(entry: Entry) -> str:
    if entry.error:
        return entry.error.message
    return entry.listing.summary if entry.listing else ""


def _remarks(entry: Entry) -> list[tuple[str, str]]:
    remarks = []
    if entry.library != SHIPPED:
        remarks.append(("library", entry.library))
    if entry.error:
        remarks.append(("at", entry.error.where or str(entry.folder)))
        remarks += [("help", entry.error.hint)] if entry.error.hint else []
    if entry.shadowed_by:
        remarks.append(("shadowed", f"{_library(entry.shadowed_by)} takes precedence"))
    return remarks


def _library(label: str) -> str:
    return "the shipped library" if label == SHIPPED else label


def _summary(entries: Sequence[Entry]) -> str:
    broken = sum(1 for entry in entries if entry.error)
    shadowed = sum(1 for entry in entries if entry.shadowed_by)
    usable = len({entry.name for entry in entries if entry.listing and not entry.shadowed_by})
    counted = f"{usable} sidecar{'' if usable == 1 else 's'}"
    counted += f", {shadowed} shadowed" if shadowed else ""
    counted += f", {broken} broken" if broken else ""
    return f"{counted}; for details, run sidecarctl show <name>"


def list_data(entries: Sequence[Entry]) -> str:
    """Return the list as JSON."""
    return json.dumps([_entry(entry) for entry in entries], indent=2, ensure_ascii=False) + "\n"


def _entry(entry: Entry) -> dict[str, object]:
    known, error = entry.listing, entry.error
    found: dict[str, object] = {
        "name": entry.name,
        "library": entry.library,
        "folder": str(Path(entry.folder)),
    }
    if known:
        found |= {"version": known.version, "summary": known.summary, "keywords": list(known.keywords)}
    if error:
        found["error"] = {"message": error.message, "where": error.where, "hint": error.hint}
    if entry.shadowed_by:
        found["shadowedBy"] = entry.shadowed_by
    return found
