"""The list of `sidecarctl list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import SHIPPED, Entry
from sidecarctl.lazy_dataclass import replace
from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, visible, width_of, wrap

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
    older = _older_versions(entries)
    entries = [entry for entry in entries if not entry.newer]
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
        for label, text in _remarks(entry, older):
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


def _older_versions(entries: Sequence[Entry]) -> dict[tuple[str, str], list[str]]:
    """Return the older versions of each sidecar by library and name."""
    older: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if entry.newer:
            older.setdefault((entry.library, entry.name), []).append(_version(entry))
    return older


def _remarks(entry: Entry, older: Mapping[tuple[str, str], Sequence[str]]) -> list[tuple[str, str]]:
    remarks = []
    if (entry.library, entry.name) in older:
        remarks.append(("older", ", ".join(older[entry.library, entry.name])))
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
    return to_json([_entry(entry) for entry in entries])


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
    if entry.newer:
        found["newestVersion"] = entry.newer
    return found
