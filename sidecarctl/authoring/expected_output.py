"""Write the expected output of test cases, only where it was when the run started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from sidecarctl.files.directory import leads_out
from sidecarctl.files.patterns import named_root
from sidecarctl.files.sources import NO_FILE, stamp_of
from sidecarctl.files.write import Write, write_all


def update_roots(sidecars: Iterable[Path]) -> dict[Path, str]:
    """Return the directories that a link must not lead expected output out of, with their real paths.

    They are the directories of the sidecars, and their repositories or libraries. Call it before a test case is read: a link
    that takes the place of a directory later leads out of it.
    """
    folders = {root for sidecar in sidecars for root in (sidecar, named_root(sidecar.parent))}
    return {folder: os.path.realpath(folder) for folder in folders}


def prepare_update(file: Path, sidecar: Path, roots: Mapping[Path, str]) -> Callable[[str], object]:
    """Return what writes the expected output of a test case, to the file as it is now.

    `sidecar` is the directory of the sidecar, and `roots` are its `update_roots`. What is returned raises OutputError if a link
    leads out of one of them, or if the file changed meanwhile.
    """
    stamp = NO_FILE
    with suppress(OSError):
        stamp = stamp_of(file.stat())

    def save(text: str) -> None:
        outer = named_root(sidecar.parent)
        if not Path(roots[sidecar]).is_relative_to(roots[outer]):
            raise leads_out(file, outer)
        write_all([Write(file, text, stamp, sidecar)], roots)

    return save
