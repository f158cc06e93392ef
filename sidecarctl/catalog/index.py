"""The index of the shipped library (index.json): listing sidecars reads no entry. Made by tools/gen_library_docs.py."""

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
class Known:
    """What a list says of a sidecar."""

    version: str
    summary: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """Entries by the names of their folders: checksum, and what is known."""

    entries: Mapping[str, tuple[int, Known]]

    def get(self, name: str, folder: Path) -> Known | None:
        """Return what is known of the entry in a folder; None where its files are not the ones that were looked at."""
        found = self.entries.get(name)
        return found[1] if found is not None and found[0] == checksum(folder) else None


@cache
def known(library: Path) -> Index:
    """Return the index of a library, an empty one where it has none that can be read."""
    import json

    try:
        data = json.loads((library / INDEX_FILE).read_bytes())
        return Index(
            {k: (v["checksum"], Known(v["version"], v["summary"], tuple(v["keywords"]))) for k, v in data.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Index({})


def checksum(folder: Path) -> int:
    """Return a number that changes with the names or contents of an entry's files, its cases aside; -1 where one can't be read."""
    total = 0
    try:
        for name, file in sorted(files(str(folder), _CASES)):
            with open(file, "rb") as stream:
                total = zlib.crc32(stream.read(), zlib.crc32(name.encode(), total))
    except OSError:
        return -1
    return total


def files(folder: str, left_out: str = "", below: str = "") -> list[tuple[str, str]]:
    """Return the files in a folder and in those below it, but for folders called `left_out`: path in it, and path."""
    found = []
    with os.scandir(folder) as scan:
        for each in scan:
            name = f"{below}{each.name}"
            if each.is_dir(follow_symlinks=False):
                found += [] if name == left_out else files(each.path, left_out, f"{name}/")
            else:
                found.append((name, each.path))
    return found
