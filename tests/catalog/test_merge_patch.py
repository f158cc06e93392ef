"""Patches of containers: what `make_patch` makes, `merge_patch` applies."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.catalog.merge_patch import make_patch, merge_patch

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.one_of(st.text("xy", max_size=2), st.integers(0, 2))


def named(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    item = st.fixed_dictionaries({key: NAMES}, optional={"value": VALUES, "more": st.dictionaries(NAMES, VALUES)})
    return st.lists(item, max_size=3, unique_by=lambda each: each[key])


CONTAINERS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "args": st.lists(VALUES, max_size=2),
        "env": named("name"),
        "volumeMounts": named("mountPath"),
        "resources": st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=2), max_size=2),
    },
)


@given(CONTAINERS, CONTAINERS)
def test_patch_turns_one_container_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merge_patch(before, make_patch(before, after)) == after


@given(CONTAINERS)
def test_patch_of_equal_containers_is_empty(container: dict[str, Any]) -> None:
    assert make_patch(container, container) == {}


def test_lists_are_merged_by_key() -> None:
    before = {"env": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}
    patch = {"env": [{"name": "b", "$patch": "delete"}, {"name": "a", "value": "3"}, {"name": "c", "value": "4"}]}
    assert merge_patch(before, patch) == {"env": [{"name": "a", "value": "3"}, {"name": "c", "value": "4"}]}
    assert merge_patch(before, {"env": [{"$patch": "replace"}, {"name": "c"}]}) == {"env": [{"name": "c"}]}
