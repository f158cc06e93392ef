"""Stretches of a text replaced by others. Knows neither YAML nor why."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.errors import BugError
from sidecarctl.lazily import dataclass


@dataclass(frozen=True)
class Splice:
    """Replace text[start:end] by `text`. Of several at one place the one of the innermost collection comes first."""

    start: int
    end: int
    text: str
    depth: float = 0


def carried_out(text: str, splices: Iterable[Splice]) -> str:
    """Return the text with splices carried out, those at one place from the inside out, else in their order."""
    out: list[str] = []
    at = 0
    for one in sorted(splices, key=lambda s: (s.start, s.end > s.start, -s.depth)):
        if one.start < at:
            raise BugError("two edits overlap")
        out += (text[at : one.start], one.text)
        at = one.end
    return "".join((*out, text[at:]))
