"""Fragments: the validated output of templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.catalog.json_schema import SchemaProblem
from sidecarctl.catalog.sidecar import find_format_problems, load_schema
from sidecarctl.errors import LibraryError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.record.check import check_entry

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Fragment:
    """What is added to the pod, and companions. Plain data, shared between renderings: do not modify.

    `volume_mounts` and `env` are for the target app containers; `annotations`, `labels`, `security_context`,
    `termination_grace_period_seconds` (a minimum, in seconds), `share_process_namespace`, and `image_pull_secrets` are for
    the pod. `ends_itself`: the sidecar exits when the app asks it to. `fronts` are the app ports that it takes traffic for.
    """

    containers: tuple[Item, ...] = ()
    init_containers: tuple[Item, ...] = ()
    volumes: tuple[Item, ...] = ()
    volume_mounts: tuple[Item, ...] = ()
    env: tuple[Item, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    termination_grace_period_seconds: int | None = None
    share_process_namespace: bool = False
    image_pull_secrets: tuple[Item, ...] = ()
    ends_itself: bool = False
    documents: tuple[Item, ...] = ()
    fronts: tuple[Item, ...] = ()


def check_fragment(value: object, where: str) -> dict[str, Any]:
    """Return template output without empty parts. Raise LibraryError unless it is a valid fragment.

    A key with a null value counts as absent: an empty loop renders `volumes:` without items.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        noun = "a list" if isinstance(value, list) else "a single value"
        raise LibraryError(
            f"template output is {noun}, expected a fragment",
            where=where,
            hint="a fragment is a mapping with containers, initContainers, volumes, app, pod, documents, or fronts",
        )
    fragment = _without_nulls(value)
    found = find_fragment_problems(fragment)
    if found:
        text = "; ".join(str(problem) for problem in found[:5])
        raise LibraryError(
            f"invalid fragment: {text}",
            where=where,
            hint=_QUOTE if any("must be a string" in problem.message for problem in found[:5]) else _FIELDS,
        )
    return fragment


_FIELDS = "for all fields, run `sidecarctl schema fragment`"
_QUOTE = f"quote text, because YAML reads some of it as another type; in Jinja: `name: {{{{ instance | quote }}}}`; {_FIELDS}"


def fragment_fields() -> frozenset[str]:
    """Return the names of all fields that the schema of fragments declares."""

    def names(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            declared = schema.get("properties")
            yield from declared if isinstance(declared, dict) else ()
            yield from (name for inner in schema.values() for name in names(inner))
        elif isinstance(schema, list):
            yield from (name for inner in schema for name in names(inner))

    return frozenset(names(load_schema("fragment")))


def find_fragment_problems(value: object) -> list[SchemaProblem]:
    """Return schema violations, duplicate names, and names that a record cannot hold."""
    found = find_format_problems("fragment", value)
    return found or [
        *_duplicate_names(value, ("containers",), ("initContainers",)),
        *_duplicate_names(value, ("volumes",)),
        *_duplicate_names(value, ("app", "env")),
        *_duplicate_names(value, ("app", "volumeMounts"), key="mountPath"),
        *_duplicate_names(value, ("pod", "imagePullSecrets")),
        *_duplicate_documents(value),
        *_find_unrecordable(value),
    ]


def _find_unrecordable(value: Any) -> Iterator[SchemaProblem]:
    """Yield each name of app and pod that a record would not hold, so that `remove` could not read the record."""
    app, pod = value.get("app", {}), value.get("pod", {})
    names: list[tuple[str, str, PathTuple]] = [
        *(("env", each["name"], ("app", "env", n, "name")) for n, each in enumerate(app.get("env", ()))),
        *(
            ("volumeMounts", each["mountPath"], ("app", "volumeMounts", n, "mountPath"))
            for n, each in enumerate(app.get("volumeMounts", ()))
        ),
        *((key, name, ("pod", key)) for key in ("annotations", "labels") for name in pod.get(key, ())),
        *(("pod", f"securityContext/{name}", ("pod", "securityContext")) for name in pod.get("securityContext", ())),
    ]
    for key, name, path in names:
        if problem := check_entry(key, name):
            yield SchemaProblem(path, f'invalid name "{name.removeprefix("securityContext/")}": {problem}')


def _duplicate_names(value: Any, *lists: tuple[str, ...], key: str = "name") -> Iterator[SchemaProblem]:
    """Yield each item with the name of another one in some lists: the record, and `remove`, tell items apart by their names."""
    seen: set[str] = set()
    for path in lists:
        items = value
        for step in path:
            items = items.get(step, {})
        for index, item in enumerate(items):
            if item[key] in seen:
                yield SchemaProblem((*path, index, key), f'duplicate {key} "{item[key]}"')
            seen.add(item[key])


def _duplicate_documents(value: Any) -> Iterator[SchemaProblem]:
    """Yield each companion with the kind and name of another one, in whatever namespace: a record lists only these."""
    seen: set[tuple[str, str]] = set()
    for index, item in enumerate(value.get("documents", ())):
        identity = (item["kind"], item["metadata"]["name"])
        if identity in seen:
            yield SchemaProblem(
                ("documents", index),
                f"duplicate object {identity[0]}/{identity[1]}: companions of one kind must differ in their names",
            )
        seen.add(identity)


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    result = {}
    for key, part in value.items():
        if key in ("app", "pod") and isinstance(part, dict):
            part = {name: _drop_nulls(inner) for name, inner in part.items() if inner is not None}
        elif key in ("containers", "initContainers") and isinstance(part, list):
            part = [_drop_nulls(item) for item in part]
        if part is not None:
            result[key] = part
    return result


def _drop_nulls(item: object) -> object:
    return {k: v for k, v in item.items() if v is not None} if isinstance(item, dict) else item


def build_fragment(value: Mapping[str, Any]) -> Fragment:
    """Return the Fragment for a validated mapping."""
    app, pod = value.get("app", {}), value.get("pod", {})
    return Fragment(
        containers=tuple(value.get("containers", ())),
        init_containers=tuple(value.get("initContainers", ())),
        volumes=tuple(value.get("volumes", ())),
        volume_mounts=tuple(app.get("volumeMounts", ())),
        env=tuple(app.get("env", ())),
        annotations=pod.get("annotations", {}),
        labels=pod.get("labels", {}),
        security_context=pod.get("securityContext", {}),
        termination_grace_period_seconds=pod.get("terminationGracePeriodSeconds"),
        share_process_namespace=pod.get("shareProcessNamespace", False),
        image_pull_secrets=tuple(pod.get("imagePullSecrets", ())),
        ends_itself=value.get("endsItself", False),
        documents=tuple(value.get("documents", ())),
        fronts=tuple(value.get("fronts", ())),
    )
