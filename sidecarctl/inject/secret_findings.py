"""Masks the texts of secret parameters in findings about what a run writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sidecarctl.findings import Finding, Place
from sidecarctl.lazy_dataclass import replace


def mask_findings(findings: Iterable[Finding], secrets: frozenset[str]) -> Iterator[Finding]:
    """Yield findings without the texts of the secrets of a run."""
    return (_mask(each, secrets) if secrets else each for each in findings)


def _mask(finding: Finding, secrets: frozenset[str]) -> Finding:
    """Return a finding without the texts of secret parameters, also in the line of the manifest."""
    from sidecarctl.catalog.secret_parameters import mask

    def place(found: Place | None) -> Place | None:
        shown = found is None or mask(found.line_text, secrets) == found.line_text
        return found if found is None or shown else replace(found, line_text="")

    texts: dict[str, Any] = {
        name: mask(getattr(finding, name), secrets) for name in ("message", "why", "help", "container")
    }
    path = tuple(mask(step, secrets) if isinstance(step, str) else step for step in finding.path)
    related = tuple(
        replace(each, label=mask(each.label, secrets), path=(), place=place(each.place)) for each in finding.related
    )
    expected = tuple(mask(each, secrets) for each in finding.expected)
    return replace(finding, **texts, path=path, place=place(finding.place), related=related, expected=expected)
