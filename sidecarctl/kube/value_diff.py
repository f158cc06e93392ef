"""Field-by-field differences between two values of plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.results import ABSENT, FieldChange
from sidecarctl.yamltext.edits import identical

# Fields that identify an item of a list, in order of precedence.
_KEY_FIELDS = ("name", "mountPath", "containerPort", "key", "ip")


def diff_values(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[FieldChange]:
    """Yield the innermost fields in which two values differ. An added or removed item is one field."""
    if identical(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from diff_values(before.get(key, ABSENT), after.get(key, ABSENT), (*path, f".{_plain(str(key))}"))
        return
    if isinstance(before, list) and isinstance(after, list):
        old, new = _named(before), _named(after)
        if old is not None and new is not None:
            for key in dict.fromkeys((*old, *new)):
                yield from diff_values(old.get(key, ABSENT), new.get(key, ABSENT), (*path, f"[{key}]"))
            if [k for k in old if k in new] != [k for k in new if k in old]:
                yield FieldChange("".join(path).lstrip(".") + " (order)", list(old), list(new))
            return
    if isinstance(before, str) and isinstance(after, str) and "\n" in before and "\n" in after:
        yield from _lines("".join(path).lstrip("."), before.splitlines(), after.splitlines())
        return
    yield FieldChange("".join(path).lstrip("."), before, after)


def _lines(path: str, before: list[str], after: list[str]) -> Iterator[FieldChange]:
    """Yield the lines that differ, numbered as in the first text, or the whole texts if only line ends differ."""
    found = False
    from sidecarctl.yamltext.changed_ranges import find_changed_ranges  # imports difflib, which is slow

    for start, end, first, last in find_changed_ranges(before, after):
        found = True
        old, new = before[start:end], after[first:last]
        number = f"line {start + 1}" if end - start < 2 else f"lines {start + 1}-{end}"
        yield FieldChange(f"{path} {number}", "\n".join(old) if old else ABSENT, "\n".join(new) if new else ABSENT)
    if not found:
        yield FieldChange(path, "\n".join(before), "\n".join(after))


def _plain(key: str) -> str:
    return f'"{key}"' if "." in key or "/" in key else key


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Return the items of a list by name, None if an item has no unique name."""
    for name in _KEY_FIELDS:
        if all(isinstance(item, dict) and isinstance(item.get(name), (str, int)) for item in items):
            found = {str(item[name]): item for item in items}
            return found if len(found) == len(items) else None
    return None
