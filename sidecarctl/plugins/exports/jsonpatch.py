"""RFC 6902: the operations that make one value of another, insertions as insertions. Knows plain data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sidecarctl.yamltext.edits import identical

Operation = dict[str, Any]
_NAMES = ("name", "mountPath")


def operations(before: Any, after: Any, path: tuple[str | int, ...] = ()) -> Iterator[Operation]:
    """Yield operations that, carried out in their order, turn `before` into `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if key not in after:
                yield {"op": "remove", "path": pointer((*path, key))}
        for key, value in after.items():
            if key not in before:
                yield {"op": "add", "path": pointer((*path, key)), "value": value}
            else:
                yield from operations(before[key], value, (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(before, after, path)
    elif not identical(before, after):
        yield {"op": "replace", "path": pointer(path), "value": after}


def _items(before: Sequence[Any], after: Sequence[Any], path: tuple[str | int, ...]) -> Iterator[Operation]:
    """Lists: items are the same where their names are; where their order changes, the whole list is replaced."""
    old, new = [_name(each) for each in before], [_name(each) for each in after]
    if identical(before, after):
        return
    if len(set(old)) < len(old) or len(set(new)) < len(new) or None in (*old, *new):
        yield {"op": "replace", "path": pointer(path), "value": list(after)}
        return
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield {"op": "replace", "path": pointer(path), "value": list(after)}
        return
    for index in reversed(range(len(old))):
        if old[index] not in new:
            yield {"op": "remove", "path": pointer((*path, index))}
    for index, name in enumerate(new):
        if name not in old:
            yield {"op": "add", "path": pointer((*path, index)), "value": after[index]}
    for index, name in enumerate(new):
        if name in old:
            yield from operations(before[old.index(name)], after[index], (*path, index))


def _name(item: Any) -> Any:
    if isinstance(item, dict):
        return next((f"{key}={item[key]}" for key in _NAMES[::-1] if isinstance(item.get(key), str)), None)
    return None


def pointer(path: Sequence[str | int]) -> str:
    """Return a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
