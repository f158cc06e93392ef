"""The index of the shipped library (index.json), which lists sidecars without reading them; see
tools/gen_library_docs.py.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    pass


METADATA_FILE = "sidecar.yaml"


INDEX_FILE = "index.json"


_CASES = "tests"


@dataclass(frozen=True)
class Listing:
    """The parts of the metadata that lists show."""

    version: str
    summary: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """Checksum and listing of each entry by directory name."""

    entries: Mapping[str, tuple[int, Listing]]

    def get(self, name: str, folder: Path) -> Listing | None:
        """Return the listing of an entry, or None if its files do not match the checksum."""
        found = self.entries.get(name)
        return found[1] if found is not None and found[0] == checksum(folder) else None


@cache
def read_index(library: Path) -> Index:
    """Return the index of a library, empty if it is missing or invalid."""
    import json

    try:
        data = json.loads((library / INDEX_FILE).read_bytes())
        return Index(
            {k: (v["checksum"], Listing(v["version"], v["summary"], tuple(v["keywords"]))) for k, v in data.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Index({})


def checksum(folder: Path) -> int:
    """Return a checksum of the names and contents of the files of an entry, except test cases; -1 if one is unreadable."""
    total = 0
    try:
        for name, file in sorted(list_files(str(folder), _CASES)):
            with open(file, "rb") as stream:
                total = zlib.crc32(stream.read(), zlib.crc32(name.encode(), total))
    except OSError:
        return -1
    return total


def list_files(folder: str, left_out: str = "", below: str = "") -> list[tuple[str, str]]:
    """Return all files below a directory as (relative path, path), except in directories named `left_out`."""
    found = []
    with os.scandir(folder) as scan:
        for each in scan:
            name = f"{below}{each.name}"
            if each.is_dir(follow_symlinks=False):
                found += [] if name == left_out else list_files(each.path, left_out, f"{name}/")
            else:
                found.append((name, each.path))
    return found
