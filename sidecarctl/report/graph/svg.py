"""Renders pod graphs as standalone SVG, with fonts and with colors for light and dark mode.

Containers are on the left in start order, volumes on the right, with a line for every mount. `layout` computes the
positions; this module only draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sidecarctl.report.graph.layout import lay_out
from sidecarctl.report.graph.model import Pod
from sidecarctl.report.graph.scene import Line, Loop, Panel, Scene, Text
from sidecarctl.report.terminal import visible

MARGIN = 20
_LOOP = 60
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"
# class: (property, light, dark). The hues h0 to h5 are for instances, in order.
_COLOURS: tuple[tuple[str, str, str, str], ...] = (
    ("page", "fill", "#ffffff", "#0d1117"),
    ("frame", "stroke", "#d5dae1", "#30363d"),
    ("box", "fill", "#f7f9fb", "#161b22"),
    ("edge", "stroke", "#c4cbd4", "#3d444d"),
    ("ink", "fill", "#1b2128", "#e8edf3"),
    ("dim", "fill", "#57606c", "#9aa5b1"),
    ("rail", "stroke", "#b4bcc7", "#4a525c"),
    ("step", "fill", "#3f4854", "#c3ccd6"),
    ("number", "fill", "#ffffff", "#0d1117"),
    ("hn", "--", "#5b6673", "#9aa5b1"),
    ("h0", "--", "#0f7b55", "#3fc995"),
    ("h1", "--", "#8a4fd0", "#b792f0"),
    ("h2", "--", "#b65708", "#f0a35c"),
    ("h3", "--", "#1668c4", "#6cb0f7"),
    ("h4", "--", "#bd3276", "#f285b5"),
    ("h5", "--", "#6b7300", "#c2c94a"),
)


def render_svg(pods: Iterable[Pod]) -> str:
    """Return the pods below each other as an SVG document."""
    scenes = [lay_out(pod) for pod in pods]
    width = max((one.width for one in scenes), default=0) + 2 * MARGIN
    height = MARGIN
    parts: list[str] = []
    for one in scenes:
        parts.append(f'<g transform="translate({MARGIN},{height})">')
        parts += _scene(one)
        parts.append("</g>")
        height += one.height + MARGIN
    title = ", ".join(one.title for one in scenes)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{_escaped(title)}">'
    )
    page = f'<rect class="page frame" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>'
    return "\n".join((head, f"<style>{_style()}</style>", page, *parts, "</svg>")) + "\n"


def _style() -> str:
    dark = "".join(_rule(name, kind, dark) for name, kind, _, dark in _COLOURS)
    return (
        f"text{{font-family:{_SANS}}}.m{{font-family:{_MONO}}}.b{{font-weight:600}}"
        ".frame,.edge,.line{stroke-width:1}.line{fill:none;stroke-width:1.6}.reads{stroke-dasharray:5 4}.line.goes{stroke-width:3}"
        + "".join(_rule(name, kind, light) for name, kind, light, _ in _COLOURS)
        + f"@media(prefers-color-scheme:dark){{{dark}}}"
    )


def _rule(name: str, kind: str, colour: str) -> str:
    """Return the CSS of a hue: fill for surfaces, stroke for lines."""
    if kind == "--":
        return f".{name}{{fill:{colour}}}.line.{name}{{fill:none;stroke:{colour}}}"
    return f".{name}{{{kind}:{colour}}}"


def _scene(one: Scene) -> Iterator[str]:
    for top, bottom in one.rails:
        yield f'<path class="rail" d="M{one.rail_x} {top}V{bottom}" stroke-width="2"/>'
    for x, y, number in one.steps:
        yield f'<circle class="step" cx="{x}" cy="{y}" r="11"/>'
        yield f'<text class="number b" x="{x}" y="{y + 4}" font-size="12" text-anchor="middle">{number}</text>'
    yield from (part for panel in one.panels for part in _panel(panel))
    yield from (part for line in one.lines for part in _line(line))
    yield from (part for loop in one.loops for part in _loop(loop))
    yield from _texts(one.texts)


def _panel(panel: Panel) -> Iterator[str]:
    x, y, width, height = panel.x, panel.y, panel.width, panel.height
    yield f'<rect class="box edge" x="{x}" y="{y}" width="{width}" height="{height}" rx="{panel.radius}"/>'
    if panel.hue != "hn":
        yield f'<rect class="{panel.hue}" x="{x}" y="{y + 8}" width="4" height="{height - 16}" rx="2"/>'
    yield from _texts(panel.texts)


def _line(line: Line) -> Iterator[str]:
    bend = max((line.x2 - line.x1) // 2, 30)
    kind = {"writes": "", "reads": " reads", "connects": " goes"}[line.kind]
    start, end = (line.x1, line.x2 - 7) if line.kind == "writes" else (line.x1 + 7, line.x2)
    yield (
        f'<path class="line {line.hue}{kind}" d="M{start} {line.y1}C{line.x1 + bend} {line.y1} '
        f'{line.x2 - bend} {line.y2} {end} {line.y2}"/>'
    )
    if line.kind == "writes":
        yield f'<path class="{line.hue}" d="M{line.x2} {line.y2}l-9 -4.5v9z"/>'
    else:
        yield f'<path class="{line.hue}" d="M{line.x1} {line.y1}l9 -4.5v9z"/>'


def _loop(loop: Loop) -> Iterator[str]:
    out = loop.x + _LOOP
    yield f'<path class="line {loop.hue} goes" d="M{loop.x} {loop.y1}C{out} {loop.y1} {out} {loop.y2} {loop.x + 7} {loop.y2}"/>'
    yield f'<path class="{loop.hue}" d="M{loop.x} {loop.y2}l9 -4.5v9z"/>'


def _texts(texts: Sequence[Text]) -> Iterator[str]:
    for text in texts:
        anchor = ' text-anchor="end"' if text.end else ""
        title = f"<title>{_escaped(text.full)}</title>" if text.full != text.text else ""
        shown = _escaped(text.text)
        yield f'<text class="{text.style}" x="{text.x}" y="{text.y}" font-size="{text.size}"{anchor}>{title}{shown}</text>'


def _escaped(text: str) -> str:
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace('"', "&quot;")
