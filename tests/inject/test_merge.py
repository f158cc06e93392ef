"""The three-way merge: every row of the table in docs/upgrades.md."""

from __future__ import annotations

from typing import Any

import pytest

from sidecarctl.inject.merge import ENFORCE, FAIL, KEEP, OVERWRITE, Merge, Unknown, merge_sequences
from sidecarctl.results import ABSENT
from sidecarctl.yamltext.edits import apply


def merged(base: Any, current: Any, next: Any, on_conflict: str = FAIL) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the result of a merge and the paths of its conflicts."""
    merge = Merge(on_conflict)
    merge.add((), base, current, next)
    return apply(current, merge.edits), [conflict.path for conflict in merge.conflicts]


def env(**values: str) -> dict[str, Any]:
    return {"env": [{"name": name, "value": value} for name, value in values.items()]}


def probe(**values: int) -> dict[str, Any]:
    return {"livenessProbe": values}


CLEAN = {
    "scalar: library changed": ({"image": "a:1"}, {"image": "a:1"}, {"image": "a:2"}, {"image": "a:2"}),
    "scalar: person changed": ({"image": "a:1"}, {"image": "a:1.5"}, {"image": "a:1"}, {"image": "a:1.5"}),
    "scalar: both changed alike": ({"image": "a:1"}, {"image": "a:2"}, {"image": "a:2"}, {"image": "a:2"}),
    "scalar: library added": ({}, {}, {"image": "a:1"}, {"image": "a:1"}),
    "scalar: person added": ({}, {"tty": True}, {}, {"tty": True}),
    "scalar: library removed": ({"tty": True}, {"tty": True}, {}, {}),
    "scalar: person removed": ({"tty": True}, {}, {"tty": True}, {}),
    "mapping: both changed other keys": (
        {"a": 1, "b": 1},
        {"a": 2, "b": 1},
        {"a": 1, "b": 2},
        {"a": 2, "b": 2},
    ),
    "keyed list: library changed an item, person another": (
        env(A="1", B="1"),
        env(A="2", B="1"),
        env(A="1", B="2"),
        env(A="2", B="2"),
    ),
    "keyed list: library added, person added": (
        env(A="1"),
        env(A="1", P="p"),
        env(A="1", L="l"),
        env(A="1", L="l", P="p"),
    ),
    "keyed list: library removed, person added": (env(A="1"), env(A="1", P="p"), {}, env(P="p")),
    "keyed list: person removed one item, library all": (env(A="1", B="1"), env(B="1"), {}, {}),
    "keyed list: library removed the last item": (env(A="1"), env(A="1"), {}, {}),
    "keyed list: person removed an item that stays equal": (
        env(A="1", B="1"),
        env(B="1"),
        env(A="1", B="2"),
        env(B="2"),
    ),
    "keyed list: person reordered": (env(A="1", B="1"), env(B="1", A="1"), env(A="1", B="2"), env(B="2", A="1")),
    "keyed list: person removed all, library added": (env(A="1"), {}, env(A="1", L="l"), env(L="l")),
    "plain list: library changed": (
        {"args": ["a", "b"]},
        {"args": ["a", "b"]},
        {"args": ["a", "c"]},
        {"args": ["a", "c"]},
    ),
    "plain list: person changed": ({"args": ["a"]}, {"args": ["a", "z"]}, {"args": ["a"]}, {"args": ["a", "z"]}),
    "plain list: both changed other places": (
        {"args": ["a", "b", "c"]},
        {"args": ["a", "b", "c", "z"]},
        {"args": ["x", "b", "c"]},
        {"args": ["x", "b", "c", "z"]},
    ),
    "text: both changed other lines": (
        {"conf": "a\nb\nc\n"},
        {"conf": "a\nb\nc2\n"},
        {"conf": "a2\nb\nc\n"},
        {"conf": "a2\nb\nc2\n"},
    ),
    "labels: library removed all, person added": (
        {"labels": {"a": "1"}},
        {"labels": {"a": "1", "p": "1"}},
        {},
        {"labels": {"p": "1"}},
    ),
    "labels: person removed one, library removed all": (
        {"labels": {"a": "1", "b": "1"}},
        {"labels": {"b": "1"}},
        {},
        {},
    ),
    "quantity: person wrote it differently": (
        {"limits": {"cpu": "1"}},
        {"limits": {"cpu": "1000m"}},
        {"limits": {"cpu": "2"}},
        {"limits": {"cpu": "2"}},
    ),
    "default: the API server wrote it": (
        env(A="1") | {"image": "a:1"},
        env(A="1") | {"image": "a:1", "terminationMessagePath": "/dev/termination-log"},
        env(A="1") | {"image": "a:2"},
        env(A="1") | {"image": "a:2", "terminationMessagePath": "/dev/termination-log"},
    ),
}
CONFLICTS: dict[str, tuple[Any, Any, Any, tuple[Any, ...], Any]] = {
    "scalar: both changed": ({"image": "1"}, {"image": "2"}, {"image": "3"}, ("image",), {"image": "3"}),
    "scalar: library removed, person changed": ({"image": "1"}, {"image": "2"}, {}, ("image",), {}),
    "scalar: person removed, library changed": ({"image": "1"}, {}, {"image": "3"}, ("image",), {"image": "3"}),
    "keyed list: person removed, library changed": (env(A="1"), {}, env(A="2"), ("env",), env(A="2")),
    "keyed list: library removed, person changed": (env(A="1"), env(A="2"), {}, ("env", 0), {}),
    "keyed list: both added one key": (env(), env(A="1"), env(A="2"), ("env", 0, "value"), env(A="2")),
    "plain list: both changed one place": (
        {"args": ["a"]},
        {"args": ["b"]},
        {"args": ["c"]},
        ("args",),
        {"args": ["c"]},
    ),
    "text: both changed one line": ({"c": "a\n"}, {"c": "b\n"}, {"c": "d\n"}, ("c",), {"c": "d\n"}),
    "mapping: person removed it, library changed a field": (
        probe(a=1, b=1),
        {},
        probe(a=1, b=2),
        ("livenessProbe",),
        probe(a=1, b=2),
    ),
    "mapping: library removed it, person changed a field": (probe(a=1), probe(a=2), {}, ("livenessProbe",), {}),
    "labels: library removed all, person changed one": (
        {"labels": {"a": "1"}},
        {"labels": {"a": "2"}},
        {},
        ("labels", "a"),
        {},
    ),
    "type changed": ({"x": "1"}, {"x": ["2"]}, {"x": {"a": 1}}, ("x",), {"x": {"a": 1}}),
}


@pytest.mark.parametrize("case", CLEAN)
def test_merges_without_conflict(case: str) -> None:
    base, current, next, wanted = CLEAN[case]
    assert merged(base, current, next) == (wanted, [])


@pytest.mark.parametrize("case", CONFLICTS)
def test_conflict_keeps_the_current_value(case: str) -> None:
    base, current, next, path, _ = CONFLICTS[case]
    for policy in (FAIL, KEEP):
        assert merged(base, current, next, policy) == (current, [path])


@pytest.mark.parametrize("case", CONFLICTS)
def test_overwrite_writes_the_value_of_the_library(case: str) -> None:
    base, current, next, path, wanted = CONFLICTS[case]
    assert merged(base, current, next, OVERWRITE) == (wanted, [path])


def test_removed_item_is_never_written_in_part() -> None:
    base, next = env(A="1", B="1"), env(A="1", B="2")
    value, conflicts = merged(base, env(A="1"), next)
    assert value == env(A="1") and len(conflicts) == 1


@pytest.mark.parametrize("case", [*CLEAN, *CONFLICTS])
def test_enforce_gives_exactly_what_the_library_writes(case: str) -> None:
    base, current, next = ({**CLEAN, **CONFLICTS}[case])[:3]
    if case.startswith(("default", "keyed list: person reordered")):
        return  # equal for the API server
    value, _ = merged(base, current, next, ENFORCE)
    assert value in (next, {key: [] for key in current}, {key: {} for key in current})


def test_enforce_lists_overwritten_edits_and_nothing_else() -> None:
    base, next = {"image": "a:1", "tty": True}, {"image": "a:1", "tty": False}
    assert merged(base, {"image": "a:9", "tty": True}, next, ENFORCE) == (next, [("image",)])


def test_unknown_base_writes_what_the_given_parameters_determine() -> None:
    without, next = {"image": "a:2", "args": ["p=1"]}, {"image": "a:2", "args": ["p=2"]}
    value, conflicts = merged(Unknown(without), {"image": "a:1", "args": ["p=1"]}, next)
    assert value == {"image": "a:1", "args": ["p=2"]}
    assert conflicts == [("image",)]


def test_unknown_base_does_not_bring_removed_items_back() -> None:
    value, conflicts = merged(Unknown(env(A="1", B="1")), env(A="1"), env(A="1", B="1"))
    assert value == env(A="1") and conflicts == [("env",)]


def test_new_item_follows_the_item_before_it() -> None:
    value, _ = merged(env(A="1", C="1"), env(P="p", A="1", C="1"), env(A="1", B="1", C="1"))
    assert [item["name"] for item in value["env"]] == ["P", "A", "B", "C"]


def test_touching_changes_of_lines_are_a_conflict() -> None:
    assert merge_sequences(list("abc"), list("aXc"), list("abY")) is None
    assert merge_sequences(list("abc"), list("Xbc"), list("abY")) == list("XbY")


def test_edits_touch_only_changed_items_of_a_list() -> None:
    merge = Merge()
    merge.add((), {"args": ["a", "b", "c"]}, {"args": ["a", "b", "c"]}, {"args": ["a", "x", "c"]})
    assert [edit.path for edit in merge.edits] == [("args", 1)]


def test_absent_current_and_next_need_no_edit() -> None:
    merge = Merge()
    merge.add(("x",), 1, ABSENT, ABSENT)
    assert not merge.edits and not merge.conflicts
