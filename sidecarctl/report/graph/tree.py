"""Renders pod graphs as text: trees for a terminal, Mermaid flowcharts, and Markdown sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecarctl.report.graph.model import ROLE_WORDS, Box, Mount, Pod, Route, Volume, facts_line
from sidecarctl.report.machine.ci import code, prose, table
from sidecarctl.report.terminal import paint, visible, width_of, wrap

_STYLE = {"app": "bold", "init": "changed", "sidecar": "help", "classic": "help", "ephemeral": "dim"}
_LINES = {
    True: {"sidecar": "◆", "classic": "◆", "app": "●", "init": "◇", "ephemeral": "○", "bar": "│", "volume": "■"},
    False: {"sidecar": "*", "classic": "*", "app": "o", "init": "+", "ephemeral": "o", "bar": "|", "volume": "#"},
}
_LEAST = 40


def render_tree(pods: Iterable[Pod], *, color: bool, width: int, lines: bool = True) -> str:
    """Return the pods below each other, at most `width` columns wide (0: any); without `lines` in ASCII."""
    room = max(width, _LEAST) if width else 0
    return "\n".join("".join(f"{line.rstrip()}\n" for line in _pod(pod, color, room, lines)) for pod in pods)


def _pod(pod: Pod, color: bool, width: int, lines: bool) -> Iterator[str]:
    signs = _LINES[lines]
    facts = facts_line(pod) if lines else facts_line(pod).replace(" · ", "; ")
    yield paint(visible(pod.label), "bold", color)
    yield from (paint(line, "dim", color) for line in wrap(visible(facts), width))
    yield ""
    key = max((len(row[0]) for box in pod.containers for row in _rows(box)), default=0)
    names = max((width_of(visible(box.name)) for box in pod.containers), default=0)
    last = 0
    for index, box in enumerate(pod.containers):
        yield from _head(pod, box, box.start != last, names, signs, color, width)
        more = index + 1 < len(pod.containers)
        bar = signs["bar"] if more else " "
        for line in _below(box, key, width):
            yield f"  {paint(bar, 'gutter', color)} {line}" if not color else _dimmed(line, bar, key)
        if more:
            yield f"  {paint(bar, 'gutter', color)}"
        last = box.start
    yield ""
    yield from _volumes(pod, signs, color, width)
    if len(pod.stops) > 1:
        order = ", then ".join(" and ".join(map(visible, step)) for step in pod.stops)
        yield from _labelled("stops", order, color, width)
    for route in pod.routes:
        yield from _labelled("from", visible(route.text), color, width)
    if pod.left_out:
        yield from _labelled("from", pod.left_out, color, width)
    for one in pod.instances:
        if one.documents:
            yield from _labelled(
                "beside", visible(f"{', '.join(one.documents).replace('/', ' ')} (of {one.name})"), color, width
            )


def _head(pod: Pod, box: Box, new: bool, names: int, signs: dict[str, str], color: bool, width: int) -> Iterator[str]:
    step = f"{box.start}" if box.start and new else " "
    name = visible(box.name)
    instance = pod.instance(box.by)
    note = ROLE_WORDS.get(box.role, box.role) + (f", added by {visible(instance.text)}" if instance else "")
    lead = f"{step} {signs.get(box.role, 'o')} {name}{' ' * (names - width_of(name))}  "
    first, *rest = wrap(note, width, lead, f"  {signs['bar']}   ")
    style = _STYLE.get(box.role, "bold")
    painted = paint(step, "bold", color) + " " + paint(f"{signs.get(box.role, 'o')} {name}", style, color)
    yield (
        painted
        + " " * (width_of(lead) - width_of(f"{step} {signs.get(box.role, 'o')} {name}"))
        + paint(first[len(lead) :], "dim", color)
    )
    yield from rest


def _rows(box: Box) -> Iterator[tuple[str, str]]:
    if box.image:
        yield "image", box.image
    if box.ports:
        yield "ports", ", ".join(port.text for port in box.ports)
    for mount in box.mounts:
        yield mount.verb, _mount(mount)
    if box.probes:
        yield "probes", ", ".join(box.probes)
    if box.gate:
        yield "gate", f"next waits for {box.gate}"


def _mount(mount: Mount) -> str:
    given = f", added by {mount.by}" if mount.by else ""
    return f"{mount.path} (volume {mount.volume}{given})"


def _below(box: Box, key: int, width: int) -> Iterator[str]:
    for word, text in _rows(box):
        lead = f"  {word:<{key}}  "
        # four columns for the bar
        room = width - 4 if width else 0
        yield from wrap(_break_words(visible(text), room - len(lead)), room, lead, " " * len(lead))


def _break_words(text: str, room: int) -> str:
    """Break words that are wider than a line, such as images with a digest."""
    if room <= 0 or width_of(text) <= room:
        return text
    words = text.split(" ")
    return " ".join(" ".join(word[at : at + room] for at in range(0, max(len(word), 1), room)) for word in words)


def _dimmed(line: str, bar: str, key: int) -> str:
    return f"  {paint(bar, 'gutter', True)} {paint(line[: key + 4], 'dim', True)}{line[key + 4 :]}"


def _volumes(pod: Pod, signs: dict[str, str], color: bool, width: int) -> Iterator[str]:
    names = max((width_of(visible(volume.name)) for volume in pod.volumes), default=0)
    for volume in pod.volumes:
        users = [f"{box.name} {mount.verb}" for box, mount in pod.users(volume.name)]
        told = "; ".join((volume.source, ", ".join(dict.fromkeys(users)) or "not mounted"))
        lead = f"  {signs['volume']} {visible(volume.name)}{' ' * (names - width_of(visible(volume.name)))}  "
        first, *rest = wrap(visible(told), width, lead, " " * width_of(lead))
        sign = paint(signs["volume"], "help" if volume.by else "dim", color)
        yield f"  {sign} {first[4:]}"
        yield from rest
    if pod.volumes:
        yield ""


def _labelled(word: str, text: str, color: bool, width: int) -> Iterator[str]:
    lead = f"  {word:<6}  "
    first, *rest = wrap(text, width, lead, " " * len(lead))
    yield "  " + paint(word, "dim", color) + first[2 + len(word) :]
    yield from rest


# Medium colors that are readable on GitHub's light and dark pages; each sets its text color too.
_CLASSES = (
    ("app", "fill:#dbe9ff,stroke:#1f5fbf,color:#10243f"),
    ("init", "fill:#ececf1,stroke:#6b6f7d,color:#24262d"),
    ("sidecar", "fill:#d9f2e3,stroke:#1a7f4b,color:#0d2c1c"),
    ("classic", "fill:#d9f2e3,stroke:#1a7f4b,color:#0d2c1c,stroke-dasharray:5 3"),
    ("ephemeral", "fill:#ececf1,stroke:#6b6f7d,color:#24262d,stroke-dasharray:2 3"),
    ("volume", "fill:#fff1d2,stroke:#a86a00,color:#3a2700"),
    ("service", "fill:#f3e3fb,stroke:#8a4fd0,color:#2d1147"),
)


_ENTITIES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\\": "#92;"}


def render_mermaid(pods: Iterable[Pod]) -> str:
    """Return one flowchart in which each pod is a subgraph."""
    lines = ["flowchart LR"]
    used: dict[str, None] = {}
    for number, pod in enumerate(pods):
        lines += [f"  {line}" for line in _mermaid_pod(pod, f"p{number}", used)]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES if name in used]
    return "\n".join(lines) + "\n"


def _mermaid_pod(pod: Pod, prefix: str, used: dict[str, None]) -> Iterator[str]:
    boxes = {box.name: f"{prefix}c{index}" for index, box in enumerate(pod.containers)}
    volumes = {volume.name: f"{prefix}v{index}" for index, volume in enumerate(pod.volumes)}
    yield f'subgraph {prefix}["{quoted(pod.label)}"]'
    for box in pod.containers:
        used[box.role] = None
        yield f'  {boxes[box.name]}["{_box(pod, box)}"]:::{box.role}'
    for volume in pod.volumes:
        used["volume"] = None
        yield f'  {volumes[volume.name]}[("{_volume(volume)}")]:::volume'
    yield from (f"  {line}" for line in _mermaid_order(pod, boxes))
    for box in pod.containers:
        for mount in box.mounts:
            ends = boxes[box.name], volumes[mount.volume]
            arrow = "-->" if mount.writes else "-.->"
            start, end = ends if mount.writes else ends[::-1]
            yield f'  {start} {arrow}|"{quoted(mount.path)}"| {end}'
    yield "end"
    yield from _mermaid_routes(pod, prefix, boxes, used)


def _mermaid_routes(pod: Pod, prefix: str, boxes: dict[str, str], used: dict[str, None]) -> Iterator[str]:
    """Yield a node for each Service with an arrow to its container, and arrows along the chains behind it."""
    services = {route.service: f"{prefix}s{index}" for index, route in enumerate(pod.routes)}
    for service, node in services.items():
        used["service"] = None
        yield f'{node}(["{quoted(service)}"]):::service'
    if pod.left_out:
        yield f'{prefix}more(["{pod.left_out}"]):::service'
    arrows: dict[str, None] = {}
    for route in pod.routes:
        ends = [(boxes.get(hop.container, ""), hop.port) for hop in route.hops]
        if ends[0][0]:
            label = f"port {route.port} to {route.hops[0].port}" + (", around" if route.around else "")
            label += f" {' and '.join(route.around)}" if route.around else ""
            arrows[f'{services[route.service]} -->|"{quoted(label)}"| {ends[0][0]}'] = None
        for (front, _), (inner, port) in zip(ends, ends[1:]):
            if inner:
                arrows[f'{front} -->|"to {port}"| {inner}'] = None
    yield from arrows


def _mermaid_order(pod: Pod, boxes: dict[str, str]) -> Iterator[str]:
    """Yield thick arrows from each step to the next, labeled with what the next step waits for."""
    steps = sorted({box.start for box in pod.containers} - {0})
    for step, following in zip(steps, steps[1:]):
        for first in (box for box in pod.containers if box.start == step):
            for second in (box for box in pod.containers if box.start == following):
                label = f'|"after {quoted(first.gate)}"|' if first.gate else ""
                yield f"{boxes[first.name]} ==>{label} {boxes[second.name]}"


def _box(pod: Pod, box: Box) -> str:
    instance = pod.instance(box.by)
    lines = [
        f"<b>{quoted(box.name)}</b>",
        f"{box.start}. {ROLE_WORDS.get(box.role, box.role)}" if box.start else ROLE_WORDS.get(box.role, box.role),
        f"added by {quoted(instance.text)}" if instance else "",
        quoted(box.image),
        quoted("ports " + ", ".join(port.text for port in box.ports)) if box.ports else "",
    ]
    return "<br/>".join(line for line in lines if line)


def _volume(volume: Volume) -> str:
    return f"{quoted(volume.name)}<br/>{quoted(volume.source)}"


def quoted(text: str) -> str:
    """Return text for a double-quoted Mermaid string, without markup."""
    return "".join(_ENTITIES.get(char, char) for char in visible(text))


def render_pod_sections(pods: Iterable[Pod]) -> str:
    """Return a section for each pod."""
    return "\n".join("\n\n".join(_markdown_pod(pod)) + "\n" for pod in pods)


def _markdown_pod(pod: Pod) -> Iterator[str]:
    yield f"### {code(pod.label)}"
    if pod.instances:
        rows: list[tuple[str, ...]] = [
            (code(one.name), prose(one.text), prose(one.mode), "<br>".join(map(prose, one.parts)))
            for one in pod.instances
        ]
        yield table(("instance", "sidecar", "mode", "added"), rows)
    else:
        yield "No sidecars added by sidecarctl."
    yield table(("", "without sidecars", "now"), list(_resources(pod)))
    if pod.routes:
        rows = [
            (code(one.service), prose(one.port), " → ".join(code(hop.text) for hop in one.hops), _around(one))
            for one in pod.routes
        ]
        yield table(("Service", "port", "leads to", "bypasses"), rows)
    if pod.left_out:
        yield f"{pod.left_out} not listed."
    yield f"```mermaid\n{render_mermaid([pod])}```"


def _around(route: Route) -> str:
    return ", ".join(map(code, route.around))


def _resources(pod: Pod) -> Iterator[tuple[str, ...]]:
    before, after = pod.before or pod.facts, pod.facts
    for word, old, new in (("requests", before.requests, after.requests), ("limits", before.limits, after.limits)):
        for name in dict.fromkeys((*old, *new)):
            yield prose(f"{word} {name}"), prose(old.get(name, "none")), prose(new.get(name, "none"))
    yield "QoS class", prose(before.qos), prose(after.qos)
