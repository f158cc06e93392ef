"""`sidecarctl schema`: the shipped JSON Schemas, and those of values files, made from the parameters of sidecars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.files.sources import data_directory
from sidecarctl.report.json_text import to_json

if TYPE_CHECKING:
    from sidecarctl.catalog.catalog import Catalog
    from sidecarctl.catalog.sidecar import Sidecar

VALUES = "values"
_SUFFIX = ".schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def shipped() -> list[str]:
    """Return the names of the shipped schemas."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in data_directory("schemas").glob(f"*{_SUFFIX}"))


def text(name: str, catalog: Catalog) -> str:
    """Return a schema: a shipped one, `values`, or the parameters of a sidecar. Raises UsageError for an unknown name."""
    if name in shipped():
        return (data_directory("schemas") / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    if name == VALUES:
        found = [e.sidecar for e in catalog.entries() if e.sidecar is not None and e.is_default]
        return _json(values_schema(found))
    if name.partition("@")[0] not in catalog.names():
        known = [*shipped(), VALUES, *catalog.names()]
        raise UsageError(f'unknown schema "{name}"', hint=did_you_mean(name, known) or f"use one of {', '.join(known)}")
    return _json(values_schema([catalog.find(name)]))


def _json(value: object) -> str:
    return to_json(value)


def values_schema(sidecars: Iterable[Sidecar]) -> dict[str, Any]:
    """Return the schema of a values file: a mapping from each sidecar to its own and the common parameters."""
    found = {sidecar.name: sidecar for sidecar in sidecars}
    return {
        "$schema": _DIALECT,
        "title": f"Parameters of {', '.join(map(str, found.values()))}",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"description": one.summary, "anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
            for name, one in found.items()
        },
        "$defs": {name: parameters_schema(one, f"#/$defs/{name}") for name, one in found.items()},
    }


def parameters_schema(sidecar: Sidecar, base: str = "#") -> dict[str, Any]:
    """Return the schema of a sidecar's own and common parameters; `base` is the JSON pointer at which it is embedded.

    Nothing is `required`, because values files and `--set` together give the parameters.
    """
    from sidecarctl.catalog import common_parameters

    own: dict[str, Any] = _moved(sidecar.parameters, base)
    required = own.pop("required", [])
    properties = {**own.pop("properties", {}), **common_parameters.SCHEMA["properties"]}
    for name in required:
        part = properties.get(name)
        if isinstance(part, dict):
            properties[name] = {**part, "description": f"Required. {part.get('description', '')}".strip()}
    return {"title": str(sidecar), **own, "properties": properties}


def _moved(schema: Any, base: str) -> Any:
    """Return a schema whose local references start at `base`."""
    if isinstance(schema, Mapping):
        return {
            key: base + value[1:]
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _moved(value, base)
            for key, value in schema.items()
        }
    return [_moved(inner, base) for inner in schema] if isinstance(schema, list) else schema


def schema(
    name: Annotated[
        str,
        o.Argument(
            "NAME",
            "Schema (sidecar, fragment, composition, report, or values), or a sidecar, for the schema of its parameters.",
            complete="schemas",
        ),
    ],
    library: o.Library = [],  # noqa: B006
) -> int:
    """Print a JSON Schema for editors."""
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.cli.console import write_text
    from sidecarctl.cli.libraries import open_libraries

    # The schema of compositions is printed even if the composition here is invalid.
    write_text(text(name, open_catalog() if name in shipped() else open_libraries(library)))
    return 0
