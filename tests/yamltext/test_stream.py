"""Streams: splitting into documents without parsing, positions, and losslessness."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.stream import Document, join, split, split_readable

PIECES = [
    "---\n",
    "--- # c\n",
    "---\r\n",
    "---",
    "...\n",
    "a: 1\n",
    "# c\n",
    "\n",
    "  \n",
    '{"a": 1}',
    '{"b":2}\n',
    "\ufeff",
    "- x",
    "|\n  ---\n",
    "%x",
    "é",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text(max_size=40))
def test_joined_documents_equal_the_text(text: str) -> None:
    try:
        documents = list(split(text))
    except InputError:
        return
    assert join(documents) == text


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_each_document_has_its_line_and_index(text: str) -> None:
    try:
        documents = list(split(text))
    except InputError:
        return
    at = 0
    for number, document in enumerate(documents):
        at += len(document.head)
        assert document.line == text.count("\n", 0, at)
        assert document.index == number
        at += len(document.text)


def heads_and_texts(text: str) -> list[tuple[str, str]]:
    return [(d.head, d.text) for d in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("", "")]),
        ("a: 1\n", [("", "a: 1\n")]),
        ("---\na: 1\n", [("---\n", "a: 1\n")]),
        ("---\na: 1\n---\nb: 2", [("---\n", "a: 1\n"), ("---\n", "b: 2")]),
        (
            "--- # first\na: 1\n--- \t# second\r\nb: 2\n",
            [("--- # first\n", "a: 1\n"), ("--- \t# second\r\n", "b: 2\n")],
        ),
        ("# c\n---\na: 1\n", [("", "# c\n"), ("---\n", "a: 1\n")]),
        ("---\n---\na: 1\n---\n", [("---\n", ""), ("---\n", "a: 1\n"), ("---\n", "")]),
        ("a: |\n  ---\n  x\n", [("", "a: |\n  ---\n  x\n")]),
        ("a: 1\n...\n---\nb: 2\n", [("", "a: 1\n...\n"), ("---\n", "b: 2\n")]),
        ("\ufeffa: 1\n---\n\ufeffb: 2\n", [("\ufeff", "a: 1\n"), ("---\n\ufeff", "b: 2\n")]),
        ('{"a": 1}\n{"b": 2}\n', [("", '{"a": 1}\n'), ("", '{"b": 2}\n')]),
        ('{"a": 1}{"b": 2} {"c": 3}', [("", '{"a": 1}'), ("", '{"b": 2} '), ("", '{"c": 3}')]),
        ("{a: 1}\n", [("", "{a: 1}\n")]),
    ],
)
def test_documents_are_split_as_kubernetes_splits_them(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(h, t) for h, t in heads_and_texts(text) if h or t] == [(h, t) for h, t in expected if h or t]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("--- a: 1\n", "-:1:4"),
        ("a: 1\n--- |\n  x\n", "-:2:4"),
        ("--- # c\ra: 1\n", "-:1:4"),
        ("a: 1\n---  #\x85a: 1\n", "-:2:4"),
        ("--- # c\u2028a: 1\n", "-:1:4"),
        ("--- # c\u2029a: 1\n", "-:1:4"),
        ("%YAML 1.2\n---\na: 1\n", "-:1:1"),
        ("---\n# c\n\n%TAG ! x\n---\n", "-:4:1"),
    ],
)
def test_invalid_separators_are_rejected_with_their_position(text: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        list(split(text))
    assert caught.value.where == where
    assert caught.value.hint


def test_separator_that_only_yaml_sees_is_an_error() -> None:
    for end in "\r\x85\u2028":
        with pytest.raises(SyntaxProblem, match="unsupported line end before `---`"):
            _ = next(split(f"a: 1{end}---{end}a: 2{end}")).root
    assert [document.value for document in split("a: 1\r\n---  # c \r\na: 2\r\n")] == [{"a": 1}, {"a": 2}]


def test_error_in_the_second_document_has_its_position_in_the_file() -> None:
    _, second = split("a: 1\n---\n# c\nb: 2\nb: 3\n", "web.yaml")
    with pytest.raises(InputError) as caught:
        _ = second.root
    assert caught.value.where == "web.yaml:5:1"
    assert "web.yaml:4:1" in caught.value.hint


def test_locate_returns_the_value_its_key_or_the_nearest_parent() -> None:
    (document,) = split("a:\r\n- b: 'x'\r\n  c:\r\n", "f")
    assert str(document.locate(("a", 0, "b"))) == "f:2:6"
    assert document.locate(("a", 0, "b")).end_column == 9
    assert str(document.locate(("a", 0, "b"), on_key=True)) == "f:2:3"
    assert str(document.locate(("a", 0, "c"))) == "f:3:3"
    assert str(document.locate(("a", 0, "missing", 3))) == "f:2:3"
    assert document.locate(("a", 0, "b")).line_text == "- b: 'x'"


def test_empty_document_has_a_position_but_no_root() -> None:
    document = Document("", "# only a comment\n")
    assert document.root is None and document.value is None
    assert str(document.locate(("a",))) == "-:1:1"


def read_errors(text: str, line: int = 0) -> tuple[list[tuple[int, int, str]], list[str]]:
    """Return line, index, and text of the documents that can be read, and the places of the errors."""
    errors: list[SidecarctlError] = []
    documents = [(one.line, one.index, one.text) for one in split_readable(text, "f", errors, line)]
    return documents, [error.where for error in errors]


@pytest.mark.parametrize(
    ("text", "documents", "places"),
    [
        ("a: 1\n--- x\nb: 2\n---\nc: 3\n", [(0, 0, "a: 1\n"), (4, 2, "c: 3\n")], ["f:2:4"]),
        ("--- x\n--- y\r\n---\nc: 3\n", [(3, 2, "c: 3\n")], ["f:1:4", "f:2:4"]),
        ("--- x\n%A\n--- y", [], ["f:1:4", "f:3:4"]),
        ("%A\n--- # c\n\n%B\n---\nc: 3\n", [(5, 2, "c: 3\n")], ["f:1:1", "f:4:1"]),
        ("\ufeff%A\n--- x\n", [], ["f:1:1", "f:2:4"]),
        ("a: 1\n---\n\ufeff%A\n", [(0, 0, "a: 1\n")], ["f:3:1"]),
    ],
)
def test_reading_continues_at_the_next_separator_after_an_error(
    text: str, documents: list[tuple[int, int, str]], places: list[str]
) -> None:
    assert read_errors(text) == (documents, places)
    moved = [f"f:{int(place.split(':')[1]) + 7}:{place.split(':')[2]}" for place in places]
    assert read_errors(text, 7)[1] == moved


@pytest.mark.parametrize("error", ["--- x\n", "%A\n---\n"])
def test_an_error_of_the_stream_does_not_read_the_rest_of_the_text_again(error: str) -> None:
    def measure(count: int) -> float:
        text = error * count + "---\n" + "# a comment\n" * 200_000
        started = time.process_time()
        assert len(read_errors(text)[1]) == count
        return time.process_time() - started

    assert min(measure(300) for _ in range(3)) <= 10 * max(measure(1) for _ in range(3))
