"""`sidecarctl rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from sidecarctl.report.rule_pages import Page
    from sidecarctl.validate.registry import Rule


def rules(
    rule: Annotated[str | None, o.Argument("[RULE]", "Rule to explain.", required=False, complete="rules")] = None,
    format: o.Data = "text",
) -> int:
    """List the rules, or explain one: what it finds, why it matters, examples, and the fix."""
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.report import rule_pages

    pages = [find_page(rule)] if rule else all_pages()
    style = stream_style()
    if format == "json":
        write_text(rule_pages.render_rules_json(pages[0] if rule else pages))
    elif rule:
        write_text(rule_pages.render_rule_page(pages[0], color=style.color, width=style.width))
    else:
        write_text(rule_pages.render_rule_list(pages, color=style.color, width=style.width))
    return 0


def all_pages() -> list[Page]:
    """Return the pages of all rules, by name."""
    from sidecarctl.validate import registry

    return [_page(rule) for rule in registry.rules().values()]


def find_page(name: str) -> Page:
    """Return the page of a rule. Raises UsageError, with a suggestion, for an unknown rule."""
    from sidecarctl.validate import registry

    known = registry.rules()
    name = registry.current_name(name)
    if name not in known:
        hint = did_you_mean(name, known) or "`sidecarctl rules` lists all rules"
        raise UsageError(f'unknown rule "{name}"', hint=hint)
    return _page(known[name])


def _page(rule: Rule) -> Page:
    from sidecarctl.report.rule_pages import Page

    return Page(
        rule.name,
        rule.severity,
        rule.layer,
        rule.what,
        rule.why,
        rule.bad,
        rule.good,
        rule.fix,
        rule.roles,
        rule.since,
        rule.until,
        rule.on,
        _fixable(rule.name),
        rule.rate,
    )


def _fixable(name: str) -> str:
    from sidecarctl.validate.fix.table import FIXABLE

    known = FIXABLE.get(name)
    return f"with {' '.join(('--fix', *known.flags))}, where {known.when}" if known else ""
