"""The ranges in which two sequences of lines differ, found in bounded time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from itertools import accumulate

# Comparisons of two lines, about a second. Texts of a thousand different lines need a few thousand.
_STEPS = 5_000_000


def find_changed_ranges(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield start and end of each range of `old` that differs, and start and end of what `new` has instead.

    If long texts repeat most of their lines, a range can include lines that are equal.
    """
    most = min(len(old), len(new))
    head = next((index for index in range(most) if old[index] != new[index]), most)
    tail = next((index for index in range(most - head) if old[-1 - index] != new[-1 - index]), most - head)
    matcher = BoundedMatcher(old[head : len(old) - tail], new[head : len(new) - tail], Steps(_STEPS), autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            yield head + a, head + b, head + c, head + d


class Steps:
    """The comparisons of two lines that are left, for one matcher or several."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self, count: int) -> bool:
        """Take a number of them, and return False if there are not enough."""
        if count > self._left:
            return False
        self._left -= count
        return True


class BoundedMatcher(SequenceMatcher[str]):
    """A matcher that finds no more matches without `steps`: repeated lines take quadratic time, or more."""

    b2j: dict[str, list[int]]  # of difflib, which documents it

    def __init__(self, old: Sequence[str], new: Sequence[str], steps: Steps, *, autojunk: bool) -> None:
        super().__init__(None, old, new, autojunk=autojunk)
        self._left = steps
        self._steps = list(accumulate((1 + len(self.b2j.get(line, ())) for line in old), initial=0))

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """Return the longest match in two ranges, an empty one if it would take too many steps."""
        if not self._left.take(self._steps[-1 if ahi is None else ahi] - self._steps[alo]):
            return Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)
