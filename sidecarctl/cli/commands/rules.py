"""`sidecarctl rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from sidecarctl.report.rule_pages import Page
    from sidecarctl.validate.registry import Rule


def rules(
    rule: Annotated[
        str | None, o.Argument("RULE", "A rule, as findings name it.", required=False, complete="rules")
    ] = None,
    format: o.Data = "text",
) -> int:
    """List the rules, or print the page of one: what it finds, why, an example of each kind, and how to fix it."""
    from sidecarctl.cli.console import looks, out
    from sidecarctl.report import rule_pages

    cards = [named(rule)] if rule else handbook()
    look = looks()
    if format == "json":
        out(rule_pages.data(cards[0]) if rule else rule_pages.data(cards))
    elif rule:
        out(rule_pages.page(cards[0], color=look.color, width=look.width))
    else:
        out(rule_pages.listing(cards, color=look.color, width=look.width))
    return 0


def handbook() -> list[Page]:
    """Return the pages of all rules, by name."""
    from sidecarctl.validate import registry

    return [_page(one) for one in registry.rules().values()]


def named(name: str) -> Page:
    """Return the page of a rule. Raises UsageError, with a suggestion, where there is none of that name."""
    from sidecarctl.validate import registry

    known = registry.rules()
    name = registry.current_name(name)
    if name not in known:
        hint = did_you_mean(name, known) or "`sidecarctl rules` lists all rules"
        raise UsageError(f'there is no rule "{name}"', hint=hint)
    return _page(known[name])


def _page(one: Rule) -> Page:
    from sidecarctl.report.rule_pages import Page

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
    from sidecarctl.validate.fix.table import FIXABLE

    known = FIXABLE.get(name)
    return f"with {' '.join(('--fix', *known.flags))}, where {known.when}" if known else ""
