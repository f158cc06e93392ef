"""The ranges in which two texts differ: they turn one into the other, and take bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube.value_diff import diff_values
from sidecarctl.yamltext import changed_ranges
from sidecarctl.yamltext.changed_ranges import find_changed_ranges
from sidecarctl.yamltext.edits import Replace
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import splice

LINES = st.lists(st.sampled_from("abc"), max_size=12)


def apply_ranges(old: list[str], new: list[str]) -> list[str]:
    out, at = list[str](), 0
    for start, end, first, last in find_changed_ranges(old, new):
        assert at <= start
        assert old[start:end] != new[first:last]
        out += [*old[at:start], *new[first:last]]
        at = end
    return [*out, *old[at:]]


@given(LINES, LINES)
def test_changed_ranges_turn_one_text_into_the_other(old: list[str], new: list[str]) -> None:
    assert apply_ranges(old, new) == new


@given(LINES, LINES, st.integers(1, 60))
def test_changed_ranges_are_complete_without_time_to_find_equal_lines(
    old: list[str], new: list[str], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changed_ranges, "_STEPS", most)
        assert apply_ranges(old, new) == new


def test_changes_in_long_texts_of_different_lines_are_found() -> None:
    old = [str(number) for number in range(20_000)]
    new = ["first" if line == "10" else line for line in old if line != "19000"]
    assert list(find_changed_ranges(old, new)) == [(10, 11, 10, 11), (19_000, 19_001, 19_000, 19_000)]


def test_long_texts_of_equal_lines_are_compared_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    find = changed_ranges.SequenceMatcher.find_longest_match

    def counted(matcher: changed_ranges.SequenceMatcher[str], *ranges: int) -> changed_ranges.Match:
        alo, ahi, blo, bhi = ranges
        compared.append((ahi - alo) * (bhi - blo))
        return find(matcher, *ranges)

    monkeypatch.setattr(changed_ranges.SequenceMatcher, "find_longest_match", counted)
    repeated = ["", "inputs:", "", "- name: stdout"] * 2_000
    old, new = ["a", *repeated, "b"], ["c", *repeated, "d"]
    before, after = "\n".join(old), "\n".join(new)
    assert [(each.before, each.after) for each in diff_values(before, after)] == [(before, after)]
    text = "k: |-\n" + "".join(f"  {line}\n" for line in old)
    root = parse(text)
    assert root is not None
    assert splice(text, root, [Replace(("k",), after)]).root.value == {"k": after}
    assert sum(compared) <= 5_000_000
