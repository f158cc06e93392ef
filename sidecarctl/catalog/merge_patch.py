"""JSON merge patches of containers (RFC 7396) whose lists are merged by name, as in strategic merge patches of Kubernetes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sidecarctl.yamltext.edits import identical

_DIRECTIVE = "$patch"
_REPLACE = {_DIRECTIVE: "replace"}
_ROOT = ("containers",)


def merge_patch(target: object, patch: object, path: tuple[str, ...] = _ROOT) -> Any:
    """Return `target` with a patch applied: maps are merged, null removes a key.

    Lists whose items have a merge key, such as the name, are merged item by item. `$patch: delete` in an item removes it, and
    an item `$patch: replace` replaces the whole list. Other lists are replaced.
    """
    if isinstance(patch, list) and isinstance(target, list):
        return _merge_list(target, patch, path)
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value, (*path, key))
    return result


def _merge_list(target: list[Any], patch: list[Any], path: tuple[str, ...]) -> list[Any]:
    from sidecarctl.kube.merge_keys import index_by_merge_key

    if _REPLACE in patch:
        return copy.deepcopy([item for item in patch if item != _REPLACE])
    present, wanted = index_by_merge_key(path, target), index_by_merge_key(path, patch)
    if present is None or wanted is None:
        return copy.deepcopy(patch)
    result: dict[Any, Any] = {key: target[index] for key, index in present.items()}
    for key, index in wanted.items():
        if patch[index].get(_DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), patch[index], path)
    return list(result.values())


def make_patch(before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...] = _ROOT) -> dict[str, Any]:
    """Return the patch that turns one mapping into the other. A list that changes is replaced as a whole."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old, here = before.get(key), (*path, key)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = make_patch(old, value, here)
            patch.update({key: inner} if inner else {})
        elif key not in before or not identical(old, value):
            patch[key] = [_REPLACE, *value] if _are_merged(here, old, value) else value
    return patch


def _are_merged(path: tuple[str, ...], old: object, new: object) -> bool:
    from sidecarctl.kube.merge_keys import index_by_merge_key

    return index_by_merge_key(path, old) is not None and index_by_merge_key(path, new) is not None
