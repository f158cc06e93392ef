"""Which files a test of chainsaw compares with the cluster: they are no manifests."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from sidecarctl.files.sources import Stamp, read_setting, stamp_of
from sidecarctl.lazy_pattern import lazy_pattern

_TESTS = ("chainsaw-test.yaml", "chainsaw-test.yml")
_NAME = lazy_pattern(r"(?:.*[-_.])?(?:assert\w*|errors?)(?:[-_.].*)?\.ya?ml")
_CHECKS = lazy_pattern(
    r"^(?P<indent>[ \t-]*)(?:assert|error):[^\n]*\n[ \t-]*file:[ \t]*[\"']?(?P<file>[^\s\"']+)", re.MULTILINE
)


def is_chainsaw_check(path: Path) -> bool:
    """Return True for a file that a test beside it compares with the cluster, by its name or because the test names it."""
    test = next((path.parent / name for name in _TESTS if (path.parent / name).is_file()), None)
    if test is None or path.name in _TESTS:
        return False
    if _NAME.fullmatch(path.name):
        return True
    try:
        return path.name in _named_files(test, stamp_of(test.stat()))
    except OSError:
        return False


@lru_cache(maxsize=64)
def _named_files(test: Path, stamp: Stamp) -> frozenset[str]:
    """Return the files that a test compares. Raises OSError, InputError if it is too large."""
    text = read_setting(test).decode("utf-8", "replace")
    return frozenset(os.path.normpath(found["file"]) for found in _CHECKS.finditer(text))
