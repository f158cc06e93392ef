"""Turns removals from flow collections into text replacements, with the commas and comments around the members."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Seq

from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.insert import check_pair
from sidecarctl.yamltext.layout import Bounds, comment_stays, ends_with_tag, last_nodes, member_bounds, member_runs
from sidecarctl.yamltext.lines import (
    BREAK,
    Splice,
    blanks_start,
    first_on_line,
    line_end,
    line_start,
    next_line,
    skip_gap,
)
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence

_LINE_IS_OVER = lazy_pattern("[ \t]*(?:#|[\n\r\x85\u2028\u2029]|\\Z)")
_COMMENT_AFTER = lazy_pattern("[ \t]*(,)?[ \t]*#")
_COMMA = lazy_pattern(",[ \t]*")


def flow_cuts(text: str, holder: Mapping | Sequence, gone: Seq[int], *, keep_commas: bool) -> Iterator[Splice]:
    """Yield the cuts for members of a flow collection, given by index in order.

    A comment on the line of a member goes with it, unless a member that stays is on that line. Other comments stay.
    """
    check_pair(text, holder)
    spans = member_bounds(text, holder)
    last = last_nodes(text, holder)
    for first, after in member_runs(gone):
        for part in _split_at_comments(text, spans, first, after):
            if first == 0:
                yield from _cut_first(text, spans, *part)
            elif keep_commas:
                yield _cut_with_next_comma(text, spans[part[0]][0], spans[part[1] - 1][1])
            else:
                yield from _cut_later(text, spans, last[first - 1], *part)


def _split_at_comments(text: str, spans: Bounds, first: int, after: int) -> Iterator[tuple[int, int]]:
    """Split a range of members that go where a comment between two of them stays."""
    start = first
    for index in range(first + 1, after):
        alone = first == 0 or first_on_line(text, spans[start][0])
        if comment_stays(text, spans[index - 1][1], spans[index][0], alone=alone):
            yield start, index
            start = index
    yield start, after


def _cut_first(text: str, spans: Bounds, first: int, after: int) -> Iterator[Splice]:
    """Cut members that no other is before, with the comma behind them."""
    start, end = spans[first][0], spans[after - 1][1]
    comma = skip_gap(text, end)
    stop = spans[after][0] if after < len(spans) else comma + 1 if text.startswith(",", comma) else end
    if not comment_stays(text, end, stop, alone=True):
        yield Splice(start, stop, "")
        return
    line = line_end(text, end)
    if first_on_line(text, start):
        yield Splice(line_start(text, start), next_line(text, end), "")
    else:
        yield Splice(blanks_start(text, start), line, "")
    if comma > line and (found := _COMMA.match(text, comma)):
        yield Splice(comma, found.end(), "")


def _cut_with_next_comma(text: str, start: int, end: int) -> Splice:
    comma = skip_gap(text, end)
    return Splice(start, comma + 1 if text.startswith(",", comma) else end, "")


def _cut_later(text: str, spans: Bounds, last: Node, first: int, after: int) -> Iterator[Splice]:
    """Cut members with the comma before them, and the comment on their line if no member before them is on it.

    `last` is the last node of the member before them that stays.
    """
    start, end = spans[first][0], spans[after - 1][1]
    comma = skip_gap(text, end)
    separated = text.startswith(",", comma)
    yield from _cut_with_comma_before(text, spans[first - 1][1], start, end, last)
    # Before a comma, the comment can be that of the member before: an insert after that member leaves it there.
    comment = _COMMENT_AFTER.match(text, end)
    if comment and bool(comment.group(1)) == separated and first_on_line(text, start):
        yield Splice(comma + 1 if separated else end, line_end(text, end), "")


def _cut_with_comma_before(text: str, before: int, start: int, end: int, last: Node) -> Iterator[Splice]:
    """Cut text[start:end] with the comma between it and `before`, where the member before it ends."""
    following = skip_gap(text, end)
    separated = text.startswith(",", following)
    sign = text.rfind("#", before, start)
    if sign < 0:
        if not separated and _needs_comma(text, last, before, end):
            before = skip_gap(text, before) + 1
        yield Splice(before, end, " " if text.startswith("#", end) and _is_plain(last) else "")
        return
    # A comment between members stays, with the comma before them if another member follows.
    kept = line_end(text, sign)
    comma = skip_gap(text, before)
    if not separated:
        if comma < kept and text[comma - 1] != ":":  # before a blank, `a:` would be a key
            joined = text.startswith("#", comma + 1) and not text[comma - 1].isspace()
            yield Splice(comma, comma + 1, " " if joined and _is_plain(last) else "")
        yield Splice(kept if BREAK.search(text, end, following) else start, end, "")
    elif "#" in text[end:following]:
        yield Splice(max(kept, comma + 1), end, "")
        yield Splice(following, following + 1, "")
    elif _LINE_IS_OVER.match(text, following + 1):
        yield Splice(max(kept, comma + 1), following + 1, "")
    else:
        # The line break that ends the comment stays.
        yield Splice(max(start, comma + 1), following + 1, "")


def _needs_comma(text: str, last: Node, end: int, following: int) -> bool:
    """Return whether only a comma ends a member: before a blank, `a:` would be a key; before a bracket, a tag goes on."""
    return (text[end - 1] == ":" and text[following : following + 1].isspace()) or ends_with_tag(text, last, end)


def _is_plain(last: Node) -> bool:
    """Return whether a member ends with a plain scalar, which a "#" directly behind it would become part of."""
    return isinstance(last, Alias) or (isinstance(last, Scalar) and not last.style)
