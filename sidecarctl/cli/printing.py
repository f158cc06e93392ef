"""What commands print on standard output for people: how wide, in which colours. Imports nothing heavy."""

from __future__ import annotations

import os
import sys

from sidecarctl.lazily import dataclass
from sidecarctl.report import terminal


@dataclass(frozen=True)
class Looks:
    """Colours or not, columns, and whether characters that draw lines can be shown."""

    color: bool
    width: int
    lines: bool


def looks() -> Looks:
    """Return how standard output looks."""
    encoding = (sys.stdout.encoding or "").lower()
    return Looks(
        terminal.use_color(sys.stdout, os.environ),
        terminal.columns(sys.stdout, os.environ),
        encoding.startswith("utf"),
    )


def out(text: str) -> None:
    """Write text to standard output: no translation of line ends, UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
