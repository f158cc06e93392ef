"""Generate schemas/kubernetes/ from the development package `kubernetes-validate`.

Usage: python tools/gen_schemas.py [DIRECTORY]. The output is deterministic: three text files for all versions, which
sidecarctl/validate/schema/data.py reads.

Each line of workloads.txt and others.txt is one definition with its range of minor versions:

    core.v1.EnvVar 25 37 {"fields": {"name": "string", ...}, "required": ["name"]}

A type is a name (string, boolean, int32, int64, number, quantity, int-or-string, time, micro-time, bytes, object,
mapping-or-boolean, any), the name of a definition, `[type]` for a list, or `{type}` for a map. `lists` contains the
merge rules of lists: list type, map keys, and the merge key of strategic merge patches. Descriptions and defaults are
omitted.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MINORS = range(25, 38)
WORKLOADS = (
    "core.v1.Pod", "core.v1.PodTemplate", "core.v1.ReplicationController", "apps.v1.Deployment",
    "apps.v1.ReplicaSet", "apps.v1.StatefulSet", "apps.v1.DaemonSet", "batch.v1.Job", "batch.v1.CronJob",
)  # fmt: skip
# Kinds of the API protocol, which do not occur in manifests.
PROTOCOL_KINDS = {
    "DeleteOptions",
    "WatchEvent",
    "Status",
    "APIGroup",
    "APIGroupList",
    "APIResourceList",
    "APIVersions",
}
PREFIXES = re.compile(
    r"io\.k8s\.(?:api|apimachinery\.pkg\.(?:apis|api|runtime|util)|apiextensions-apiserver\.pkg\.apis"
    r"|kube-aggregator\.pkg\.apis)\."
)
WORDS = {
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "int-or-string",
    "meta.v1.Time": "time",
    "meta.v1.MicroTime": "micro-time",
    # Any content.
    "meta.v1.FieldsV1": "any",
    "RawExtension": "any",
    # The API server does not validate its content strictly.
    "apiextensions.v1.JSONSchemaPropsOrBool": "mapping-or-boolean",
}
FORMATS = {
    ("string", None): "string", ("string", "byte"): "bytes", ("string", "date-time"): "time",
    ("string", "int32"): "string", ("string", "int64"): "string",
    ("integer", "int32"): "int32", ("integer", "int64"): "int64", ("integer", None): "int64",
    ("integer", "uint32"): "int64", ("integer", "uint64"): "int64",
    ("number", "double"): "number", ("number", None): "number",
    ("boolean", None): "boolean", ("object", None): "object", (None, None): "any",
}  # fmt: skip

Definition = dict[str, Any]


def short(name: str) -> str:
    """Return the short name of a definition: `core.v1.Pod` for `io.k8s.api.core.v1.Pod`."""
    return PREFIXES.sub("", name, count=1)


def type_of(schema: dict[str, Any]) -> str:
    """Return the type of a field, as described in the module docstring."""
    if "$ref" in schema:
        return short(schema["$ref"].rpartition("/")[2])
    kinds = [kind for kind in _as_list(schema.get("type")) if kind != "null"]
    kind = kinds[0] if kinds else None
    if kind == "array":
        return f"[{type_of(schema['items'])}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "{" + type_of(schema["additionalProperties"]) + "}"
    return FORMATS[kind, schema.get("format")]


def definition_of(schema: dict[str, Any]) -> Definition:
    """Return the compact form of a definition."""
    top_level = "x-kubernetes-group-version-kind" in schema
    fields = {key: type_of(value) for key, value in sorted(schema.get("properties", {}).items())}
    lists = {key: rule for key, value in sorted(schema.get("properties", {}).items()) if (rule := _list_rule(value))}
    compact: Definition = {"fields": fields}
    if required := [key for key in schema.get("required", ()) if not (top_level and key == "status")]:
        compact["required"] = sorted(required)
    if lists:
        compact["lists"] = lists
    return compact


def definitions(raw: dict[str, dict[str, Any]]) -> dict[str, Definition]:
    """Return the compact definitions of one version. Definitions that are not objects are inlined as types."""
    named = {short(name): schema for name, schema in raw.items()}
    aliases = {name: type_of(schema) for name, schema in named.items() if not _is_object(schema)} | WORDS
    found = {name: definition_of(schema) for name, schema in named.items() if name not in aliases}
    for definition in found.values():
        for key, kind in definition["fields"].items():
            inner = kind.strip("[]{}")
            definition["fields"][key] = kind.replace(inner, aliases.get(inner, inner))
    return found


def kinds(raw: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield apiVersion, kind, and name of the definition for each kind of one version."""
    for name, schema in raw.items():
        for entry in schema.get("x-kubernetes-group-version-kind", ()):
            if entry["kind"] not in PROTOCOL_KINDS:
                api_version = f"{entry['group']}/{entry['version']}" if entry["group"] else entry["version"]
                yield api_version, entry["kind"], short(name)


