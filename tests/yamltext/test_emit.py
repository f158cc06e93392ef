"""Emitted YAML reads back as the same data with sidecarctl's reader, a YAML 1.1 reader, and a YAML 1.2 reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.style import FlowStyle, Style

WORDS = [
    *(
        "",
        " ",
        "a ",
        " a",
        "yes",
        "on",
        "Null",
        "~",
        "0644",
        "0o14",
        "1e3",
        "1_000",
        "0x1F",
        "1:30",
        "12:30:45",
        "2001-01-01",
    ),
    *(
        ".inf",
        ".5",
        "-",
        "- a",
        "-a",
        "?",
        "? a",
        "?a",
        ":",
        ": a",
        ":a",
        "a:",
        "a: b",
        "a:b",
        "a #b",
        "a#b",
        "#",
        "&a",
        "*a",
    ),
    *(
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'",
        '"',
        "it's",
        'say "x"',
        "[a]",
        "{a}",
        "a, b",
        "a]",
        "<<",
        "=",
        "---",
        "--- a",
    ),
    *("...", "a\tb", "a\nb", "a\n", "\n", "a\n\n", " a\nb\n", "a\n b\n", "\ta\nb\n", "# a\nb", "---\na\n", "a \nb \n"),
    *(
        "\x07",
        "\x85",
        "\u2028a",
        "a\ufeff",
        "\ufeffa",
        "é",
        "😀",
        "\U0010ffff",
        "\ufffe",
        "a\ufffe",
        "x\uffffy",
        "a\r\nb",
        "a\rb",
        "\xa0",
    ),
    "http://x:80/p?q#f",
]
text = (
    st.sampled_from(WORDS)
    | st.text(max_size=12)
    | st.text(st.sampled_from(" \n\t-:#?,[]{}'\"&*!|>%@`a1e.~<=é"), max_size=8)
)
scalar = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text
data = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text.filter(lambda k: k != "<<"), inner, max_size=3),
    max_leaves=8,
)
styles = st.builds(Style, st.sampled_from(["\n", "\r\n"]), st.integers(1, 8), st.integers(0, 4), st.integers(2, 5))


def plain_readers(written: str) -> list[Any]:
    pure = YAML(typ="safe", pure=True)
    return [yaml.safe_load(written), pure.load(written)]


def read(written: str) -> Any:
    root = parse(written)
    assert root is not None
    return root.value


def check(written: str, value: Any) -> None:
    assert identical(read(written), value)
    for other in plain_readers(written):
        assert identical(other, value)


@settings(max_examples=200, deadline=None)
@given(text, st.integers(0, 6))
def test_string_reads_back_in_every_position(value: str, indent: int) -> None:
    one = emit.scalar(value)
    assert "\n" not in one
    check(f"{' ' * indent}k: {one}\n{' ' * indent}l: 1\n", {"k": value, "l": 1})
    check(f"- {one}\n- {one}", [value, value])
    if value != "<<":
        check(f"{one}: 1\n", {value: 1})
    for json_style in (False, True):
        one = emit.scalar(value, flow=True, json_style=json_style)
        check(f"[{one}, {one},{one}]\n", [value] * 3)
        check(f"{{k: {one}, l: {one}}}\n", {"k": value, "l": value})


@settings(max_examples=150, deadline=None)
@given(data, styles)
def test_block_style_reads_back_at_any_indentation(value: Any, style: Style) -> None:
    lines = emit.entry("k", value, style)
    for indent in (0, 3):
        block = [" " * indent + line if line else "" for line in lines]
        check(style.newline.join([*block, " " * indent + "z: 1", ""]), {"k": value, "z": 1})
    lines = emit.dashed(value, style)
    check(style.newline.join([*lines, "- 1", ""]), [value, 1])


@settings(max_examples=150, deadline=None)
@given(
    data,
    st.builds(
        FlowStyle,
        st.booleans(),
        st.sampled_from([": "]),
        st.sampled_from([", ", ","]),
        st.sampled_from(["\n", "\r\n"]),
        st.booleans(),
        st.booleans(),
        st.just(""),
        st.sampled_from(["  ", "    ", " "]),
    ),
)
def test_flow_style_reads_back(value: Any, style: FlowStyle) -> None:
    check(f"k: {emit.flow(value, style, '  ')}\n", {"k": value})


@settings(max_examples=100, deadline=None)
@given(data, st.booleans(), st.sampled_from(["  ", "\t", "    "]))
def test_json_style_is_valid_json(value: Any, nested: bool, step: str) -> None:
    style = FlowStyle(json=True, colon=": " if nested else ":", nested=nested, step=step)
    written = emit.flow(value, style)
    assert json.loads(written) == value
    assert identical(read(written), value) or not isinstance(value, (dict, list))


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(text.filter(lambda k: k != "<<"), data, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n"]))
def test_document_reads_back(value: Any, newline: str) -> None:
    check(emit.document(value, newline), value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("web", "web"), ("nginx:1.27", "nginx:1.27"), ("yes", '"yes"'), ("0644", '"0644"'), ("", '""'),
        ('{"a": 1}', '\'{"a": 1}\''),
        ("--log=x", "--log=x"), ("$(POD_IP):80", "$(POD_IP):80"), ("*.log", '"*.log"'), ("100m", "100m"),
        ("/var/log", "/var/log"), ("a: b", '"a: b"'),
        (True, "true"), (None, "null"), (3, "3"), (0.5, "0.5"), ("it's", "it's"), ("é", "é"), ("tab\there", '"tab\\there"'),
    ],
)  # fmt: skip
def test_scalars_are_quoted_only_if_ambiguous(value: Any, written: str) -> None:
    assert emit.scalar(value) == written


def test_multiline_text_becomes_a_literal_block() -> None:
    assert emit.entry("conf", "a\n  b\n\nc\n", Style()) == ["conf: |", "  a", "    b", "", "  c"]
    assert emit.dashed("a\nb", Style(gap=4)) == ["- |-", "  a", "  b"]
