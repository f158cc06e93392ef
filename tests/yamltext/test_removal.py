"""Removals next to block scalars and comments: the text after a removed part keeps its meaning."""

from __future__ import annotations

import pytest

from sidecarctl.yamltext.edits import EditRefused, Insert, Remove
from sidecarctl.yamltext.nodes import Mapping
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.remove import ends_in_block_scalar, removal_splices
from sidecarctl.yamltext.splice import splice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  x", True),
        ("a: |+\n  x", True),
        ("- >\n  x", True),
        ("a: |-\n  x", False),
        ("a: |\n  x\n", False),
        ("a: |\n  x\r\n", False),
        ("a: |\n  x\n ", False),
        ("a: >\n  x\n\n  ", False),
        ("a: |\n  x\n   ", True),
        ("a: |+\n  x\n ", True),
        ("a: |\n  x\nb: y", False),
        ("a: x", False),
        ("", False),
        ("# only a comment", False),
    ],
)
def test_ends_in_block_scalar_if_an_appended_line_changes_the_value(text: str, expected: bool) -> None:
    assert ends_in_block_scalar(text, parse(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  x\nb: 1\nc: 2\n", "a: |\n  x\nc: 2\n"),
        ("a: |\n  x\nb: 1\n# c\n", "a: |\n  x\n# c\n"),
        ("a: |\n  x\nb: 1\n # c\n", "a: |\n  x\n # c\n"),
        ("a: |+\n  x\nb: 1\n\nc: 2\n", None),
        ("a: |\n  x\nb: 1\n  # c\n", None),
        ("a: |\n  x\nb: 1\n   # c\n", None),
        ("a: |\n\nb: 1\n\nc: 2\n", "a: |\n\n\nc: 2\n"),
        ("a: |+\n\nb: 1\n\nc: 2\n", None),
        ("a: |+\n\nb: 1\nc: 2\n", "a: |+\n\nc: 2\n"),
        ("a: |\nb: 1\n# c\nc: 2\n", "a: |\n# c\nc: 2\n"),
        ("a: |\nb: 1\n # c\nc: 2\n", None),
        ("a: |\n  x\nb: 1\n  \nc: 2\n", "a: |\n  x\n  \nc: 2\n"),
        ("a: |\n  x\nb: 1\n   \nc: 2\n", None),
    ],
)
def test_lines_after_a_removal_do_not_join_a_block_scalar(text: str, expected: str | None) -> None:
    root = parse(text)
    assert root is not None
    if expected is None:
        with pytest.raises(EditRefused, match="part of the block scalar above"):
            splice(text, root, [Remove(("b",))])
    else:
        assert splice(text, root, [Remove(("b",))]).text == expected


@pytest.mark.parametrize("header", ["|", ">", "|-", "|+", "|2"])
@pytest.mark.parametrize("holder", ["", "x:\n", "x:\n  w:\n"])
def test_key_after_an_empty_block_scalar_is_removed_without_trace(header: str, holder: str) -> None:
    depth = holder.count("\n")
    text = holder + "".join(f"{'  ' * depth}{line}\n" for line in (f"a: {header}", "c: 2")) + "z: 3\n"
    path = (*"xw"[:depth], "b")
    root = parse(text)
    assert root is not None
    for place in (1, 2):
        done = splice(text, root, [Insert(path, 1)], lambda *_, place=place: place)
        assert splice(done.text, done.root, [Remove(path)]).text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("? b\n: 1\nc: 2\n", "c: 2\n"),
        ("c: 2\n?   b\n: 1\n", "c: 2\n"),
        ("- ? b\n  : 1\n  ? c\n  : 2\n", "- ? c\n  : 2\n"),
        ("- {? b : 1, c: 2}\n", "- {c: 2}\n"),
        ("- {c: 2, ?\tb : 1}\n", "- {c: 2}\n"),
        ("- {c: , b: !!str }\n", "- {c: }\n"),
    ],
)
def test_entry_is_removed_with_its_question_mark_and_colon(text: str, expected: str) -> None:
    root = parse(text)
    assert root is not None
    path = (0, "b") if text.startswith("-") else ("b",)
    assert splice(text, root, [Remove(path)]).text == expected


