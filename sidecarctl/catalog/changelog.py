"""The changelog of a sidecar: CHANGELOG.md in its directory, in the format of Keep a Changelog.

    ## 1.1.0 - 2026-11-26

    - What changed.

A heading without a date is a version that is not released yet. See https://keepachangelog.com/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sidecarctl.catalog.catalog import version_order
from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.lazy_dataclass import dataclass

CHANGELOG_FILE = "CHANGELOG.md"
_HEADING = re.compile(
    r"## +\[?([0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)\]?(?:\([^)]*\))?(?: +(?:-|–) +(\S+))?\s*"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LINK = re.compile(r"\[[^]]+\]: ")


@dataclass(frozen=True)
class ChangelogEntry:
    """The changes of one version.

    date   release date as YYYY-MM-DD, "" if the version is not released
    lines  the text below the heading, without blank lines at both ends
    """

    version: str
    date: str = ""
    lines: tuple[str, ...] = ()


def read_changelog(folder: Path) -> tuple[ChangelogEntry, ...]:
    """Return the entries of a sidecar directory, newest version first; none if it has no changelog.

    Raise LibraryError for a changelog that cannot be read.
    """
    file = folder / CHANGELOG_FILE
    if not file.exists():
        return ()
    entries = _parse(read_text(file, folder))
    return tuple(sorted(entries, key=lambda entry: version_order(entry.version), reverse=True))


def changes_between(sidecar: Sidecar, old: str, new: str = "") -> tuple[ChangelogEntry, ...]:
    """Return the entries after version `old` up to `new`, newest first. `new` is the sidecar's own version by default.

    There are none for a downgrade. Raise LibraryError for a changelog that cannot be read.
    """
    first, last = version_order(old), version_order(new or sidecar.version)
    return tuple(one for one in read_changelog(sidecar.folder) if first < version_order(one.version) <= last)


def _parse(text: str) -> Iterator[ChangelogEntry]:
    heading: re.Match[str] | None = None
    lines: list[str] = []
    for line in (*text.splitlines(), "## "):
        if not line.startswith("## "):
            lines += [] if _LINK.match(line) else [line.rstrip()]
            continue
        if heading:
            date = heading[2] or ""
            yield ChangelogEntry(heading[1], date if _DATE.fullmatch(date) else "", _without_blank_ends(lines))
        heading, lines = _HEADING.fullmatch(line), []


def _without_blank_ends(lines: list[str]) -> tuple[str, ...]:
    filled = [number for number, line in enumerate(lines) if line]
    return tuple(lines[filled[0] : filled[-1] + 1]) if filled else ()
