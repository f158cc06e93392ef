"""Rules about the size of objects and of their annotations."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity
from sidecarctl.validate.fields import ANNOTATIONS_SIZE, all_metadata, text_size
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView
from sidecarctl.yamltext.edits import dotted

# etcd's default for the size of a request (--max-request-bytes).
_OBJECT_SIZE = 1536 * 1024


@rule(
    "object-too-large",
    Severity.ERROR,
    scope="object",
    given=Context(options={"object-too-large": 120}),
    fix="Split the object, or move large values into ConfigMaps, an image, or a volume.",
)
def object_too_large(obj: ObjectView, ctx: Context) -> Problems:
    """An object is larger than 1.5 MiB.

    etcd rejects larger requests. Only the strings of the object count, without keys, in bytes of UTF-8. The API server
    stores more than that, so a slightly smaller object can be too large as well.
    To set another limit in bytes, use the option `object-too-large`.
    """
    limit = ctx.options.get("object-too-large", _OBJECT_SIZE)
    size = text_size(_strings(obj.value), limit)
    if size > limit:
        _, longest = _find_longest(obj.value)
        help = f"Split the object, or move its longest string out of it: {dotted(longest)}."
        yield problem(obj.at("kind"), f"object too large: {size} bytes (limit: {limit})", help=help)


def _strings(value: object) -> Iterator[str]:
    """Yield the strings among the values of an object, without paths: this runs for every object."""
    todo = [value]
    while todo:
        found = todo.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            todo += found.values()
        elif isinstance(found, list):
            todo += found


def _find_longest(value: object, path: PathTuple = ()) -> tuple[int, PathTuple]:
    """Return the length and the path of the longest string among the values of an object."""
    if isinstance(value, str):
        return len(value), path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return max((_find_longest(item, (*path, step)) for step, item in items), default=(-1, path), key=lambda one: one[0])


@rule(
    "annotations-too-large",
    Severity.ERROR,
    scope="object",
    given=Context(options={"annotations-too-large": 80}),
    fix="Put large values into a ConfigMap.",
)
def annotations_too_large(obj: ObjectView, ctx: Context) -> Problems:
    """The annotations of an object are larger than 256 KiB in total.

    Keys and values count, in bytes of UTF-8. `kubectl apply` stores a copy of the manifest in an annotation, so you can
    set a lower limit in bytes with the option `annotations-too-large`.
    """
    limit = ctx.options.get("annotations-too-large", ANNOTATIONS_SIZE)
    for metadata in all_metadata(obj):
        annotations = metadata.value.get("annotations")
        if not annotations or not isinstance(annotations, dict):
            continue
        size = text_size((*annotations, *annotations.values()), limit)
        if size > limit:
            message = f"annotations too large: {size} bytes (limit: {limit})"
            yield problem((*metadata.path, "annotations"), message, on_key=True)
