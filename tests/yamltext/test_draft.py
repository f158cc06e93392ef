"""Drafts: edits one after the other have the text and the nodes of verified edits, and nothing unverified gets out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_yaml import Handwriting, random_inserts, random_removals

from sidecarctl.errors import BugError
from sidecarctl.yamltext.draft import Draft, have_equal_nodes
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import last
from sidecarctl.yamltext.stream import Document


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**48))
def test_edits_of_a_draft_have_the_text_and_nodes_of_verified_edits(seed: int) -> None:
    rng = Random(seed)
    document = Document("", Handwriting(rng).document())
    draft = Draft.of(document)
    for _ in range(4):
        assert document.root is not None
        edits: list[Edit] = [*(random_inserts if rng.random() < 0.8 else random_removals)(rng, document.root)]
        fixed = rng.random()

        def place(_path: object, keys: list[str], _key: str, fixed: float = fixed) -> int:
            return round(fixed * len(keys))

        try:
            document = document.edit(edits, place)
        except BugError:  # the generator used a key twice
            assume(False)
        except EditRefused as refused:
            assume("unusual blank" not in refused.message)  # the same in a text where the parser may be the cause
            with pytest.raises(EditRefused) as also:
                draft.edit(edits, place)
            assert also.value.message == refused.message
            continue
        draft = draft.edit(edits, place)
        assert draft.text == document.text
    done = draft.finish()
    assert type(done) is Document
    assert done.root is not None
    assert document.root is not None
    assert have_equal_nodes(document.root, done.root)


TEXT = "a: [x, y]\nb:\n- one\n# c\nd: {e: f}\ng: &g 1\nh: *g\n"
EDITS = [
    Insert(("a", 1), "new"),
    Insert(("b", 0), {"k": "v"}),
    Insert(("b", 1), "new"),
    Insert(("d", "new"), [1]),
    Insert(("new",), {"k": ["v"]}),
    Replace(("b", 0), "longer"),
    Remove(("a", 0)),
]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_draft_leaves_the_document_as_it_is(edit: Edit) -> None:
    document = Document("", TEXT)
    root, value = document.root, repr(document.value)
    Draft.of(document).edit([edit], last)
    assert document.root is root
    assert root is not None
    assert repr(root.value) == value
    assert have_equal_nodes(root, parse(TEXT) or root)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_draft_that_gave_its_nodes_away_still_has_its_value(edit: Edit) -> None:
    draft = Draft.of(Document("", TEXT))
    before = draft.value
    draft.edit([edit], last)
    assert draft.value == before
    assert have_equal_nodes(draft.root or Scalar(0, 0, None, ""), parse(TEXT) or Scalar(0, 0, None, ""))


def test_a_draft_with_another_value_is_rejected() -> None:
    draft = Draft.of(Document("", TEXT)).edit([Insert(("b", 1), "new")], last)
    with pytest.raises(BugError, match="does not equal the intended result"):
        draft.with_text(draft.text.replace("new", "old"), draft.root).finish()
    with pytest.raises(BugError, match="does not parse"):
        draft.with_text(draft.text + "}", draft.root).finish()


@pytest.mark.parametrize("field", ["start", "end", "style", "anchor", "value"])
def test_a_draft_with_a_wrong_node_is_rejected(field: str) -> None:
    draft = Draft.of(Document("", TEXT)).edit([Insert(("b", 1), "new")], last)
    assert isinstance(draft.root, Mapping)
    items = draft.root.pairs["b"][1]
    assert isinstance(items, Sequence)
    setattr(items.items[1], field, 999)
    with pytest.raises(BugError, match="nodes"):
        draft.finish()


def test_nodes_differ_in_kind_members_and_flags() -> None:
    def node(text: str) -> Node:
        return parse(text) or Scalar(0, 0, None, "")

    for text, other in (("a: 1", "b: 1"), ("a: 1", "a: 1\n"), ("[a]", "{a}"), ("- a", "- b")):
        assert have_equal_nodes(node(text), node(other)) == (other == "a: 1\n")
    one, two = node(TEXT), node(TEXT)
    assert isinstance(two, Mapping)
    alias = two.pairs["h"][1]
    assert isinstance(alias, Alias)
    alias.name = "other"
    assert not have_equal_nodes(one, two)