def test_members_are_found_by_index() -> None:
    compared: list[object] = []

    class Key(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return str.__eq__(self, other)

    names = [f"k{number}" for number in range(20)]
    text = "".join(f"{name}: 1\n" for name in names)
    root = parse(text)
    assert isinstance(root, Mapping)
    root.pairs = {Key(name): pair for name, pair in root.pairs.items()}
    compared.clear()
    assert len(list(removal_splices(text, root, [Remove((name,)) for name in names[1:]]))) == 19
    assert len(compared) <= 2 * len(names)


@pytest.mark.parametrize(
    ("text", "step", "expected"),
    [
        ("k: [\n  a: b,# mine\n  c: d # added\n  ]\n", 1, "k: [\n  a: b,# mine\n  ]\n"),
        ("k: [m: &y,# c\n a]\n", 1, "k: [m: &y,# c\n ]\n"),
        ("k: {\n  a:, c: d # x\n  , # y\n  }\n", "c", "k: {\n  a:,  # y\n  }\n"),
        ('k: ["c" :,# c\n ? g : h,m: &y,# c\n {z: y}]\n', 3, 'k: ["c" :,# c\n ? g : h,m: &y,# c\n ]\n'),
    ],
)
def test_comma_stays_where_the_text_before_it_needs_it(text: str, step: str | int, expected: str) -> None:
    root = parse(text)
    assert root is not None
    assert splice(text, root, [Remove(("k", step))]).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: &a # c\n  &v k: 1\nz: 2\n", "x: &a {} # c\nz: 2\n"),
        ("x: !t &a\n  !!str k: 1\n", "x: !t &a {}\n"),
        ("x:\n  &v k: 1\n", "x: {}\n"),
    ],
)
def test_anchor_of_the_only_key_goes_with_it(text: str, expected: str) -> None:
    root = parse(text)
    assert root is not None
    assert splice(text, root, [Remove(("x", "k"))]).text == expected


@pytest.mark.parametrize(
    ("text", "gone", "expected"),
    [
        ("k: [s,\n  # of m\n  m]\n", [0], "k: [\n  # of m\n  m]\n"),
        ("k: [ s, # of s\n  # of m\n  m]\n", [0], "k: [\n  # of m\n  m]\n"),
        ("k: [s, # of s\n  m]\n", [0], "k: [m]\n"),
        ("k: [ # of k\n  s, # of s\n\n  # of m\n  m]\n", [0], "k: [ # of k\n\n  # of m\n  m]\n"),
        ("k: [s, t, # of t\n  # of m\n  m]\n", [0, 1], "k: [\n  # of m\n  m]\n"),
        ("k: [s,\n  # between\n  t,\n  # of m\n  m]\n", [0, 1], "k: [\n  # between\n  # of m\n  m]\n"),
        ("k: [ s # of s\n  # of m\n  , m ]\n", [0], "k: [\n  # of m\n  m ]\n"),
        ("k: [\r\n  s, # of s\r\n  # of m\r\n  m]\r\n", [0], "k: [\r\n  # of m\r\n  m]\r\n"),
        ("k: [{a: 1},\n  # of m\n  [m]]\n", [0], "k: [\n  # of m\n  [m]]\n"),
        ("k: [\n  m,\n  s, # of s\n  # of n\n  n]\n", [1], "k: [\n  m,\n  # of n\n  n]\n"),
        ("k: [\n  m, # of m\n  s, # of s\n  n]\n", [1], "k: [\n  m, # of m\n  n]\n"),
        ("k: [\n  m, s, # of m\n  n]\n", [1], "k: [\n  m, # of m\n  n]\n"),
        ("k: [\n  m,\n  s # of m\n  , n]\n", [1], "k: [\n  m # of m\n  , n]\n"),
        ("k: [\n  m, # of m\n  s # of s\n  ]\n", [1], "k: [\n  m # of m\n  ]\n"),
        ("k: [\n  m,\n  s, # of s\n  # between\n  t # of t\n  ]\n", [1, 2], "k: [\n  m\n  # between\n  ]\n"),
        ("k: [m, s, # of m\n  t, n]\n", [1, 2], "k: [m, # of m\n   n]\n"),
        ("k:\n- - s # of s\n  # of m\n  - m\n", [], "k:\n-\n  # of m\n  - m\n"),
    ],
)
def test_comment_before_a_member_that_stays_is_kept(text: str, gone: list[int], expected: str) -> None:
    root = parse(text)
    assert root is not None
    paths: list[tuple[str | int, ...]] = [("k", index) for index in gone] or [("k", 0, 0)]
    assert splice(text, root, [Remove(path) for path in paths]).text == expected


@pytest.mark.parametrize(
    ("text", "gone", "expected"),
    [
        ("{s: 1,\n # of m\n m: 2}\n", "s", "{\n # of m\n m: 2}\n"),
        ("{s: 1,\n # of m\n ? m\n : 2}\n", "s", "{\n # of m\n ? m\n : 2}\n"),
        ("s: {a: {b: 1,\n # of c\n c: 2}}\n", "sab", "s: {a: {\n # of c\n c: 2}}\n"),
        ("- s: 1 # of s\n  t: 2\n  # of m\n  m: 3\n", "st", "-\n  # of m\n  m: 3\n"),
        ("- s: 1\n  # between\n  t: 2 # of t\n  # of m\n  m: 3\n", "st", "-\n  # between\n  # of m\n  m: 3\n"),
        ("- s: |\n    1\n  # of m\n  m: 3\n", "s", "-\n  # of m\n  m: 3\n"),
    ],
)
def test_comment_before_a_key_that_stays_is_kept(text: str, gone: str, expected: str) -> None:
    root = parse(text)
    assert root is not None
    paths: list[tuple[str | int, ...]] = [(0, key) for key in gone] if text.startswith("-") else [tuple(gone)]
    assert splice(text, root, [Remove(path) for path in paths]).text == expected
