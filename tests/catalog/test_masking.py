"""The search for many secrets at once finds what a search for each of them finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.catalog.masking import find_forms, forms_of

PARTS = st.sampled_from(["ab", "aba", "abab", "b", "aa", "A", "1", "_", " ", "'", "\n", "hunter2", "…", "...", "é"])
WORDS = st.lists(PARTS, max_size=8).map("".join)


@settings(max_examples=500, deadline=None)
@given(WORDS, st.lists(WORDS, max_size=6))
def test_masking_finds_what_a_search_for_each_form_finds(text: str, secret: list[str]) -> None:
    forms = forms_of(secret)
    plain = {form for form in forms.all if form in text.lower()}
    assert find_forms(text.lower(), forms) == plain
