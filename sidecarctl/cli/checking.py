"""From options to what a run checks."""

from __future__ import annotations

from sidecarctl.compose.pipeline import Options
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds


def composing_options(
    kube_version: str | None, validate: str, kinds: Kinds = DEFAULT_KINDS, *, facts: bool = True
) -> Options:
    """Return the options of composing. Raises UsageError for an unknown version."""
    return Options(versions.parse(kube_version) if kube_version else versions.NEWEST, kinds, validate, facts)
