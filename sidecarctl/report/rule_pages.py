"""Pages of rules, and the list of them: as text, as Markdown, as JSON. Knows no rule."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sidecarctl.findings import Severity
from sidecarctl.report.terminal import paint, width_of, wrap
from sidecarctl.results import ROLE_TEXT

LAYERS = {
    "structure": "Structure: the Kubernetes schema of the target version, and the text itself",
    "api": "API rules: what the API server refuses beyond its schema",
    "advice": "Advice: what breaks or costs later",
    "composing": "Composing: what keeps a sidecar from being added, or is decided for you",
    "library": "Library: what `sidecarctl test` says about sidecars",
}


@dataclass(frozen=True)
class Page:
    """A rule's page. `why` may have several paragraphs; `bad` and `good` are YAML; `on` False: only when asked for.

    `fixable` says with which flags, and when, `validate` fixes it itself; empty where it does not.
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
            parts.append("only when selected")
        return "; ".join(parts)


def listing(pages: Sequence[Page], *, color: bool, width: int) -> str:
    """Return all rules by layer: name, severity, and what it finds. `width` in columns, 0 breaks no line."""
    name_width = max((len(one.name) for one in pages), default=0)
    lines: list[str] = []
    for layer, title in LAYERS.items():
        own = [one for one in pages if one.layer == layer]
        if not own:
            continue
        lines += ["", *wrap(f"{title} ({len(own)})", width)]
        for one in own:
            lines += _row(one, name_width, color, width)
    return "\n".join(lines).lstrip("\n") + "\n\nThe page of a rule: sidecarctl rules RULE\n"


def _row(one: Page, name_width: int, color: bool, width: int) -> list[str]:
    lead = f"  {one.name:<{name_width}}  {one.severity.value:<7}  "
    first, *rest = wrap(one.what, width, lead, " " * len(lead))
    head = f"  {paint(f'{one.name:<{name_width}}', 'bold', color)}  " + paint(
        f"{one.severity.value:<7}", one.severity.value, color
    )
    return [head + first[len(lead) - 2 :], *rest]


def page(one: Page, *, color: bool, width: int) -> str:
    """Return a rule's page for a terminal."""
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
        lines += ["", f"Ignore one finding: # sidecarctl: ignore[{one.name}] why", "on its line or the line above."]
    return "\n".join(lines) + "\n"


def _paragraph(text: str, width: int) -> list[str]:
    """Prose is wrapped again; lists and what is indented keep their lines."""
    rows = text.split("\n")
    if any(row.startswith((" ", "- ", "* ", "|")) for row in rows):
        return [line for row in rows for line in wrap(row, width)]
    return wrap(" ".join(text.split()), width)


def markdown(pages: Sequence[Page]) -> str:
    """Return all pages as one Markdown document, without its title."""
    lines: list[str] = []
    for layer, title in LAYERS.items():
        own = [one for one in pages if one.layer == layer]
        lines += [f"## {title.partition(':')[0]}", "", title.partition(": ")[2].capitalize() + ".", ""]
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


def data(pages: Page | Sequence[Page]) -> str:
    """Return a page, or several, as JSON."""
    many = [asdict(one) for one in ([pages] if isinstance(pages, Page) else pages)]
    return json.dumps(many[0] if isinstance(pages, Page) else many, indent=2, ensure_ascii=False) + "\n"
