"""One page for each rule, and their index by layer."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.cli.commands.rules import all_pages
from sidecarctl.report.rule_pages import LAYERS, Page


def pages() -> dict[str, str]:
    """Return the pages by path in the site. Links are relative to docs/rules.md, as in that file."""
    found = all_pages()
    return {"rules/index.md": index(found), **{f"rules/{one.name}.md": page(one) for one in found}}


def index(found: list[Page]) -> str:
    """Return the page that lists all rules by layer."""
    lines = ["# Rules", "", f"{len(found)} rules find problems in manifests and libraries.", ""]
    lines += [
        "`sidecarctl rules <rule>` prints the page of a rule. [Validation](validation.md) describes the layers.",
        "",
    ]
    for layer, title in LAYERS.items():
        own = [one for one in found if one.layer == layer]
        name, _, what = title.partition(": ")
        lines += [f"## {name}", "", f"{len(own)} rules: {what}.", "", "| rule | severity | finds |", "|---|---|---|"]
        lines += [f"| [{one.name}](rules.md#{one.name}) | {one.severity.value} | {cell(one.what)} |" for one in own]
        lines.append("")
    return "\n".join(lines)


def page(one: Page) -> str:
    """Return the page of one rule."""
    return "\n".join(_lines(one)) + "\n"


def _lines(one: Page) -> Iterator[str]:
    yield from (f"# {one.name}", "", f"*{one.facts}*", "", f"**{one.what}**", "", one.why.strip(), "")
    yield from ("## Bad", "", "```yaml", one.bad.rstrip("\n"), "```", "", "## Good", "")
    yield from ("```yaml", one.good.rstrip("\n"), "```", "", "## Fix", "", one.fix)
    if one.fixable:
        yield from ("", f"Fixable: {one.fixable}")
    if one.layer not in ("composing", "library"):
        yield from ("", "## Ignore", "", "To ignore a finding, add this comment to its line or the line above:", "")
        yield from ("```yaml", f"# sidecarctl: ignore[{one.name}] <reason>", "```")
    yield from ("", "[All rules](rules.md)")


def cell(text: str) -> str:
    """Return text escaped for a table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
