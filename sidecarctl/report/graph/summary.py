"""Pods for a job summary: what was added, the resources before and after, and the graph, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecarctl.report.graph import mermaid
from sidecarctl.report.graph.model import Pod
from sidecarctl.report.machine.markdown import code, prose, table


def render(pods: Iterable[Pod]) -> str:
    """Return a section for each pod."""
    return "\n".join("\n\n".join(_pod(pod)) + "\n" for pod in pods)


def _pod(pod: Pod) -> Iterator[str]:
    yield f"### {code(pod.label)}"
    if pod.instances:
        rows: list[tuple[str, ...]] = [
            (code(one.name), prose(one.text), prose(one.mode), "<br>".join(map(prose, one.parts)))
            for one in pod.instances
        ]
        yield table(("instance", "sidecar", "mode", "what it added"), rows)
    else:
        yield "No sidecars of sidecarctl."
    yield table(("", "without sidecars", "now"), list(_resources(pod)))
    yield f"```mermaid\n{mermaid.render([pod])}```"


def _resources(pod: Pod) -> Iterator[tuple[str, ...]]:
    before, after = pod.before or pod.facts, pod.facts
    for word, old, new in (("requests", before.requests, after.requests), ("limits", before.limits, after.limits)):
        for name in dict.fromkeys((*old, *new)):
            yield f"{word} {name}", prose(old.get(name, "none")), prose(new.get(name, "none"))
    yield "QoS class", prose(before.qos), prose(after.qos)
