"""Unified diffs of two texts, as `patch` and `git apply` read them."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from difflib import Match, SequenceMatcher

from sidecarctl.report.terminal import paint, visible
from sidecarctl.yamltext.changed_ranges import BoundedMatcher, Steps

_NO_LINE_END = "\\ No newline at end of file\n"
# Bytes that stand for themselves between double quotes.
_UNQUOTED = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\')
# Comparisons of two lines, a few seconds. If a long text repeats most of its lines, a hunk can include equal lines.
_STEPS = 30_000_000
_STYLES = {"+": "added", "-": "removed"}


def unified_diff(before: str, after: str, file: str, *, color: bool = False, terminal: bool = False) -> str:
    """Return the unified diff of two versions of a file with three lines of context; empty if they are equal.

    Only `\
    ` ends a line, so a `\\r` stays part of its line, and a missing final line break is marked as patch needs it.
    For a terminal, control characters are escaped; elsewhere every character is kept.
    """
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)

    def shown(sign: str, line: str) -> str:
        body = line.removesuffix("\n")
        if terminal:
            body = visible(body.removesuffix("\r"), keep="\t")
        end = "\n" if line.endswith("\n") else "\n" + _NO_LINE_END
        return (paint(sign + body, _STYLES[sign], color) if sign in _STYLES else sign + body) + end

    name = _label(file)
    parts = [paint(f"--- {name}", "bold", color) + "\n", paint(f"+++ {name}", "bold", color) + "\n"]
    for hunk in _Patience(old, new).get_grouped_opcodes(3):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = hunk[0], hunk[-1]
        parts.append(paint(f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@", "hunk", color) + "\n")
        for tag, a1, a2, b1, b2 in hunk:
            parts += [shown(" " if tag == "equal" else "-", line) for line in old[a1:a2]]
            parts += [shown("+", line) for line in new[b1:b2] if tag != "equal"]
    return "".join(parts)


def _lines(text: str) -> list[str]:
    """Split after each `\
    ` and nowhere else.
    """
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _label(file: str) -> str:
    """Return a file name on one line: with a trailing tab, as diff writes it, if it contains a space, or quoted."""
    if file.startswith('"') or visible(file) != file:
        return _quote(file)
    return f"{file}\t" if " " in file else file


def _quote(file: str) -> str:
    """Return a name as `git diff` quotes it, which `patch` and `git apply` read: other bytes as octal numbers."""
    quoted = (chr(each) if each in _UNQUOTED else f"\\{each:03o}" for each in os.fsencode(file))
    return f'"{"".join(quoted)}"'


def _range(start: int, end: int) -> str:
    """Return the lines from `start` (from 0) up to `end` in the notation of a hunk header."""
    length = end - start
    first = start + 1 if length else start
    return f"{first}" if length == 1 else f"{first},{length}"


class _Patience(SequenceMatcher[str]):
    """A patience diff: matches lines that are unique in both texts first, and the rest only between these.

    Manifests repeat most of their lines, but not names. So blocks stay together, and the time is close to linear.
    """

    def __init__(self, old: list[str], new: list[str]) -> None:
        super().__init__(None, old, new)
        self._texts = old, new

    def get_matching_blocks(self) -> list[Match]:
        """Return the matching blocks in order, with an empty one at the end, as difflib does."""
        old, new = self._texts
        blocks: list[tuple[int, int, int]] = []
        for i, j, size in _blocks(old, new, 0, len(old), 0, len(new), Steps(_STEPS)):
            if blocks and blocks[-1][0] + blocks[-1][2] == i and blocks[-1][1] + blocks[-1][2] == j:
                i, j, size = blocks[-1][0], blocks[-1][1], blocks[-1][2] + size
                blocks.pop()
            blocks.append((i, j, size))
        blocks.append((len(old), len(new), 0))
        return [Match(*block) for block in _slide_blocks(old, new, blocks) if block[2]] + [Match(len(old), len(new), 0)]


def _blocks(
    a: list[str], b: list[str], a1: int, a2: int, b1: int, b2: int, steps: Steps
) -> Iterator[tuple[int, int, int]]:
    """Yield the common parts of two ranges: both ends, then unique lines, then what difflib finds in some steps."""
    head = 0
    while a1 + head < a2 and b1 + head < b2 and a[a1 + head] == b[b1 + head]:
        head += 1
    if head:
        yield a1, b1, head
    a1, b1 = a1 + head, b1 + head
    tail = 0
    while a1 < a2 - tail and b1 < b2 - tail and a[a2 - tail - 1] == b[b2 - tail - 1]:
        tail += 1
    a2, b2 = a2 - tail, b2 - tail
    if a1 < a2 and b1 < b2:
        anchors = _anchors(a, b, a1, a2, b1, b2)
        if anchors:
            for i, j in [*anchors, (a2, b2)]:
                # An anchor starts the next range, so that it can grow downwards.
                yield from _blocks(a, b, a1, i, b1, j, steps)
                a1, b1 = i, j
                if i < a2:
                    yield i, j, 1
                    a1, b1 = i + 1, j + 1
        else:
            matcher = BoundedMatcher(a[a1:a2], b[b1:b2], steps, autojunk=True)
            for i, j, size in matcher.get_matching_blocks()[:-1]:
                yield a1 + i, b1 + j, size
    if tail:
        yield a2, b2, tail


def _anchors(a: list[str], b: list[str], a1: int, a2: int, b1: int, b2: int) -> list[tuple[int, int]]:
    """Return the longest increasing sequence of pairs of lines that are unique in both ranges."""
    in_a, in_b = Counter(a[a1:a2]), Counter(b[b1:b2])
    where = {b[j]: j for j in range(b1, b2) if in_b[b[j]] == 1}
    pairs = [(i, where[a[i]]) for i in range(a1, a2) if in_a[a[i]] == 1 and a[i] in where]
    ends: list[int] = []  # smallest last position in b of a sequence of each length
    last: list[int] = []  # the pair that ends it
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [index]
    chosen: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]


def _slide_blocks(a: list[str], b: list[str], blocks: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Move a pure insertion or removal up to where it starts with its least indented line.

    So a diff shows a list item from its dash, not from the second line of the previous item.
    """
    up = 0
    for index, (i, j, size) in enumerate(blocks):
        i, j, size = i - up, j - up, size + up
        up = 0
        if index + 1 < len(blocks):
            next_i, next_j, _ = blocks[index + 1]
            if next_i == i + size:
                up = _slide(b, j + size, next_j, size)
            elif next_j == j + size:
                up = _slide(a, i + size, next_i, size)
        yield i, j, size - up


def _slide(lines: list[str], start: int, end: int, most: int) -> int:
    """Return by how many lines to move the range `start` to `end` up, at most `most`."""
    if start == end:
        return 0
    best, least, up = 0, _indent(lines[start]), 0
    while up < most and lines[start - up - 1] == lines[end - up - 1]:
        up += 1
        if _indent(lines[start - up]) < least:
            best, least = up, _indent(lines[start - up])
    return best


def _indent(line: str) -> int:
    body = line.lstrip(" ")
    return len(line) - len(body) if body.strip() else len(line) + 1000
