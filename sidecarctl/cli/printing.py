"""What commands print on standard output: for people how wide and in which colours, for programs byte for byte."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from sidecarctl.lazily import dataclass
from sidecarctl.report import terminal


@dataclass(frozen=True)
class Looks:
    """Colours or not, columns, and whether characters that draw lines can be shown."""

    color: bool
    width: int
    lines: bool


def looks(stream: TextIO | None = None) -> Looks:
    """Return how standard output looks, or another stream."""
    stream = stream or sys.stdout
    encoding = (stream.encoding or "").lower()
    return Looks(
        terminal.use_color(stream, os.environ),
        terminal.columns(stream, os.environ),
        encoding.startswith("utf"),
    )


def out(text: str, stream: TextIO | None = None) -> None:
    """Write text to standard output, or another stream: no translation of line ends, UTF-8 whatever the locale."""
    stream = stream or sys.stdout
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "backslashreplace"))
    stream.buffer.flush()


def write_stdout(parts: Iterable[str | bytes]) -> None:
    """Write text to standard output exactly: no translation of line ends, UTF-8 whatever the locale."""
    sys.stdout.flush()
    for part in parts:
        sys.stdout.buffer.write(part.encode("utf-8") if isinstance(part, str) else part)
    sys.stdout.buffer.flush()
