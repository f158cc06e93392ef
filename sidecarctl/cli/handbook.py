"""The rules as pages: what of the registry people and programs are shown."""

from __future__ import annotations

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.report.pages import Page
from sidecarctl.validate.fix.table import FIXABLE
from sidecarctl.validate.registry import Rule, rules


def handbook() -> list[Page]:
    """Return the pages of all rules, by name."""
    return [_page(one) for one in rules().values()]


def named(name: str) -> Page:
    """Return the page of a rule. Raises UsageError, with a suggestion, where there is none of that name."""
    known = rules()
    if name not in known:
        hint = did_you_mean(name, known) or "`sidecarctl rules` lists all rules"
        raise UsageError(f'there is no rule "{name}"', hint=hint)
    return _page(known[name])


def _page(one: Rule) -> Page:
    return Page(
        one.name,
        one.severity,
        one.layer,
        one.what,
        one.why,
        one.bad,
        one.good,
        one.fix,
        one.roles,
        one.since,
        one.until,
        one.on,
        _fixable(one.name),
    )


def _fixable(name: str) -> str:
    known = FIXABLE.get(name)
    return f"with {' '.join(('--fix', *known.flags))}, where {known.when}" if known else ""
