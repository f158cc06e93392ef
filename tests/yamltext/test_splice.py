"""Edits as text: small manifests before and after, one for each YAML style."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from sidecarctl.errors import BugError
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace, Restore
from sidecarctl.yamltext.lines import Splice, apply_splices
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import SpliceResult, filled_texts, splice


def edited(text: str, *edits: Edit) -> SpliceResult:
    root = parse(text)
    assert root is not None
    return splice(text, root, edits)


def put(path: tuple[str | int, ...], value: Any) -> Insert:
    return Insert(path, value)


X = {"name": "x", "image": "i:1"}

GOLDEN: list[tuple[str, str, list[Insert], str]] = [
    ("dashes below their key", "a:\n- n: 1\nz: 2\n", [put(("a", 1), X)], "a:\n- n: 1\n- name: x\n  image: i:1\nz: 2\n"),
    ("dashes indented by two", "a:\n  - n: 1\n", [put(("a", 1), X)], "a:\n  - n: 1\n  - name: x\n    image: i:1\n"),
    ("dashes indented by four, wide gap", "a:\n    -   n: 1\n", [put(("a", 1), X)],
     "a:\n    -   n: 1\n    -   name: x\n        image: i:1\n"),
    ("mixed in one file", "a:\n  - 1\nb:\n- 1\n", [put(("a", 1), [2]), put(("b", 1), {"c": [2]})],
     "a:\n  - 1\n  - - 2\nb:\n- 1\n- c:\n  - 2\n"),
    ("at the start of a list, before its comments", "a:\n# of one\n- 1\n", [put(("a", 0), 0)], "a:\n- 0\n# of one\n- 1\n"),
    ("between items, after the comment of the previous one", "a:\n- 1\n  # of 1\n# of 2\n- 2\n", [put(("a", 1), "x")],
     "a:\n- 1\n  # of 1\n- x\n# of 2\n- 2\n"),
    ("a comment at the end of the line stays there", "a:\n- 1 # one\nb: 2\n", [put(("a", 1), 2)], "a:\n- 1 # one\n- 2\nb: 2\n"),
    ("several inserts at one index keep their order", "a:\n- 1\n", [put(("a", 1), 2), put(("a", 1), 3)], "a:\n- 1\n- 2\n- 3\n"),
    ("a new key", "a: 1\nb:\n   c: 2\n", [put(("b", "d"), {"e": 3})], "a: 1\nb:\n   c: 2\n   d:\n      e: 3\n"),
    ("missing parents", "a: 1\n", [put(("s", "t", 0), X), put(("s", "t", 1), 2)],
     "a: 1\ns:\n  t:\n  - name: x\n    image: i:1\n  - 2\n"),
    ("flow", "a: [1, {b: 2}]\n", [put(("a", 2), X), put(("a", 1, "c"), [])], "a: [1, {b: 2, c: []}, {name: x, image: \"i:1\"}]\n"),
    ("flow, at the start", "a: [ 1 ]\n", [put(("a", 0), "x")], "a: [ x, 1 ]\n"),
    ("flow, trailing comma", "a: [1,]\n", [put(("a", 1), 2)], "a: [1, 2,]\n"),
    ("flow, quoted strings", 'a: ["sh", "-c"]\n', [put(("a", 2), "x")], 'a: ["sh", "-c", "x"]\n'),
    ("multiline flow, with comments", "a: [\n  1, # one\n  2 # two\n]\n", [put(("a", 1), 0), put(("a", 2), 3)],
     "a: [\n  1, # one\n  0,\n  2, # two\n  3\n]\n"),
    ("flow, at the start, before the comments of the first item", "a: [ # all\n  # one\n  1 ]\n", [put(("a", 0), "x")],
     "a: [ # all\n  x,\n  # one\n  1 ]\n"),
    ("flow, at the start, two items in CRLF", "a: [\r\n\r\n  # one\r\n  1 ]\r\n", [put(("a", 0), 2), put(("a", 0), 3)],
     "a: [\r\n  2,\r\n  3,\r\n\r\n  # one\r\n  1 ]\r\n"),
    ("JSON on one line", '{"a":[{"b":1}]}', [put(("a", 1), X)], '{"a":[{"b":1},{"name":"x","image":"i:1"}]}'),
    ("JSON indented", '{\n  "a": [\n    {\n      "b": 1\n    }\n  ]\n}\n', [put(("a", 1), {"c": 2})],
     '{\n  "a": [\n    {\n      "b": 1\n    },\n    {\n      "c": 2\n    }\n  ]\n}\n'),
    ("JSON indented by tabs", '{\n\t"a": [],\n\t"b": null\n}\n', [put(("a", 0), X), put(("b", "c"), 1)],
     '{\n\t"a": [\n\t\t{\n\t\t\t"name": "x",\n\t\t\t"image": "i:1"\n\t\t}\n\t],\n\t"b": {\n\t\t"c": 1\n\t}\n}\n'),
    ("multiline JSON with items on one line", '{\n  "a": [\n    {"b": 1}\n  ]\n}\n', [put(("a", 1), X)],
     '{\n  "a": [\n    {"b": 1},\n    {"name": "x", "image": "i:1"}\n  ]\n}\n'),
    ("an empty list", "a: []  # c\nb: 1\n", [put(("a", 0), X)], "a:  # c\n- name: x\n  image: i:1\nb: 1\n"),
    ("null", "a: null\nb:\n  - 1\n", [put(("a", 0), 2)], "a:\n  - 2\nb:\n  - 1\n"),
    ("tilde", "a: ~", [put(("a", "b"), 2)], "a:\n  b: 2"),
    ("nothing", "a:\nb: 1\n", [put(("a", "c"), 2)], "a:\n  c: 2\nb: 1\n"),
    ("a missing value, with comments", "a: # c\n  # d\nb: 1\n", [put(("a", 0), 2)], "a: # c\n- 2\n  # d\nb: 1\n"),
    ("an empty item", "- {}\n-\n- null\n", [put((0, "a"), 1), put((1, "b"), 2), put((2, 0), 3)], "- {a: 1}\n- {b: 2}\n- [3]\n"),
    ("an empty document", "{}\n", [put(("a",), 1)], '{"a": 1}\n'),
    ("an empty list with an anchor", "a: &x []\nb: 1\n", [put(("a", 0), 2)], "a: &x [2]\nb: 1\n"),
    ("an empty list on its own line", "a: # c\n  []\n", [put(("a", 0), 2)], "a: # c\n  [2]\n"),
    ("after a literal block", "a: |\n  x\n\nb: 1\n", [put(("c",), "v")], "a: |\n  x\n\nb: 1\nc: v\n"),
    ("after a literal block with kept blank lines", "- |+\n  x\n\n\n# c\n", [put((1,), 2)], "- |+\n  x\n\n\n- 2\n# c\n"),
    ("after an indented folded block", "a:\n- >2-\n    x\n", [put(("a", 1), 2)], "a:\n- >2-\n    x\n- 2\n"),
    ("before a comment that would join a literal block", "a:\n- 1\n  # c\nb:\n      # deep\n    - 2\n", [put(("b", 0), "l\nm\n")],
     "a:\n- 1\n  # c\nb:\n    - \"l\\nm\\n\"\n      # deep\n    - 2\n"),
    ("CRLF", "a:\r\n- 1\r\n", [put(("a", 1), X)], "a:\r\n- 1\r\n- name: x\r\n  image: i:1\r\n"),
    ("no final newline", "a:\n- 1", [put(("a", 1), 2)], "a:\n- 1\n- 2"),
    ("no final newline, block text inserted", "a: 1", [put(("b",), "l\nm\n")], 'a: 1\nb: "l\\nm\\n"'),
    ("no final newline, after a literal block", "a: 1\nb: |\n  x", [put(("c",), 2)], "a: 1\nc: 2\nb: |\n  x"),
    ("no final newline, after a comment", "a:\n- 1\n# c", [put(("a", 1), 2)], "a:\n- 1\n- 2\n# c"),
    ("a byte order mark", "\ufeffa: 1\n", [put(("b",), 2)], "\ufeffa: 1\nb: 2\n"),
    ("document end marker", "a: 1\n...\n", [put(("b",), 2)], "a: 1\nb: 2\n...\n"),
    ("quoted keys", "'a': 1\n\"b\":\n  - 2\n", [put(("b", 1), 3)], "'a': 1\n\"b\":\n  - 2\n  - 3\n"),
    ("explicit keys", "? a\n: - 1\n", [put(("a", 0), 0), put(("b",), 2)], "? a\n: - 0\n  - 1\nb: 2\n"),
    ("lists in lists", "- - 1\n  - 2\n", [put((0, 0), 0), put((0, 2), 3), put((1,), 4)], "- - 0\n  - 1\n  - 2\n  - 3\n- 4\n"),
    ("an indented root", "   a: 1\n   b: 2\n", [put(("c",), [3])], "   a: 1\n   b: 2\n   c:\n   - 3\n"),
    ("next to aliases", "a: &x {k: 1}\nb: [*x]\nc:\n  <<: *x\n", [put(("b", 1), 2), put(("c", "d"), 3)],
     "a: &x {k: 1}\nb: [*x, 2]\nc:\n  <<: *x\n  d: 3\n"),
    ("tabs before comments", "a:\t1\t# c\nb: 2\n", [put(("d",), 3)], "a:\t1\t# c\nb: 2\nd: 3\n"),
    ("beyond the BMP", "a: 😀 # 😀\n😀:\n- é\n", [put(("😀", 1), "😀")], "a: 😀 # 😀\n😀:\n- é\n- 😀\n"),
    ("lone carriage returns", "a: 1\rb: 2\r", [put(("c",), 3)], "a: 1\rb: 2\rc: 3\n"),
    ("ambiguous strings", "a: 1\n", [put(("b",), ["yes", "0644", "", "1:30", "~", "x: y"])],
     'a: 1\nb:\n- "yes"\n- "0644"\n- ""\n- "1:30"\n- "~"\n- "x: y"\n'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inserts", "expected"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN])
def test_inserted_text_follows_the_surrounding_style(text: str, inserts: list[Insert], expected: str) -> None:
    assert edited(text, *inserts).text == expected


def _sorted(_path: tuple[str | int, ...], keys: list[str], key: str) -> int:
    return sum(k < key for k in keys)


def test_new_key_is_inserted_at_the_given_rank() -> None:
    root = parse("a: 1\nc: 3\n")
    assert root is not None
    done = splice("a: 1\nc: 3\n", root, [put(("b",), 2), put(("z",), 9)], _sorted)
    assert done.text == "a: 1\nb: 2\nc: 3\nz: 9\n"


def test_new_first_key_can_share_the_line_of_the_dash() -> None:
    root = parse("- b: 1\n  c: 2\n")
    assert root is not None
    assert splice("- b: 1\n  c: 2\n", root, [put((0, "a"), [0])], lambda *_: 0).text == "- a:\n  - 0\n  b: 1\n  c: 2\n"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_removed_first_key_before_a_comment_leaves_its_line_break(line_break: str) -> None:
    text = f"a: {{{line_break}  # c\n  b: 1}}\n"
    root = parse(text)
    assert root is not None
    added = splice(text, root, [put(("a", "c"), [0])], lambda *_: 0)
    assert splice(added.text, added.root, [Remove(("a", "c"))]).text == text


def test_text_of_filled_empty_values_can_be_restored() -> None:
    text = "a:  []\nb: ~ # c\nc:\nd: {e: null}\nf:\n- {}\n"
    places = (("a", 0), ("b", "x"), ("c", 0), ("d", "e", "x"), ("f", 0, "x"), ("g", "h"))
    inserts = [put(path, 1) for path in places]
    done = edited(text, *inserts)
    assert done.displaced == {("a",): "  []", ("b",): " ~", ("c",): "", ("d", "e"): " null", ("f", 0): " {}"}
    root = parse(text)
    assert root is not None and filled_texts(root, text, inserts) == done.displaced
    values = ([], None, None, None, {})
    back: list[Edit] = [
        Restore(path, old, value) for (path, old), value in zip(done.displaced.items(), values, strict=True)
    ]
    assert splice(done.text, done.root, [*back, Remove(("g",))]).text == text


REMOVED: list[tuple[str, str, list[Edit], str]] = [
    ("an item", "a:\n- 1\n# c\n- 2\n", [Remove(("a", 1))], "a:\n- 1\n# c\n"),
    ("the first key, on the line of the dash", "- a: 1\n  b: 2\n", [Remove((0, "a"))], "- b: 2\n"),
    ("a middle flow member", "a: [1, 2, 3]\n", [Remove(("a", 1))], "a: [1, 3]\n"),
    ("the first flow members", "a: [1, 2, 3]\n", [Remove(("a", 0)), Remove(("a", 1))], "a: [3]\n"),
    ("flow members beside a comment", "a: [\n  1, # one\n  2,\n  3\n]\n", [Remove(("a", 1))], "a: [\n  1, # one\n  3\n]\n"),
    ("the last of these flow members", "a: [\n  1, # one\n  2\n]\n", [Remove(("a", 1))], "a: [\n  1 # one\n]\n"),
    ("all flow members", "a: [ 1, 2, ]\n", [Remove(("a", 0)), Remove(("a", 1))], "a: [  ]\n"),
    ("all items", "a: # c\n- 1\n# d\n- 2\nb: 1\n", [Remove(("a", 0)), Remove(("a", 1))], "a: [] # c\n# d\nb: 1\n"),
    ("all keys of an item", "- a: 1\n  b: 2\n- 3\n", [Remove((0, "a")), Remove((0, "b"))], "- {}\n- 3\n"),
    ("the last lines without a final newline", "a:\n  b: 1\nc: 2", [Remove(("c",))], "a:\n  b: 1"),
    ("lines of two collections without a final newline", "a:\n  b: 1\n  x: 2\nc: 3", [Remove(("a", "x")), Remove(("c",))], "a:\n  b: 1"),
    ("CRLF", "a: 1\r\nb: 2\r\nc: 3", [Remove(("c",))], "a: 1\r\nb: 2"),
    ("a replaced scalar", "a: 'x' # c\nb: [\"y\"]\n", [Replace(("a",), "yes"), Replace(("b", 0), "z")], "a: 'yes' # c\nb: [\"z\"]\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "edits", "expected"), [row[1:] for row in REMOVED], ids=[row[0] for row in REMOVED])
def test_removal_leaves_other_text_unchanged(text: str, edits: list[Edit], expected: str) -> None:
    assert edited(text, *edits).text == expected


SHARED = "a: &x\n  k: [1]\nb: *x\nc:\n  <<: *x\n  own: {m: 1}\nd:\n  k: {n: 1}\n  <<: *x\n"

REFUSED: list[tuple[str, Edit, str]] = [
    (SHARED, put(("b", "new"), 1), "alias *x"),
    (SHARED, put(("a", "new"), 1), "the alias *x reuses its value"),
    (SHARED, put(("a", "k", 1), 2), "the alias *x reuses its value"),
    (SHARED, put(("c", "k", 1), 2), "comes from a merge key"),
    (SHARED, put(("d", "k", "o"), 2), "merge key (<<) sets it too"),
    (SHARED, Remove(("d", "k")), "merge key (<<) sets it too"),
    (SHARED, Remove(("a",)), "used elsewhere"),
    ("a: [&x 1, 2]\nb: *x\n", Remove(("a", 0)), "used elsewhere"),
    ("&x a: 1\nb: *x\n", Remove(("a",)), "used elsewhere"),
    ("a: &x []\nb: *x\n", put(("a", 0), 1), "the alias *x reuses its value"),
    ("a: &x\nb: 1\n", put(("a", 0), 1), "cannot be filled"),
    ("{a}", put(("a", 0), 1), "cannot be filled"),
    ("- |\n  x", put((1,), 1), "inside a block scalar"),
    ("a: 1\n", put(("a", "b"), 1), "is not a list or mapping"),
    ("a: [1]\n", put(("a", "b"), 1), "is a list"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "edit", "message"), REFUSED)
def test_edit_with_side_effects_is_refused(text: str, edit: Edit, message: str) -> None:
    with pytest.raises(EditRefused) as caught:
        edited(text, edit)
    assert message in caught.value.message


def test_value_filled_at_the_end_precedes_keys_inserted_there() -> None:
    edits = [Replace(("a", "b", 0), "x"), Insert(("c",), 1), Insert(("a", "d"), 2)]
    assert edited("a:\n  b:\n  -", *edits).text == "a:\n  b:\n  - x\n  d: 2\nc: 1"


def test_adjacent_removals_do_not_move_a_comment_into_a_block_scalar() -> None:
    with pytest.raises(EditRefused, match="part of the block scalar above"):
        edited("a: |-\n  x\nb: 1\n\nc: 2\n  # note\n", Remove(("b",)), Remove(("c",)))


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        (SHARED, put(("c", "own", "o"), 2), SHARED.replace("{m: 1}", "{m: 1, o: 2}")),
        (SHARED, Remove(("b",)), SHARED.replace("b: *x\n", "")),
        ("a: [&x 1]\nb: *x\n", put(("a", 0), 0), "a: [0, &x 1]\nb: *x\n"),
        ("a: &x {k: &y 1}\nb: [*y]\n", put(("a", "m"), 2), "a: &x {k: &y 1, m: 2}\nb: [*y]\n"),
        ("a: &x 1\nb: &x 2\nc: *x\nd: 3\n", Remove(("a",)), "b: &x 2\nc: *x\nd: 3\n"),
    ],
)
def test_edit_next_to_anchors_is_applied(text: str, edit: Edit, expected: str) -> None:
    assert edited(text, edit).text == expected


def test_wrong_result_is_a_bug_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecarctl.yamltext.emit.member_lines", lambda value, key, style: [f"{key}: other"])
    with pytest.raises(BugError, match="does not equal"):
        edited("a: 1\n", put(("b",), 2))


def test_cost_of_many_edits_is_linear() -> None:
    """With 20 times the items, the number of calls grows about 20 times, not 400 times."""

    def calls(count: int) -> int:
        text = "items:\n" + "".join(f"- name: n{i}\n  list:\n  - a\n" for i in range(count))
        root = parse(text)
        assert root is not None
        edits = [put(("items", i, "list", 1), {"b": "c"}) for i in range(count)]
        counted = 0

        def count_one(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count_one)
        try:
            splice(text, root, edits)
        finally:
            sys.setprofile(None)
        return counted

    calls(50)  # fills caches
    assert calls(1_000) < 25 * calls(50)


def test_only_overlapping_splices_are_a_bug_error() -> None:
    assert apply_splices("abcdef", [Splice(3, 5, "y"), Splice(1, 3, "x")]) == "axyf"
    with pytest.raises(BugError, match="overlap"):
        apply_splices("abcdef", [Splice(1, 4, "x"), Splice(3, 5, "y")])
    with pytest.raises(BugError, match="overlap"):
        apply_splices("abcdef", [Splice(1, 4, "x"), Splice(2, 2, "y")])


@pytest.mark.parametrize(
    ("removed", "inserted", "expected"),
    [
        ((1,), 1, "a:\n- 0\n- x\n- 2\n"),
        ((0,), 1, "a:\n- x\n- 1\n- 2\n"),
        ((0, 1), 1, "a:\n- x\n- 2\n"),
        ((1, 2), 3, "a:\n- 0\n- x\n"),
        ((2,), 0, "a:\n- x\n- 0\n- 1\n"),
    ],
)
def test_inserted_item_replaces_a_removed_one(removed: tuple[int, ...], inserted: int, expected: str) -> None:
    edits = [Remove(("a", index)) for index in removed]
    assert edited("a:\n- 0\n- 1\n- 2\n", *edits, put(("a", inserted), "x")).text == expected


@pytest.mark.parametrize("end", ["    \t\n", "   \t \n", "    \t\n     \t\t\n", "    \t"])
@pytest.mark.parametrize("value", ["plain", {"a": {}}, 'quo"ted: x', "two\nlines\n"])
def test_lines_of_tabs_stay_after_the_plain_scalar_that_they_continue(end: str, value: object) -> None:
    text = f"metadata:\n  name: web\n{end}" + ("" if end.endswith("\t") else "spec: {}\n")
    done = edited(text, Insert(("metadata", "other"), value))
    assert done.text.startswith(f"metadata:\n  name: web\n{end}")
    assert edited(done.text, Remove(("metadata", "other"))).text == text
    cut = edited(f"a: {{}}\n{text}", Remove(("metadata",)))
    assert "metadata" not in cut.text


@pytest.mark.parametrize("end", ["\n \t", "\n \t\n", "\r\n \t\r\n", "\r \t"])
@pytest.mark.parametrize("key", ["a", "a: 1\nb"])
def test_lines_of_tabs_stay_after_a_plain_scalar_that_is_restored(key: str, end: str) -> None:
    text = f"{key}: ~{end}"
    done = edited(text, Insert((key[-1], 0), "x"))
    assert edited(done.text, Restore((key[-1],), done.displaced[(key[-1],)])).text == text


@pytest.mark.parametrize("key", ["?\n  name", "? # why\n\n  # more\n  name", "?\u2029   name", "?\n  &x name"])
@pytest.mark.parametrize("margin", ["", "  "])
def test_key_on_a_line_after_its_question_mark(key: str, margin: str) -> None:
    text = f"first: 1\n{key}\n: 1\n"
    path: tuple[str, ...] = ()
    if margin:
        text, path = "top:\n  " + text.replace("\n", "\n  ").rstrip(" "), ("top",)
    done = edited(text, Insert((*path, "other"), {"a": "b"}))
    assert edited(done.text, Remove((*path, "other"))).text == text
    assert "name" not in edited(text, Remove((*path, "name"))).text


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ('{"a": 8080}', Replace(("a",), "http", text="http"), '{"a": "http"}'),
        ("{a: 8080}", Replace(("a",), "http", text="http"), "{a: http}"),
        ('{"a":[1]}', Restore(("a",), "~"), '{"a": null}'),
        ('{"a":[1], b: 2}', Restore(("a",), "~"), '{"a":~, b: 2}'),
        ("a:\n  b:\n  - 1\n", Restore(("a", "b"), "\n[]", []), "a:\n  b: []\n"),
        ("a:\n  b:\n  - 1\n", Restore(("a", "b"), "\n   []", []), "a:\n  b:\n   []\n"),
    ],
)
def test_former_text_that_does_not_fit_the_document_is_written_as_json(text: str, edit: Edit, expected: str) -> None:
    root = parse(text)
    assert root is not None
    assert splice(text, root, [edit], keep_json=True).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": {"cpu": 1}}', '{"a": {"cpu": "1500m"}}'),
        ('{"a": {"cpu": null}}\n', '{"a": {"cpu": "1500m"}}\n'),
        ("{a: {cpu: 1}}", "{a: {cpu: 1500m}}"),
        ('a: {"cpu": 1}\n', 'a: {"cpu": "1500m"}\n'),
        ("a: {cpu: '1'}\n", "a: {cpu: '1500m'}\n"),
    ],
)
def test_number_replaced_by_a_string_is_json_in_json(text: str, expected: str) -> None:
    assert edited(text, Replace(("a", "cpu"), "1500m")).text == expected
