"""When a rule that selects nothing is worth a word: inside another tool one composition sees a part of the manifests at a time."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.compose.selection import Selection
from sidecarctl.findings import Finding


def told_unused(chosen: Selection, used: Iterable[int]) -> list[Finding]:
    """Return warnings for rules that select nothing, where none of the composition's rules selected anything at all."""
    used = set(used)
    return [] if used else chosen.unused(used)
