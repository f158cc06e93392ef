"""What a sidecar adds to a pod, as a tree of text lines for its page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog.masking import mask
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.report.terminal import paint, visible, width_of, wrap

if TYPE_CHECKING:
    from sidecarctl.authoring.trial import InjectedParts


ROLES = {
    "init": "init container",
    "sidecar": "native sidecar",
    "classic": "classic sidecar",
    "app": "sidecar",
}


@dataclass(frozen=True)
class Box:
    """One added object: a title, a note, and rows of cells."""

    title: str
    note: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def mask_box(box: Box, secrets: frozenset[str]) -> Box:
    """Return an object without the texts of secret parameters."""
    rows = tuple(tuple(mask(cell, secrets) for cell in row) for row in box.rows)
    return Box(mask(box.title, secrets), box.note, rows) if secrets else box


def build_boxes(own: InjectedParts) -> list[Box]:
    """Return what an instance adds, in reading order."""
    app_names = dict.fromkeys((*own.mounts, *own.env))
    return [
        *(_container(role, container) for role, container in own.containers),
        *(_app(name, own) for name in app_names),
        *_table("volumes", "", ((str(v["name"]), _source(v)) for v in own.volumes)),
        *_table("annotations", "of the pod", own.annotations.items()),
        *_table("labels", "of the pod", own.labels.items()),
        *_table("pod", "", ((path.replace("/", "."), _to_text(value)) for path, value in own.pod.items())),
        *(_document(document) for document in own.documents),
    ]


def _table(title: str, note: str, rows: Iterable[tuple[str, Any]]) -> Iterator[Box]:
    cells = tuple((str(key), str(value)) for key, value in rows)
    if title in ("annotations", "labels"):
        # Keys are long, so key and value share one column.
        cells = tuple(("", f"{key}: {value}") for key, value in cells)
    if cells:
        yield Box(title, note, cells)


def _container(role: str, container: Mapping[str, Any]) -> Box:
    rows: list[tuple[str, ...]] = [("image", str(container.get("image", "")))]
    resources = as_mapping(container.get("resources"))
    for name in ("cpu", "memory"):
        low, high = (as_mapping(resources.get(kind)).get(name) for kind in ("requests", "limits"))
        if low or high:
            rows.append(
                (name, f"{f'requests {low}' if low else 'no requests'}, {f'limits {high}' if high else 'no limits'}")
            )
    for port in as_list(container.get("ports")):
        name = f" ({port['name']})" if port.get("name") else ""
        protocol = "" if port.get("protocol", "TCP") == "TCP" else f"/{port['protocol']}"
        rows.append(("port", f"{port.get('containerPort')}{protocol}{name}"))
    rows += [("mount", _mount(mount)) for mount in as_list(container.get("volumeMounts"))]
    probes = [name for name in ("startup", "liveness", "readiness") if f"{name}Probe" in container]
    rows += [("probes", ", ".join(probes))] if probes else []
    return Box(str(container.get("name", "")), ROLES.get(role, role), tuple(rows))


def _mount(mount: Mapping[str, Any]) -> str:
    below = f"/{mount['subPath']}" if mount.get("subPath") else ""
    only = ", read-only" if mount.get("readOnly") else ""
    return f"{mount.get('mountPath')} from {mount.get('name')}{below}{only}"


def _app(name: str, own: InjectedParts) -> Box:
    rows = [("mount", _mount(mount)) for mount in own.mounts.get(name, ())]
    rows += [("variable", _variable(each)) for each in own.env.get(name, ())]
    return Box(name, "app container", tuple(rows))


def _variable(variable: Mapping[str, Any]) -> str:
    return (
        f"{variable['name']}={variable['value']}" if "value" in variable else f"{variable['name']} (from a reference)"
    )


def _source(volume: Mapping[str, Any]) -> str:
    kind = next((key for key in volume if key != "name"), "emptyDir")
    source = as_mapping(volume.get(kind))
    if kind == "emptyDir":
        memory = " in memory" if source.get("medium") == "Memory" else ""
        limit = f", limit {source['sizeLimit']}" if source.get("sizeLimit") else ", no limit"
        return f"emptyDir{memory}{limit}"
    name = source.get("name") or source.get("secretName") or source.get("claimName") or source.get("path")
    return f"{kind} {name}" if name else kind


def _document(document: Mapping[str, Any]) -> Box:
    name = as_mapping(document.get("metadata")).get("name", "")
    files = [str(key) for key in as_mapping(document.get("data"))]
    return Box(f"{document.get('kind')} {name}", "document", tuple(("file", each) for each in files))


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_LINES = {True: ("├─ ", "│  ", "└─ ", "   "), False: ("|- ", "|  ", "`- ", "   ")}


def draw(parts: list[Box], *, color: bool, width: int, lines: bool = True) -> list[str]:
    """Return the lines of the tree, up to `width` columns wide (0: unlimited). `lines` selects line-drawing characters
    over ASCII.
    """
    branch, bar, last, gap = _LINES[lines]
    out: list[str] = []
    for number, box in enumerate(parts):
        end = number == len(parts) - 1
        note = paint(f"  {visible(box.note)}", "dim", color) if box.note else ""
        out.append(paint(last if end else branch, "gutter", color) + paint(visible(box.title), "bold", color) + note)
        lead = gap if end else bar
        size = max((width_of(row[0]) for row in box.rows), default=0)
        for index, (key, text) in enumerate(box.rows):
            shown = key if not index or box.rows[index - 1][0] != key else ""
            out += _draw_row(visible(shown), visible(text), lead, size, color, width)
    return out


def _draw_row(key: str, text: str, lead: str, size: int, color: bool, width: int) -> list[str]:
    plain = f"{lead}  {key}{' ' * (size - width_of(key))}  "
    first, *rest = wrap(text, width, plain, f"{lead}  {' ' * size}  ")
    painted = paint(lead, "gutter", color) + "  " + paint(key, "dim", color) + first[len(lead) + 2 + len(key) :]
    return [painted, *(paint(lead, "gutter", color) + line[len(lead) :] for line in rest)]
