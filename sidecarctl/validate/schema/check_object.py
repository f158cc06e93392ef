"""Schema checks of one object: API version, kind, and fields."""

from __future__ import annotations

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.validate.schema.api_versions import explain_missing_kind, find_deprecation, find_disabled_api
from sidecarctl.validate.schema.checker import SchemaProblem, object_checks
from sidecarctl.validate.schema.data import schemas
from sidecarctl.validate.schema.messages import describe_value, schema_finding

RULES = (
    "unknown-field",
    "wrong-type",
    "missing-required",
    "invalid-enum",
    "invalid-quantity",
    "removed-api",
    "disabled-api",
    "deprecated-api",
    "unknown-kind",
)


def check_object(value: object, version: str, path: PathTuple = ()) -> list[Finding]:
    """Return all schema findings of one object at `path` in its document.

    `value` is any plain data, and `version` a Kubernetes version such as "1.34". Each item of a List is checked as an
    object. An empty document (None) has no findings. The path of a missing field ends with the name of that field.
    """
    if value is None:
        return []
    if not isinstance(value, dict):
        help_text = "start the object with apiVersion and kind"
        return [
            Finding(
                "wrong-type",
                f"expected an object, got {describe_value(value)}",
                path=path,
                help=help_text,
            )
        ]
    try:
        return _check(value, version, path)
    except RecursionError:
        return [Finding("wrong-type", "object is nested too deeply to validate", path=path)]


def _check(value: dict[object, object], version: str, path: PathTuple) -> list[Finding]:
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and api_version and isinstance(kind, str) and kind):
        return [*_type_meta(value, "apiVersion", path), *_type_meta(value, "kind", path)]
    if api_version == "v1" and kind == "List":
        return _list(value, version, path)
    schema = schemas(version)
    name = schema.kinds.get((api_version, kind))
    if name is None:
        return [explain_missing_kind(api_version, kind, version, path)]
    problems = (problem for problem in object_checks(version).of(name)(value) or () if not _is_reset(problem))
    found = [schema_finding(problem, name, schema, path) for problem in problems]
    about = find_disabled_api(api_version, kind, version, path) or find_deprecation(api_version, kind, version, path)
    return [about, *found] if about else found


def _is_reset(problem: SchemaProblem) -> bool:
    """Return True for a problem with a value in status, which the API server decodes but does not validate."""
    return problem.reversed[-1:] == ["status"] and problem.code not in ("unknown", "type")


def _list(value: dict[object, object], version: str, path: PathTuple) -> list[Finding]:
    items = value.get("items")
    if items is None:
        return []
    if not isinstance(items, list):
        schema = schemas(version)
        return [schema_finding(SchemaProblem("type", items, "[object]", reversed=["items"]), "", schema, path)]
    return [found for index, item in enumerate(items) for found in check_object(item, version, (*path, "items", index))]


def _type_meta(value: dict[object, object], key: str, path: PathTuple) -> list[Finding]:
    """Return the finding for apiVersion or kind if it is missing or not a string."""
    found = value.get(key)
    if isinstance(found, str) and found:
        return []
    where = (*path, key)
    if found is None or found == "":
        example = "apps/v1" if key == "apiVersion" else "Deployment"
        message = f"required field is empty: {key}" if found == "" else f"missing required field: {key}"
        return [Finding("missing-required", message, path=where, help=f"add it, for example `{key}: {example}`")]
    return [Finding("wrong-type", f"{key}: expected a string, got {describe_value(found)}", path=where)]
