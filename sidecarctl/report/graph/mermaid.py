"""Renders pod graphs as Mermaid flowcharts and as Markdown sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecarctl.report.graph.model import ROLE_WORDS, Box, Pod, Volume
from sidecarctl.report.machine.ci import code, prose, table
from sidecarctl.report.terminal import visible

# Medium colors that are readable on GitHub's light and dark pages; each sets its text color too.
_CLASSES = (
    ("app", "fill:#dbe9ff,stroke:#1f5fbf,color:#10243f"),
    ("init", "fill:#ececf1,stroke:#6b6f7d,color:#24262d"),
    ("sidecar", "fill:#d9f2e3,stroke:#1a7f4b,color:#0d2c1c"),
    ("classic", "fill:#d9f2e3,stroke:#1a7f4b,color:#0d2c1c,stroke-dasharray:5 3"),
    ("ephemeral", "fill:#ececf1,stroke:#6b6f7d,color:#24262d,stroke-dasharray:2 3"),
    ("volume", "fill:#fff1d2,stroke:#a86a00,color:#3a2700"),
)
_ENTITIES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\\": "#92;"}


def render_mermaid(pods: Iterable[Pod]) -> str:
    """Return one flowchart in which each pod is a subgraph."""
    lines = ["flowchart LR"]
    used: dict[str, None] = {}
    for number, pod in enumerate(pods):
        lines += [f"  {line}" for line in _pod(pod, f"p{number}", used)]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES if name in used]
    return "\n".join(lines) + "\n"


def _pod(pod: Pod, prefix: str, used: dict[str, None]) -> Iterator[str]:
    boxes = {box.name: f"{prefix}c{index}" for index, box in enumerate(pod.containers)}
    volumes = {volume.name: f"{prefix}v{index}" for index, volume in enumerate(pod.volumes)}
    yield f'subgraph {prefix}["{quoted(pod.label)}"]'
    for box in pod.containers:
        used[box.role] = None
        yield f'  {boxes[box.name]}["{_box(pod, box)}"]:::{box.role}'
    for volume in pod.volumes:
        used["volume"] = None
        yield f'  {volumes[volume.name]}[("{_volume(volume)}")]:::volume'
    yield from (f"  {line}" for line in _order(pod, boxes))
    for box in pod.containers:
        for mount in box.mounts:
            ends = boxes[box.name], volumes[mount.volume]
            arrow = "-->" if mount.writes else "-.->"
            start, end = ends if mount.writes else ends[::-1]
            yield f'  {start} {arrow}|"{quoted(mount.path)}"| {end}'
    yield "end"


def _order(pod: Pod, boxes: dict[str, str]) -> Iterator[str]:
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
    yield f"```mermaid\n{render_mermaid([pod])}```"


def _resources(pod: Pod) -> Iterator[tuple[str, ...]]:
    before, after = pod.before or pod.facts, pod.facts
    for word, old, new in (("requests", before.requests, after.requests), ("limits", before.limits, after.limits)):
        for name in dict.fromkeys((*old, *new)):
            yield f"{word} {name}", prose(old.get(name, "none")), prose(new.get(name, "none"))
    yield "QoS class", prose(before.qos), prose(after.qos)
