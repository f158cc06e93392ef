"""Edits applied to plain data, and equality of values."""

from __future__ import annotations

from typing import Any

import pytest

from sidecarctl.yamltext.edits import Edit, Insert, Remove, Replace, Restore, apply, identical

SAME: list[tuple[Any, Any]] = [
    ({}, {}),
    ([], []),
    ({"a": 1, "b": [None, "x"]}, {"b": [None, "x"], "a": 1}),
    ([{"a": {"b": 1.5}}], [{"a": {"b": 1.5}}]),
]
DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (1, 1.0),
    (0, False),
    ("1", 1),
    ({}, []),
    (None, {}),
    ({"a": "x"}, {"a": "y"}),
    ({"a": "x"}, {"b": "x"}),
    ({"a": None}, {"b": None}),
    ({"a": "x"}, {"a": "x", "b": "x"}),
    (["x", "y"], ["y", "x"]),
    (["x"], ["x", "y"]),
]


def nested(value: Any) -> list[Any]:
    """Return the value alone and inside other values."""
    return [value, {"k": value}, [value], {"k": [{"k": value}]}, {1: value}]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_identical_ignores_key_order(one: Any, two: Any) -> None:
    assert all(identical(a, b) and identical(b, a) for a, b in zip(nested(one), nested(two), strict=True))


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_identical_compares_types_and_content(one: Any, two: Any) -> None:
    assert not any(identical(a, b) or identical(b, a) for a, b in zip(nested(one), nested(two), strict=True))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([Remove(("a", 0)), Insert(("a", 0), 9)], [9, {"b": 1}, 2]),
        ([Insert(("a", 1), 8), Insert(("a", 1), 9)], [0, 8, 9, {"b": 1}, 2]),
        ([Insert(("a", 3), 9), Remove(("a", 1))], [0, 2, 9]),
        ([Replace(("a", 2), 9), Remove(("a", 0))], [{"b": 1}, 9]),
        ([Insert(("a", 1, "c"), 9), Remove(("a", 0))], [{"b": 1, "c": 9}, 2]),
    ],
)
def test_indices_of_all_edits_refer_to_the_input(edits: list[Edit], expected: list[Any]) -> None:
    value: dict[str, Any] = {"a": [0, {"b": 1}, 2], "z": {"y": 1}}
    assert apply(value, edits) == apply(value, edits[::-1][::-1]) == {"a": expected, "z": {"y": 1}}
    assert value == {"a": [0, {"b": 1}, 2], "z": {"y": 1}}


def test_root_can_be_filled_and_emptied() -> None:
    assert apply(None, [Insert((), {"a": 1})]) == {"a": 1}
    assert apply({"a": 1}, [Remove(("a",)), Restore((), "", None)]) is None
    assert apply({"a": 1}, [Remove(())]) == {"a": 1}


def test_what_two_versions_of_a_document_share_is_not_compared_item_by_item() -> None:
    class Never(int):
        __slots__ = ()
        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

    shared = {"list": [{"a": Never(1)}]}
    assert identical({"shared": shared, "own": 1}, {"shared": shared, "own": 1})
    assert not identical({"shared": shared, "own": 1}, {"shared": shared, "own": 2})
