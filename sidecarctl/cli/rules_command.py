"""`sidecarctl rules`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def rules(
    rule: Annotated[
        str | None, o.Argument("RULE", "A rule, as findings name it.", required=False, complete="rules")
    ] = None,
    format: o.Data = "text",
) -> int:
    """List the rules, or print the page of one: what it finds, why, an example of each kind, and how to fix it."""
    from sidecarctl.cli.handbook import handbook, named
    from sidecarctl.cli.printing import looks, out
    from sidecarctl.report import pages

    cards = [named(rule)] if rule else handbook()
    look = looks()
    if format == "json":
        out(pages.data(cards[0]) if rule else pages.data(cards))
    elif rule:
        out(pages.page(cards[0], color=look.color, width=look.width))
    else:
        out(pages.listing(cards, color=look.color, width=look.width))
    return 0
