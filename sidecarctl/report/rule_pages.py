"""Renders the list of rules and the page of a rule as text, Markdown, and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sidecarctl.findings import Severity
from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, width_of, wrap
from sidecarctl.results import ROLE_TEXT

LAYERS = {
    "structure": "Structure: YAML syntax and the Kubernetes schema of the target version",
    "api": "API rules: what the API server rejects beyond its schema",
    "advice": "Advice: what the API server accepts, but causes problems later",
    "composing": "Composing: conflicts and decisions when sidecars are added, updated, or removed",
    "library": "Library: findings of `sidecarctl test` about sidecars",
}


@dataclass(frozen=True)
class Page:
    """The page of a rule. `why` may have several paragraphs; `bad` and `good` are YAML; `on` False: only when selected.

    `fixable` says with which flags `validate` fixes a finding, and when; empty if it does not. `rate` says how often an
    advice rule reports something in valid manifests.
    """

    name: str
    severity: Severity
    layer: str
    what: str
    why: str
    bad: str
    good: str
    fix: str
    roles: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    on: bool = True
    fixable: str = ""
    rate: str = ""

    @property
    def facts(self) -> str:
        """`error, API rules; native sidecars only; since 1.29`."""
        parts = [f"{self.severity.value}, {LAYERS[self.layer].partition(':')[0]}"]
        if self.roles:
            parts.append("containers: " + ", ".join(ROLE_TEXT.get(role, role) for role in self.roles))
        if self.since:
            parts.append(f"since Kubernetes {self.since}")
        if self.until:
            parts.append(f"until Kubernetes {self.until}")
        if not self.on:
            parts.append("off by default")
        if self.rate:
            parts.append(f"reported {self.rate}")
        return "; ".join(parts)


def render_rule_list(pages: Sequence[Page], *, color: bool, width: int) -> str:
    """Return all rules by layer, with name, severity, and what they find. `width` in columns; 0 does not wrap."""
    name_width = max((len(one.name) for one in pages), default=0)
    lines: list[str] = []
    for layer, title in LAYERS.items():
        own = [one for one in pages if one.layer == layer]
        if not own:
            continue
        lines += ["", *wrap(f"{title} ({len(own)})", width)]
        for one in own:
            lines += _row(one, name_width, color, width)
    return "\n".join(lines).lstrip("\n") + "\n\nExplain a rule: sidecarctl rules RULE\n"


def _row(one: Page, name_width: int, color: bool, width: int) -> list[str]:
    lead = f"  {one.name:<{name_width}}  {one.severity.value:<7}  "
    first, *rest = wrap(one.what, width, lead, " " * len(lead))
    head = f"  {paint(f'{one.name:<{name_width}}', 'bold', color)}  " + paint(
        f"{one.severity.value:<7}", one.severity.value, color
    )
    return [head + first[len(lead) - 2 :], *rest]


def render_rule_page(one: Page, *, color: bool, width: int) -> str:
    """Return the page of a rule for a terminal."""
    title = paint(one.name, "bold", color) + f" ({one.facts})"
    if width and width_of(one.name) + len(one.facts) + 3 > width:
        title = "\n".join([paint(one.name, "bold", color), *wrap(f"({one.facts})", width)])
    lines = [title, "", *wrap(one.what, width), ""]
    for paragraph in one.why.split("\n\n"):
        lines += [*_paragraph(paragraph, width), ""]
    for word, style, text in (("Bad", "error", one.bad), ("Good", "added", one.good)):
        lines += [paint(f"{word}:", style, color), "", textwrap.indent(text.rstrip("\n"), "    "), ""]
    lines += wrap(one.fix, width, "Fix: ", "     ")
    if one.fixable:
        lines += wrap(one.fixable, width, "Fixable: ", "         ")
    if one.layer not in ("composing", "library"):
        lines += [
            "",
            "To ignore a finding, add this comment to its line or the line above:",
            "",
            f"    # sidecarctl: ignore[{one.name}] <reason>",
        ]
    return "\n".join(lines) + "\n"


def _paragraph(text: str, width: int) -> list[str]:
    """Wrap prose; keep the lines of lists and of indented text."""
    rows = text.split("\n")
    if any(row.startswith((" ", "- ", "* ", "|")) for row in rows):
        return [line for row in rows for line in wrap(row, width)]
    return wrap(" ".join(text.split()), width)


def render_rules_markdown(pages: Sequence[Page]) -> str:
    """Return all pages as one Markdown document without a title."""
    lines: list[str] = []
    for layer, title in LAYERS.items():
        own = [one for one in pages if one.layer == layer]
        name, _, about = title.partition(": ")
        lines += [f"## {name}", "", about[0].upper() + about[1:] + ".", ""]
        lines += ["| rule | severity | what it finds |", "|---|---|---|"]
        lines += [f"| [{one.name}](#{one.name}) | {one.severity.value} | {_cell(one.what)} |" for one in own]
        lines.append("")
        for one in own:
            lines += [f"### {one.name}", "", f"*{one.facts}*", "", one.what, "", one.why, ""]
            lines += ["Bad:", "", "```yaml", one.bad.rstrip("\n"), "```", ""]
            lines += ["Good:", "", "```yaml", one.good.rstrip("\n"), "```", "", f"Fix: {one.fix}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def render_rules_json(pages: Page | Sequence[Page]) -> str:
    """Return one page or several as JSON."""
    many = [asdict(one) for one in ([pages] if isinstance(pages, Page) else pages)]
    return to_json(many[0] if isinstance(pages, Page) else many)
