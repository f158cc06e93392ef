"""Masks the texts of secret parameters in findings about what a run writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sidecarctl.findings import Finding, Place
from sidecarctl.lazy_dataclass import replace

if TYPE_CHECKING:
    from sidecarctl.catalog.masking import SecretForms


def mask_findings(findings: Iterable[Finding], secrets: frozenset[str]) -> Iterator[Finding]:
    """Yield findings without the texts of the secrets of a run.

    A message has no parts of them either, such as one address of a list. The help of a finding about a secret is left out: it can
    have its words.
    """
    if not secrets:
        return iter(findings)
    from sidecarctl.catalog.masking import forms_of, mask_forms, part_forms_of

    forms, parts = forms_of(secrets), part_forms_of(secrets)

    def mask_one(finding: Finding) -> Finding:
        masked = _mask(finding, forms)
        message = mask_forms(masked.message, parts)
        if masked == finding and message == finding.message:
            return finding
        return replace(masked, message=message, why=mask_forms(masked.why, parts), help="")

    return map(mask_one, findings)


def _mask(finding: Finding, forms: SecretForms) -> Finding:
    """Return a finding without the texts of secret parameters, also in the line of the manifest."""
    from sidecarctl.catalog.masking import mask_forms

    def mask(text: str) -> str:
        return mask_forms(text, forms)

    def place(found: Place | None) -> Place | None:
        shown = found is None or mask(found.line_text) == found.line_text
        return found if found is None or shown else replace(found, line_text="")

    texts: dict[str, Any] = {name: mask(getattr(finding, name)) for name in ("message", "why", "help", "container")}
    path = tuple(mask(step) if isinstance(step, str) else step for step in finding.path)
    related = tuple(replace(each, label=mask(each.label), path=(), place=place(each.place)) for each in finding.related)
    expected = tuple(map(mask, finding.expected))
    return replace(finding, **texts, path=path, place=place(finding.place), related=related, expected=expected)
