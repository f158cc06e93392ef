"""Renders the ports in objects around the pods that a run changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.results import Retargeted


def render_retargeted(changes: Sequence[Retargeted], *, dry_run: bool) -> Iterator[str]:
    """Yield a line for each changed port."""
    for one in changes:
        word = {"retargeted": "would retarget", "restored": "would restore"}[one.action] if dry_run else one.action
        yield f"{one.label}: {word} {one.field} {_shown(one.before)} -> {_shown(one.after)} ({one.file}:{one.line})"


def _shown(value: int | str | None) -> str:
    return "(not set)" if value is None else str(value)