def closure(names: Iterable[str], of: dict[str, Definition]) -> set[str]:
    """Return the names and all names that they refer to, directly or indirectly."""
    todo, seen = list(names), set()
    while todo:
        name = todo.pop()
        if name in of and name not in seen:
            seen.add(name)
            todo += [kind.strip("[]{}") for kind in of[name]["fields"].values()]
    return seen


def ranges(by_minor: dict[int, dict[Any, str]]) -> Iterator[tuple[Any, int, int, str]]:
    """Yield key, first minor version, last minor version, and text for each range of versions with the same text."""
    for key in sorted({key for found in by_minor.values() for key in found}):
        start, text = 0, None
        for minor in (*MINORS, MINORS.stop):
            now = by_minor.get(minor, {}).get(key)
            if now != text:
                if text is not None:
                    yield key, start, minor - 1, text
                start, text = minor, now


def generate(source: Path) -> dict[str, str]:
    """Return file names and texts from the directory `kubernetes-json-schema` of kubernetes-validate."""
    of_kinds: dict[int, dict[Any, str]] = {}
    of_definitions: dict[int, dict[Any, str]] = {}
    of_workloads: set[str] = set()
    for minor in MINORS:
        path = source / f"v1.{minor}.0-local-strict" / "_definitions.json"
        raw = json.loads(path.read_text(encoding="utf-8"))["$defs"]
        compact = definitions(raw)
        of_kinds[minor] = {(api_version, kind): name for api_version, kind, name in kinds(raw)}
        used = closure(of_kinds[minor].values(), compact)
        of_definitions[minor] = {name: _dump(compact[name]) for name in used}
        of_workloads |= closure(WORKLOADS, compact)
    lines = [(name, f"{name} {first} {last} {text}\n") for name, first, last, text in ranges(of_definitions)]
    return {
        "kinds.txt": "".join(
            f"{api_version} {kind} {first} {last} {name}\n"
            for (api_version, kind), first, last, name in ranges(of_kinds)
        ),
        "workloads.txt": "".join(line for name, line in lines if name in of_workloads),
        "others.txt": "".join(line for name, line in lines if name not in of_workloads),
    }


def source_directory() -> Path:
    """Return the schema directory of the installed package kubernetes-validate."""
    import kubernetes_validate

    return Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


def main() -> None:
    """Write the files."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "schemas" / "kubernetes")
    target.mkdir(parents=True, exist_ok=True)
    for name, text in generate(source_directory()).items():
        (target / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{target / name}: {text.count(chr(10))} lines, {len(text)} bytes")


def _is_object(schema: dict[str, Any]) -> bool:
    return "properties" in schema or "object" in _as_list(schema.get("type"))


def _list_rule(schema: dict[str, Any]) -> str:
    parts = [str(schema.get("x-kubernetes-list-type", ""))]
    if keys := schema.get("x-kubernetes-list-map-keys"):
        parts.append("keys=" + ",".join(keys))
    if merge := schema.get("x-kubernetes-patch-merge-key"):
        parts.append("merge=" + merge)
    if strategy := schema.get("x-kubernetes-patch-strategy"):
        parts.append("strategy=" + strategy)
    rule = " ".join(part for part in parts if part)
    return "" if rule == "atomic" else rule


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    main()
