"""Laws 1, 2, and 5 on random documents: inserting keeps every byte, and removing restores the original text."""

from __future__ import annotations

from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_yaml import Handwriting, random_inserts, random_removals
from splice_laws import exists, is_subsequence, undo_inserts, without_displaced

from sidecarctl.yamltext.edits import EditRefused, Insert
from sidecarctl.yamltext.nodes import Node
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import splice


def document(seed: int) -> tuple[str, Node, list[Insert], Random]:
    rng = Random(seed)
    text = Handwriting(rng).document()
    root = parse(text)
    assert root is not None
    return text, root, random_inserts(rng, root), rng


def check(seed: int) -> bool:
    text, root, inserts, rng = document(seed)
    fixed = rng.random()
    try:
        done = splice(text, root, inserts, lambda _p, keys, _k: round(fixed * len(keys)))
    except EditRefused:
        return False
    if not done.displaced:
        assert is_subsequence(text, done.text)
    else:
        assert is_subsequence(without_displaced(text, root, done.displaced), done.text)
    back = splice(done.text, done.root, undo_inserts(root, inserts, done))
    assert back.text == text
    return True


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**48))
def test_inserts_keep_every_byte_and_removal_restores_the_text(seed: int) -> None:
    assume(check(seed))


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**48), st.booleans())
def test_any_mix_of_edits_has_the_intended_value(seed: int, mixed: bool) -> None:
    """`splice` verifies its own result and raises BugError if it is wrong."""
    text, root, inserts, rng = document(seed)
    edits = random_removals(rng, root)
    gone = [edit.path for edit in edits]
    if mixed:
        edits += [one for one in inserts if not any(one.path[: len(path)] == path for path in gone)]
    try:
        splice(text, root, edits)
    except EditRefused:
        assume(False)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**48))
def test_successive_inserts_can_be_undone_in_reverse_order(seed: int) -> None:
    text, root, inserts, rng = document(seed)
    texts, undo = [text], []
    for _ in range(3):
        try:
            done = splice(text, root, inserts)
        except EditRefused:
            break
        undo.append(undo_inserts(root, inserts, done))
        text, root = done.text, done.root
        texts.append(text)
        inserts = random_inserts(rng, root)
        inserts = [one for one in inserts if not exists(root.value, one.path)]
    for edits in reversed(undo):
        assert texts.pop() == text
        done = splice(text, root, edits)
        text, root = done.text, done.root
    assert texts == [text]
