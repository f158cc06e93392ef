"""Tells sidecars and paths apart among the words of a command line."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sidecarctl.files.sources import SUFFIXES


def split_paths(words: Sequence[str], *, only_paths: bool = False) -> tuple[list[str], list[str]]:
    """Return the sidecars and the paths among words.

    A path exists, contains a slash, ends in a suffix of manifests, or is `-`. If every word is a path, the first bare word
    is a sidecar: a directory can have the name of a sidecar. `only_paths`: the command takes no sidecars.
    """
    looks = [is_path(word) for word in words]
    bare = next((at for at, word in enumerate(words) if not _is_written_as_path(word)), None)
    if all(looks) and bare is not None and not only_paths:
        looks[bare] = False
    sidecars = [word for word, path in zip(words, looks) if not path]
    return sidecars, [word for word, path in zip(words, looks) if path]


def is_path(word: str) -> bool:
    """Return True if a word is a path, by its form or because a file has this name."""
    return _is_written_as_path(word) or os.path.lexists(word)


def _is_written_as_path(word: str) -> bool:
    return word == "-" or "/" in word or os.sep in word or word.endswith(SUFFIXES)
