"""What `-f` names, and standard input where it names nothing. Imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sidecarctl.errors import UsageError


def named(files: Sequence[str]) -> list[str]:
    """Return what `-f` names; without it standard input. Raises UsageError where that is a terminal."""
    if files:
        return list(files)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "there is no input: nothing was piped in and no -f is given",
            hint="name a manifest or a folder with -f PATH, or pipe manifests in",
        )
    return ["-"]


def stdin_bytes() -> bytes:
    """Return what another program pipes in. Raises UsageError where standard input is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "nothing is piped in: this command is run by another program",
            hint="see the example in --help; for manifests of your own use `sidecarctl render`",
        )
    return sys.stdin.buffer.read()
