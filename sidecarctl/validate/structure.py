"""The first layer of validation: an object against the Kubernetes schema of a version, as strict as the API
server.

Finds the definition by apiVersion and kind and says every problem of shape as a finding. Knows no single
field.

Rules: unknown-field, wrong-type, missing-required, invalid-enum, invalid-quantity, removed-api,
deprecated-api, unknown-kind.
"""

from __future__ import annotations

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.validate.apis import absence, deprecation
from sidecarctl.validate.schemas import schemas
from sidecarctl.validate.shape import Problem, shapes
from sidecarctl.validate.wording import described, finding

RULES = (
    "unknown-field",
    "wrong-type",
    "missing-required",
    "invalid-enum",
    "invalid-quantity",
    "removed-api",
    "deprecated-api",
    "unknown-kind",
)


def check(value: object, version: str, path: PathTuple = ()) -> list[Finding]:
    """Return all findings about the shape of one object that stands at `path` of its document.

    `value` is plain data as Kubernetes reads them, of any shape; `version` is "1.34". Items of a List are
    checked each as an object of its own. An empty document (None) has no findings. The path of a missing
    field ends with that field.
    """
    if value is None:
        return []
    if not isinstance(value, dict):
        help_text = "begin with apiVersion and kind"
        return [
            Finding(
                "wrong-type",
                f"an object must be a mapping, and is {described(value)}",
                path=path,
                help=help_text,
            )
        ]
    try:
        return _check(value, version, path)
    except RecursionError:
        return [Finding("wrong-type", "the object is nested too deeply to be checked", path=path)]


def _check(value: dict[object, object], version: str, path: PathTuple) -> list[Finding]:
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and api_version and isinstance(kind, str) and kind):
        return [*_type_meta(value, "apiVersion", path), *_type_meta(value, "kind", path)]
    if api_version == "v1" and kind == "List":
        return _list(value, version, path)
    schema = schemas(version)
    name = schema.kinds.get((api_version, kind))
    if name is None:
        return [absence(api_version, kind, version, path)]
    problems = shapes(version).of(name)(value) or []
    found = [finding(problem, name, schema, path) for problem in problems]
    deprecated = deprecation(api_version, kind, version, path)
    return [deprecated, *found] if deprecated else found


def _list(value: dict[object, object], version: str, path: PathTuple) -> list[Finding]:
    items = value.get("items")
    if items is None:
        return []
    if not isinstance(items, list):
        schema = schemas(version)
        return [finding(Problem("type", items, "[object]", reversed=["items"]), "", schema, path)]
    return [found for index, item in enumerate(items) for found in check(item, version, (*path, "items", index))]


def _type_meta(value: dict[object, object], key: str, path: PathTuple) -> list[Finding]:
    """Findings for apiVersion or kind that are missing or no text; without both nothing else can be
    checked.
    """
    found = value.get(key)
    if isinstance(found, str) and found:
        return []
    where = (*path, key)
    if found is None or found == "":
        example = "apps/v1" if key == "apiVersion" else "Deployment"
        message = f'an object needs "{key}", which is {"empty" if found == "" else "missing"}'
        return [Finding("missing-required", message, path=where, help=f"{key}: {example}, for example")]
    return [Finding("wrong-type", f'"{key}" must be a string, and is {described(found)}', path=where)]
