"""Tables for the page of a sidecar: its parameters as rows, and what it adds to a pod as a tree of text lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.json_schema import resolve_ref
from sidecarctl.errors import LibraryError
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.report.terminal import paint, visible, width_of, wrap

if TYPE_CHECKING:
    from sidecarctl.authoring.trial import InjectedParts

_MAX_DEPTH = 12
# References that branch multiply: 30 schemas can have a billion parameters.
_MAX_ROWS = 2000
_MAX_TYPE = 300  # characters
_MISSING = object()
_OMITTED_DEFAULTS: tuple[object, ...] = (_MISSING, None, {}, [], "")


@dataclass(frozen=True)
class ParameterRow:
    """One parameter.

    path      names from the top; "[]" is each item of a list, "<name>" each key of a map
    type      as text: "string", "nginx | redis", "integer, 1 to 65535", "list of string"
    default   as YAML on one line; "" if there is none or it is empty
    """

    path: tuple[str, ...]
    type: str
    default: str = ""
    required: bool = False
    description: str = ""
    secret: bool = False

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path[-1]

    @property
    def depth(self) -> int:
        """The nesting depth, 0 at the top."""
        return len(self.path) - 1

    @property
    def note(self) -> str:
        """The type, whether the parameter is required or secret, and its default."""
        marks = ["required"] if self.required else []
        marks += [f"default {self.default}"] if self.default else []
        marks += ["secret"] if self.secret else []
        return ", ".join([self.type, *marks])


def list_parameters(schema: Mapping[str, Any], where: str = "") -> list[ParameterRow]:
    """Return the parameters of a schema, nested ones after their parent. Raise LibraryError for more than 2,000."""
    rows = list(islice(_property_rows(schema, schema, ()), _MAX_ROWS + 1))
    if len(rows) > _MAX_ROWS:
        raise LibraryError(
            f"the schema has more than {_MAX_ROWS:,} parameters", where=where, hint="use fewer references that branch"
        )
    return rows


def list_common_parameters() -> list[ParameterRow]:
    """Return the parameters that all sidecars have, without nested ones."""
    return [row for row in list_parameters(common_parameters.SCHEMA) if not row.depth]


def _property_rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ParameterRow]:
    if len(path) > _MAX_DEPTH:
        return
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        inner = _resolve_ref(part, root)
        yield ParameterRow(
            (*path, name),
            describe_type(inner, root),
            _default(inner),
            name in required and "default" not in inner,
            one_line(inner.get("description", "")),
            bool(inner.get("writeOnly")),
        )
        yield from _nested_rows(inner, root, (*path, name))


def _nested_rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ParameterRow]:
    """Yield the rows of object properties, list items, and map values."""
    if len(path) > _MAX_DEPTH:
        return
    yield from _property_rows(schema, root, path)
    for key, step in (("items", "[]"), ("additionalProperties", "<name>")):
        inner = _resolve_ref(schema.get(key), root)
        if "properties" in inner:
            yield from _property_rows(inner, root, (*path, step))
        elif "items" in inner or isinstance(inner.get("additionalProperties"), Mapping):
            yield from _nested_rows(inner, root, (*path, step))


def _resolve_ref(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(20):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            break
        target = resolve_ref(root, schema["$ref"])
        schema = {
            **(target if isinstance(target, Mapping) else {}),
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    return schema if isinstance(schema, Mapping) else {}


def one_line(text: str) -> str:
    """Return text with all whitespace collapsed."""
    return " ".join(text.split())


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default", _MISSING)
    if schema.get("writeOnly") or any(value is dull or value == dull for dull in _OMITTED_DEFAULTS):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if text != text.strip() or "\n" in text else text


def describe_type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return a short description of the values that a schema accepts."""
    return _describe_type(schema, root, {})


def _describe_once(part: Any, root: Mapping[str, Any], known: dict[int, str]) -> str:
    """Return the description of a part of a schema; `known` has those of parts that were described, or are being described."""
    if id(part) not in known:
        known[id(part)] = "any value"
        inner = _resolve_ref(part, root)
        text = _describe_type(inner, root, known)
        known[id(part)] = text if len(text) <= _MAX_TYPE or "enum" in inner else "any value"
    return known[id(part)]


def _describe_type(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[int, str]) -> str:
    if "enum" in schema:
        return " | ".join(_word(value) for value in schema["enum"])
    if "const" in schema:
        return _word(schema["const"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and "type" not in schema:
            texts = [_describe_once(branch, root, known) for branch in schema[keyword]]
            return " or ".join(dict.fromkeys(texts))
    kind = schema.get("type", "object" if "properties" in schema else "any value")
    words = [_describe_one_type(each, schema, root, known) for each in (kind if isinstance(kind, list) else [kind])]
    bounds = _bounds(schema)
    return " or ".join(words) + (f", {bounds}" if bounds else "")


def _word(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _describe_one_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[int, str]) -> str:
    if kind == "array":
        inner = schema.get("items")
        return f"list of {_plural(_describe_once(inner, root, known))}" if _resolve_ref(inner, root) else "list"
    if kind == "object" and "properties" not in schema:
        inner = schema.get("additionalProperties")
        return f"map of {_plural(_describe_once(inner, root, known))}" if _resolve_ref(inner, root) else "map"
    return {"object": "map", "boolean": "true | false", "null": "null"}.get(kind, kind)


def _plural(text: str) -> str:
    words = {
        "string": "strings",
        "integer": "integers",
        "number": "numbers",
        "map": "maps",
        "any value": "anything",
    }
    return words.get(text, f"({text})" if " " in text else text)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"at least {least}"
    return f"at most {most}" if most is not None else ""


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
