"""Renders the ports in objects around the pods that a run changed."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.report.terminal import visible
from sidecarctl.results import Retargeted

_WOULD = {"retargeted": "would retarget", "restored": "would restore", "recorded": "would record"}


def render_retargeted(changes: Iterable[Retargeted], *, dry_run: bool = False) -> str:
    """Return a line for each changed port."""
    return "".join(
        f"{visible(one.label)}: {describe_retargeted(one, dry_run=dry_run)} ({visible(one.file)}:{one.line})\n"
        for one in changes
    )


def describe_retargeted(one: Retargeted, *, dry_run: bool = False) -> str:
    """Return `retargeted spec.ports[0].targetPort http -> 8443`."""
    action = _WOULD[one.action] if dry_run else one.action
    return visible(f"{action} {one.field} {_shown(one.before)} -> {_shown(one.after)}")


def _shown(value: int | str | None) -> str:
    return "(not set)" if value is None else str(value)
