"""Lays out a pod graph in pixels. Text is measured in columns of a fixed-width font, so that it never leaves its box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sidecarctl.report.graph.model import ROLE_WORDS, Box, Hop, Mount, Pod, Volume, facts_line
from sidecarctl.report.graph.scene import RAIL, Line, Loop, Panel, Scene, Text
from sidecarctl.report.terminal import visible, width_of

HUES = 6
LEFT = 40  # left edge of the containers
PAD = 16
ROW = 19
TOP = 64  # below title and facts
GAP = 16
GUTTER = 150
_COLUMN = 0.615  # width of the widest common fixed-width font, in em per column
_LETTER = 0.64  # an upper bound of the mean width of other fonts over words
BOX_COLUMNS = 58
VOLUME_COLUMNS = 40


@dataclass(frozen=True)
class _Row:
    """A row of a box: a label, a text, and a word at the right edge."""

    text: str
    style: str = "m dim"
    size: int = 12
    right: str = ""
    mount: Mount | None = None
    port: str = ""

    def width(self) -> int:
        mono = _COLUMN if "m" in self.style.split() else _LETTER
        right = round(width_of(self.right) * 11 * _LETTER) + 14 if self.right else 0
        return round(width_of(self.text) * self.size * mono) + right


def lay_out(pod: Pod) -> Scene:
    """Lay out a pod."""
    hues = {one.name: f"h{index % HUES}" for index, one in enumerate(pod.instances)}
    rows = [_box_rows(pod, box) for box in pod.containers]
    gates = [_Row(_gate(box), "dim") for box in pod.containers if box.gate]
    width = _width([*(row for group in rows for row in group), *gates])
    title, facts = _cut(pod.label, 64), facts_line(pod)
    texts = [Text(0, 20, title, "ink b", 18, full=visible(pod.label)), Text(0, 42, facts, "dim", 13, full=facts)]
    panels: list[Panel] = []
    starts: list[tuple[int, Mount, Box]] = []
    ports: dict[tuple[str, str], int] = {}
    steps: list[tuple[int, int, int]] = []
    y, last = TOP, 0
    for box, group in zip(pod.containers, rows):
        panel = _panel(LEFT, y, width, group, hues.get(box.by, "hn"))
        panels.append(panel)
        starts += [(text_y(y, n), row.mount, box) for n, row in enumerate(group) if row.mount]
        ports |= {(box.name, row.port): text_y(y, n) for n, row in enumerate(group) if row.port}
        ports[box.name, ""] = text_y(y, 0)
        if box.start != last and box.start:
            steps.append((RAIL, y + 20, box.start))
        y += panel.height
        last = box.start
        if box.gate:
            texts.append(Text(LEFT + PAD, y + 19, _gate(box), "dim", 12, full=_waits(box)))
        y += 30 if box.gate else GAP
    rails = [(above + 11, below - 11) for (_, above, _), (_, below, _) in zip(steps, steps[1:])]
    bottom = y - 16
    x = LEFT + width + GUTTER
    items = [*_services(pod, ports), *_volumes(pod, starts, hues)]
    shown, lines, under = _right_side(items, (LEFT + width, x), bottom)
    panels += shown
    bottom = max(bottom, under)
    notes = _notes(pod)
    texts += [Text(0, bottom + 32 + 19 * n, _cut(note, 120), "dim", 12, full=note) for n, note in enumerate(notes)]
    bottom += 24 + 19 * len(notes)
    right = max((panel.x + panel.width for panel in panels), default=0)
    right = max(right, *(round(width_of(t.text) * t.size * _LETTER) + t.x for t in texts))
    return Scene(
        visible(pod.label),
        right,
        bottom,
        tuple(panels),
        tuple(lines),
        tuple(texts),
        tuple(steps),
        tuple(rails),
        tuple(_loops(pod, ports, LEFT + width, hues)),
    )


def text_y(top: int, row: int) -> int:
    """Return the middle of a row in a box that starts at `top`."""
    return top + 20 + row * ROW


def _width(rows: Sequence[_Row]) -> int:
    return max((row.width() for row in rows), default=0) + 2 * PAD


def _panel(x: int, y: int, width: int, rows: Sequence[_Row], hue: str, radius: int = 8) -> Panel:
    texts: list[Text] = []
    for number, row in enumerate(rows):
        base = text_y(y, number) + 5
        texts.append(Text(x + PAD, base, row.text, _hued(row.style, hue), row.size, full=row.text))
        if row.right:
            texts.append(Text(x + width - PAD, base, row.right, "dim", 11, True, row.right))
    return Panel(x, y, width, len(rows) * ROW + 20, hue, tuple(texts), radius)


def _hued(style: str, hue: str) -> str:
    return style.replace("hue", hue)


def _box_rows(pod: Pod, box: Box) -> list[_Row]:
    instance = pod.instance(box.by)
    rows = [_Row(_cut(box.name, 40), "m b ink", 14, ROLE_WORDS.get(box.role, box.role))]
    if instance:
        rows.append(_Row(_cut(f"added by {instance.text}", BOX_COLUMNS), "hue", 12))
    if box.image:
        rows.append(_Row(_cut(box.image, BOX_COLUMNS)))
    rows += [_Row(_cut(f"port {port.text}", BOX_COLUMNS), port=port.number) for port in box.ports]
    rows += [_Row(_cut(probe, BOX_COLUMNS)) for probe in box.probes]
    rows += [_Row(_cut(mount.path, BOX_COLUMNS - 10), "m ink", 12, mount.verb, mount) for mount in box.mounts]
    return rows


@dataclass(frozen=True)
class _Item:
    """A box on the right side, with the heights at the containers where its lines end."""

    rows: tuple[_Row, ...]
    hue: str
    ends: tuple[tuple[int, str], ...]
    radius: int = 16


def _volumes(pod: Pod, starts: Sequence[tuple[int, Mount, Box]], hues: dict[str, str]) -> Iterator[_Item]:
    for volume in pod.volumes:
        ends = tuple((y, mount.verb) for y, mount, _ in starts if mount.volume == volume.name)
        yield _Item(tuple(_volume_rows(pod, volume)), hues.get(volume.by, "hn"), ends)


def _services(pod: Pod, ports: dict[tuple[str, str], int]) -> Iterator[_Item]:
    for service in dict.fromkeys(route.service for route in pod.routes):
        routes = [route for route in pod.routes if route.service == service]
        rows = [_Row(_cut(service, VOLUME_COLUMNS), "m b ink", 13)]
        for route in routes:
            rows.append(_Row(_cut(f"port {route.port} to {route.hops[0].port}", VOLUME_COLUMNS)))
            if route.around:
                rows.append(_Row(_cut(f"around {' and '.join(route.around)}", VOLUME_COLUMNS), "dim"))
        ends = (_port_y(ports, route.hops[0]) for route in routes)
        yield _Item(tuple(rows), "hn", tuple((y, "connects") for y in ends if y is not None), 3)


def _port_y(ports: dict[tuple[str, str], int], hop: Hop) -> int | None:
    """Return the height of a port of a container, of the container if it does not list it, None without a container."""
    return ports.get((hop.container, str(hop.port)), ports.get((hop.container, "")))


def _loops(pod: Pod, ports: dict[tuple[str, str], int], x: int, hues: dict[str, str]) -> Iterator[Loop]:
    """Yield the connections from sidecars in front of the app to the containers behind them."""
    pairs = dict.fromkeys(pair for route in pod.routes for pair in zip(route.hops, route.hops[1:]))
    for front, inner in pairs:
        start, end = _port_y(ports, front), _port_y(ports, inner)
        if start is not None and end is not None:
            yield Loop(x, start + 5, end, hues.get(front.container, "hn"))


def _right_side(items: Sequence[_Item], between: tuple[int, int], bottom: int) -> tuple[list[Panel], list[Line], int]:
    """Draw the items; `between` are the right side of the containers and the left side of the items.

    Also return the bottom of the last item.
    """
    left, x = between
    middles = {id(item): sum(y for y, _ in item.ends) // len(item.ends) for item in items if item.ends}
    order = sorted(items, key=lambda item: middles.get(id(item), 1 << 30))
    width = _width([row for item in order for row in item.rows])
    heights = [len(item.rows) * ROW + 20 for item in order]
    tops = _tops(heights, [middles.get(id(item), 0) for item in order], bottom)
    panels: list[Panel] = []
    lines: list[Line] = []
    for item, y, height in zip(order, tops, heights):
        panels.append(_panel(x, y, width, item.rows, item.hue, item.radius))
        for number, (start, kind) in enumerate(item.ends):
            end = y + height * (number + 1) // (len(item.ends) + 1)
            lines.append(Line(left, start, x, end, kind, item.hue))
    return panels, lines, max((y + height for y, height in zip(tops, heights)), default=0)


def _tops(heights: Sequence[int], middles: Sequence[int], bottom: int) -> list[int]:
    """Place each volume at the height of its users, as far as the others leave room above `bottom`."""
    tops: list[int] = []
    y = TOP
    for height, middle in zip(heights, middles):
        tops.append(max(y, middle - height // 2))
        y = tops[-1] + height + GAP
    limit = max(bottom, TOP + sum(heights) + GAP * (len(heights) - 1))
    for index in range(len(tops) - 1, -1, -1):
        tops[index] = min(tops[index], limit - heights[index])
        limit = tops[index] - GAP
    return tops


def _volume_rows(pod: Pod, volume: Volume) -> list[_Row]:
    instance = pod.instance(volume.by)
    rows = [_Row(_cut(volume.name, VOLUME_COLUMNS), "m b ink", 13), _Row(_cut(volume.source, VOLUME_COLUMNS))]
    return rows + ([_Row(_cut(f"added by {instance.text}", VOLUME_COLUMNS), "hue", 12)] if instance else [])


def _notes(pod: Pod) -> list[str]:
    notes = []
    if len(pod.stops) > 1:
        notes.append("Stops: " + ", then ".join(" and ".join(step) for step in pod.stops))
    beside = [f"{one.replace('/', ' ')} (of {i.name})" for i in pod.instances for one in i.documents]
    notes += [f"With the workload: {', '.join(beside)}"] if beside else []
    if any(box.mounts for box in pod.containers):
        notes.append("Lines: solid for read-write mounts, dashed for read-only mounts")
    if pod.routes:
        notes.append("Thick lines: connections, from a Service to the sidecar or the app, and from sidecars to the app")
    if pod.left_out:
        notes.append(f"Not drawn: {pod.left_out}")
    return [visible(note) for note in notes]


def _waits(box: Box) -> str:
    return f"next waits for {visible(box.gate)}"


def _gate(box: Box) -> str:
    return _cut(_waits(box), BOX_COLUMNS)


def _cut(text: str, columns: int) -> str:
    """Cut the middle of a long text: the ends of a name or image tell more."""
    shown = visible(text)
    if width_of(shown) <= columns:
        return shown
    keep = columns - 1
    head, tail = "", ""
    for char in shown:
        if width_of(head + char) > keep // 2:
            break
        head += char
    for char in reversed(shown):
        if width_of(head) + width_of(char + tail) > keep:
            break
        tail = char + tail
    return f"{head}…{tail}"
