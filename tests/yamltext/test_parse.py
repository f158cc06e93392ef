"""Parses one document: values (as sigs.k8s.io/yaml 1.4 reads them), positions of nodes, and syntax errors.

The tests run with both parsers: libyaml, and the pure Python parser of ruamel.yaml that is used without the C extension.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from random_yaml import Handwriting

from sidecarctl import limits
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.events import EventSource
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, trail, walk
from sidecarctl.yamltext.parse import SyntaxProblem, parse


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "pure":
        monkeypatch.setitem(sys.modules, "_ruamel_yaml", None)
    yield request.param


# Each value is the output of sigs.k8s.io/yaml for the text.
READ: list[tuple[str, Any]] = [
    # merge keys: applied in place, later keys win; of several merged mappings, the first wins
    ("b: &b {x: 1, z: 2}\na:\n  x: 9\n  <<: *b\n", {"b": {"x": 1, "z": 2}, "a": {"x": 1, "z": 2}}),
    ("b: &b {x: 1, z: 2}\na:\n  <<: *b\n  x: 9\n", {"b": {"x": 1, "z": 2}, "a": {"x": 9, "z": 2}}),
    ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\na:\n  z: 0\n  <<: [*b, *c]\n",
     {"b": {"x": 1}, "c": {"x": 2, "z": 3}, "a": {"x": 1, "z": 3}}),
    ("b: &b {x: {q: 1}}\na:\n  <<: *b\n  x: {r: 1}\n", {"b": {"x": {"q": 1}}, "a": {"x": {"r": 1}}}),
    ("b: &b {x: 1}\nc: &c {<<: *b, q: 2}\na: {<<: *c}\n", {"b": {"x": 1}, "c": {"x": 1, "q": 2}, "a": {"x": 1, "q": 2}}),
    ("a:\n  <<: {x: 1}\n", {"a": {"x": 1}}),
    ("a:\n  !!merge <<: {x: 1}\n", {"a": {"x": 1}}),
    ('a:\n  "<<": {x: 1}\n', {"a": {"<<": {"x": 1}}}),
    ("a:\n  !!str <<: {x: 1}\n", {"a": {"<<": {"x": 1}}}),
    ("a: <<\n", {"a": "<<"}),
    # keys become strings
    ("1: x\n0644: w\nyes: z\n1.5: u\n1e6: v\n", {"1": "x", "420": "w", "true": "z", "1.5": "u", "1e+06": "v"}),
    ("&a 0644: x\n? b\n: c\n", {"420": "x", "b": "c"}),
    ('!!int "1": x\n!!str 0644: w\n', {"1": "x", "0644": "w"}),
    ("a: &k 1\n*k : v\n", {"a": 1, "1": "v"}),
    (".inf: x\n", {".inf": "x"}),
    ("? |\n  x\n: b\n", {"x\n": "b"}),
    ("? a\n", {"a": None}),
    # tags
    ('a: !!int "3"\nb: !!str 3\nc: !foo 3\nd: !!foo bar\ne: ! yes\nf: !!binary aGVsbG8=\n',
     {"a": 3, "b": "3", "c": "3", "d": "bar", "e": "yes", "f": "hello"}),
    ("a: !!str\nb: !!null ''\nc: !!map {b: 1}\nd: !<tag:yaml.org,2002:int> 0644\n", {"a": "", "b": None, "c": {"b": 1}, "d": 420}),
    # anchors
    ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
    ("a: &x\nb: *x\n", {"a": None, "b": None}),
    ("a: &x {b: [1]}\nc: [*x, *x]\n", {"a": {"b": [1]}, "c": [{"b": [1]}, {"b": [1]}]}),
    # flow collections
    ("a: [b, c,]\nd: {e, f: , g: 1}\n", {"a": ["b", "c"], "d": {"e": None, "f": None, "g": 1}}),
    ("a: [b: c, ? d : e]\n", {"a": [{"b": "c"}, {"d": "e"}]}),
    ("a: [http://x:80, --listen=:8080]\n", {"a": ["http://x:80", "--listen=:8080"]}),
    ("{a: b:c, d: e::f, g:: h}\n", {"a": "b:c", "d": "e::f", "g:": "h"}),
    ('a: [x:, "q:z", !!str:x z]\nb: "x:z"\nc: p:q\n', {"a": ["x:", "q:z", "z"], "b": "x:z", "c": "p:q"}),
    ('a: ["x":z]\n', {"a": [{"x": "z"}]}),
    ("a: {'b !c',d:,\te:f}\n", {"a": {"b !c": None, "d:": None, "e:f": None}}),
    ("a: [!<tag:yaml.org,2002:str> 5, b:c]\n", {"a": ["5", "b:c"]}),
    ("a: [b, # c:d\n  c:e]\n", {"a": ["b", "c:e"]}),
    # tabs
    ("a:\tb\nc: d\t# e\nf\t: g\n", {"a": "b", "c": "d", "f": "g"}),
    ("a:\t|\n  x\n", {"a": "x\n"}),
    ('{\n\t"a": 1,\n\t"b": [\n\t\t2\n\t]\n}\n', {"a": 1, "b": [2]}),
    ('a: "x\n\tz"\n', {"a": "x z"}),
    ("a: 'b # c' \t # d\n", {"a": "b # c"}),
    # line breaks, byte order marks
    ("a: b\r\nc: |\r\n  d\r\n  e\r\n", {"a": "b", "c": "d\ne\n"}),
    ("a: b\rc: d\r", {"a": "b", "c": "d"}),
    ("a: b\x85c: d\n", {"a": "b", "c": "d"}),
    ("a: |\n  b\x85  c\n", {"a": "b\nc\n"}),
    ('a: "b\u2028c"\n', {"a": "b\u2028c"}),
    ("# c\u2028a: 1\n", {"a": 1}),
    ("\ufeffa: 1\n", {"a": 1}),
    ("\ufeff# c\na: 1\n", {"a": 1}),
    ("a: b\xa0# c\n", {"a": "b\xa0# c"}),
    # block scalars
    ("a: |2\n    x\n   z\n", {"a": "  x\n z\n"}),
    ("a: >-\n  x\n  z\n\n  w\n", {"a": "x z\nw"}),
    ("a: |+\n  x\n\n\nb: 1\n", {"a": "x\n\n\n", "b": 1}),
    ("a: |-1\n  x\n", {"a": " x"}),
    ("a: |1-\n  x\n", {"a": " x"}),
    ("a: |\n  x", {"a": "x"}),
    ("a: |+\n  x", {"a": "x"}),
    ("a: |\nb: 1\n", {"a": "", "b": 1}),
    ("a: |\n  x\n   \n", {"a": "x\n \n"}),
    ("a: |\n  x\n # c\nb: 1\n", {"a": "x\n", "b": 1}),
    # other
    ("a: 'it''s'\nb: \"\\x41\\u00e9\\U0001F600\"\n", {"a": "it's", "b": "Aé😀"}),
    ("a: x\n\n b\n  c\n", {"a": "x\nb c"}),
    ("- - a\n  - b\n-\n- # c\n  d: 1\n", [["a", "b"], None, {"d": 1}]),
    ("a: b#c\nd: :x\ne: x,z\nf: ?x\n", {"a": "b#c", "d": ":x", "e": "x,z", "f": "?x"}),
    ("  a: 1\n  b: 2\n", {"a": 1, "b": 2}),
    ("---\na: 1\n...\n# c\n", {"a": 1}),
    ("--- {a: 1}\n", {"a": 1}),
    ("null\n", None),
    ("", None),
    ("# c\n\n", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), READ)
def test_text_has_the_value_that_the_api_server_reads(text: str, meant: Any, parser: str) -> None:
    root = parse(text)
    assert identical(None if root is None else root.value, meant)


def test_surrogate_pairs_in_json_are_read(parser: str) -> None:
    root = parse('{"a": "x\\ud83d\\ude00y", "\\\\ud83d": [1], "b": "é\\u00e9"}\n')
    assert root is not None and root.value == {"a": "x😀y", "\\ud83d": [1], "b": "éé"}
    assert [(node.start, node.end) for node in walk(root)][1:3] == [(1, 4), (6, 22)]


@pytest.mark.parametrize("value", ["'\\ud83d\\ude00'", "\\ud83d\\ude00", '"\\\\ud83d\\\\ude00"'])
def test_surrogate_escapes_are_text_in_flow_collections_without_json(value: str, parser: str) -> None:
    root = parse(f"{{a: {value}}}\n")
    assert root is not None and root.value == {"a": "\\ud83d\\ude00"}


REFUSED = [
    ('{a: "\\ud83d\\ude00"}\n', "invalid Unicode", None, "write the character itself"),
    ("a: 1\n\tb: 2\n", "tab", 5, "spaces"),
    ("a:\n\t- b\n", "cannot start any token", 3, "spaces"),
    ("a: 'x\nb: 1\n", "unclosed quote", 3, "close the quote"),
    ("a: [b\nc: 1\n", "flow sequence", None, "bracket"),
    ("a: 1\nb: 2\na: 3\n", 'duplicate key "a"', 10, "keep one"),
    ("{a: 1, 'a': 2}\n", 'duplicate key "a"', 7, "keep one"),
    ('1: a\n"1": b\n', 'duplicate key "1"', 5, "keep one"),
    ("b: &b {x: 1}\na:\n  <<: *b\n  <<: *b\n", 'duplicate key "<<"', 27, "[*a, *b]"),
    ("a: *b\n", "undefined alias", 3, "&b"),
    ("a: &x {b: *x}\n", "recursive alias", 10, "write"),
    ("~: 1\n", "invalid key: null", 0, "quote"),
    ("? [a]\n: b\n", "expected a string, got a list", 2, "quote"),
    ("a: .inf\n", "infinity", 3, "quote"),
    ("a: !!int x\n", 'invalid value "x" for tag !!int', 3, "tag"),
    ("a: !!binary '!!'\n", "base64", 3, "tag"),
    ("a:\n  <<: 3\n", "merge key", 9, "quote"),
    ("b: &b [{x: 1}]\na:\n  <<: *b\n", "merge key", 24, "quote"),
    ("a: 1\n...\nb: 2\n", "", None, "---"),
    ("a: x: y\n", "mapping values", None, "indentation"),
    ("a: [b?c]\n", "flow sequence", None, "quote"),
    ("a: b\n c: d\n", "mapping values", None, "indentation"),
    ("a: \x07\n", "U+0007", 3, "delete"),
    ("a: \x00\n", "U+0000", 3, "delete"),
    ("\ufeffa: 1\na: 2\n", 'duplicate key "a"', 6, "keep one"),
    ('a: "\\ud83d"\n', "escape", None, ""),
    ("a: @x\n", "cannot start any token", 3, "quote"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "offset", "hint"), REFUSED)
def test_syntax_error_has_position_and_hint(
    text: str, message: str, offset: int | None, hint: str, parser: str
) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse(text)
    assert 0 <= caught.value.offset <= len(text)
    if parser == "libyaml":
        assert message in caught.value.message and hint in caught.value.hint
        assert offset in (None, caught.value.offset)


DEEP = {
    "list": lambda levels: "[" * levels,
    "dashes": lambda levels: "- " * levels + "a\n",
    "mapping": lambda levels: "{a: " * levels,
    "lines": lambda levels: "\n".join(" " * level + "a:" for level in range(levels // 10)),
}


@pytest.mark.parametrize("shape", DEEP)
def test_deep_nesting_is_rejected(shape: str, parser: str) -> None:
    with pytest.raises(SyntaxProblem, match="nested deeper"):
        parse(DEEP[shape](10_000 if parser == "libyaml" else 4_500))


def test_nesting_just_below_the_limit_is_read(parser: str) -> None:
    depth = 150 if parser == "pure" else limits.DEPTH.value
    root = parse("[" * depth + "]" * depth)
    assert root is not None


def test_alias_bomb_is_rejected_without_expansion(parser: str) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(SyntaxProblem, match="expand"):
        parse("\n".join(lines))


def spans(text: str) -> list[str]:
    root = parse(text)
    assert root is not None
    return [text[node.start : node.end] for node in walk(root)]


POSITIONS = [
    ("a: b c # d\n", ["a: b c", "a", "b c"]),
    ("'a' : \"b\\n\" \n", ["'a' : \"b\\n\"", "'a'", '"b\\n"']),
    ("a:\n- b\n- c: d\n\n# e\n", ["a:\n- b\n- c: d", "a", "- b\n- c: d", "b", "c: d", "c", "d"]),
    ("a: [b, {c: d}] # e\n", ["a: [b, {c: d}]", "a", "[b, {c: d}]", "b", "{c: d}", "c", "d"]),
    ("a:\n  b:\nc: ~\n", ["a:\n  b:\nc: ~", "a", "b:", "b", "", "c", "~"]),
    ("a: |\n  b\n   c\n\n\nd: 1\n", ["a: |\n  b\n   c\n\n\nd: 1", "a", "|\n  b\n   c", "d", "1"]),
    ("a: |+\n  b\n\nd: 1\n", ["a: |+\n  b\n\nd: 1", "a", "|+\n  b\n", "d", "1"]),
    ("a: >2- # c\n    b\n\n", ["a: >2- # c\n    b", "a", ">2- # c\n    b"]),
    ("a: |\r\n  b\r\n\r\nc: d\r\n", ["a: |\r\n  b\r\n\r\nc: d", "a", "|\r\n  b", "c", "d"]),
    ("a: |\n  b\n     \n  \n", ["a: |\n  b\n     ", "a", "|\n  b\n     "]),
    ("a: |\n  b", ["a: |\n  b", "a", "|\n  b"]),
    ("a: |+", ["a: |+", "a", "|+"]),
    ("a: |\n\n\n", ["a: |", "a", "|"]),
    ("a: &x b\nc: *x # d\n", ["a: &x b\nc: *x", "a", "&x b", "c", "*x"]),
    ("a: !!str &x b\n", ["a: !!str &x b", "a", "!!str &x b"]),
    ("a: !!map &x\n  b: c\n", ["a: !!map &x\n  b: c", "a", "!!map &x\n  b: c", "b", "c"]),
    ("a: &x\n- b\n", ["a: &x\n- b", "a", "&x\n- b", "b"]),
    ("a: b\n  c\nd: 'e\n\n  f'\n", ["a: b\n  c\nd: 'e\n\n  f'", "a", "b\n  c", "d", "'e\n\n  f'"]),
    ("é: 😀\n😀: [é]\n", ["é: 😀\n😀: [é]", "é", "😀", "😀", "[é]", "é"]),
    ("\ufeffa: b\n", ["a: b", "a", "b"]),
    ("- - a\n  - b\n-\n", ["- - a\n  - b\n-", "- a\n  - b", "a", "b", ""]),
    ("{a: , b, c: [http://x:80]}\n", ["{a: , b, c: [http://x:80]}", "a", "", "b", "", "c", "[http://x:80]", "http://x:80"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), POSITIONS)
def test_nodes_have_start_and_end_offsets(text: str, expected: list[str], parser: str) -> None:
    assert spans(text) == expected


@pytest.mark.parametrize(
    ("text", "path", "offset"),
    [("a:\nb: 1\n", ("a",), 2), ("a: # c\nb: 1\n", ("a",), 2), ("{a: , b: 1}", ("a",), 3),
     ("{b}", ("b",), 2), ("? a\n", ("a",), 3)],
)  # fmt: skip
def test_missing_value_is_located_after_its_colon(text: str, path: tuple[str], offset: int, parser: str) -> None:
    root = parse(text)
    assert root is not None
    node = trail(root, path)[-1]
    assert (node.start, node.end, node.value) == (offset, offset, None)


def test_nodes_record_style_anchor_and_tag(parser: str) -> None:
    root = parse("a: &x {b: 'c'}\nd: [*x]\ne: !!str |\n  f\n<<: *x\n")
    assert isinstance(root, Mapping) and root.merges and not root.flow
    a, d, e = (root.pairs[key][1] for key in "ade")
    assert isinstance(a, Mapping) and a.flow and a.anchor == "x"
    assert (
        isinstance(d, Sequence) and isinstance(d.items[0], Alias) and d.items[0].target is a and d.items[0].name == "x"
    )
    assert isinstance(e, Scalar) and e.style == "|" and e.tag == "tag:yaml.org,2002:str"
    assert "b" in root.value and "b" not in root.pairs


def described(node: Node | None) -> list[Any]:
    kinds: list[Any] = []
    for found in walk(node) if node is not None else ():
        style = getattr(found, "style", getattr(found, "flow", getattr(found, "name", "")))
        kinds.append((type(found).__name__, found.start, found.end, style, repr(found.value)))
    return kinds


def test_both_parsers_return_the_same_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [Handwriting(Random(seed)).document() for seed in range(60)]
    by_libyaml = [described(parse(text)) for text in texts]
    monkeypatch.setitem(sys.modules, "_ruamel_yaml", None)
    for text, expected in zip(texts, by_libyaml, strict=True):
        assert described(parse(text)) == expected, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- a\tb\n", ["a\tb"]),
        ("k: a\tb \tc # d\n", {"k": "a\tb \tc"}),
        ("a\tb: c\n", {"a\tb": "c"}),
        ("k:\tv\t# c\n", {"k": "v"}),
        ("k: {a: b\t, c: d\te, f: [g\t:\th]}\n", {"k": {"a": "b", "c": "d\te", "f": [{"g": "h"}]}}),
        ("k: &x\ttrue\nl: &y\t'v'\nm: *x\t# c\n", {"k": True, "l": "v", "m": True}),
        ("k: &x\t|\n  v\n", {"k": "v\n"}),
        ("k: a,\tb\t, c\t] d\t[\n", {"k": "a,\tb\t, c\t] d\t["}),
        ("k: don'\tt say \"\thi\n", {"k": "don'\tt say \"\thi"}),
        ("k: a\t\n  \tb\t\n  \t\n  c\n", {"k": "a b\nc"}),
    ],
)
def test_tabs_inside_plain_scalars_are_kept(text: str, value: object, parser: str) -> None:
    root = parse(text)
    assert root is not None and root.value == value


def test_text_with_many_tabs_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ruamel_yaml", None)
    sources: list[str] = []
    events = EventSource.events

    def counted(source: EventSource) -> Any:
        sources.append(source.text)
        return events(source)

    monkeypatch.setattr(EventSource, "events", counted)
    root = parse("".join(f"k{number}: a\tb\n" for number in range(50)))
    assert root is not None and root.value["k49"] == "a\tb"
    assert len(sources) == 1
