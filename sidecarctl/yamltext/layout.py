"""Exact start and end of nodes and of their parts, where the parser's marks do not give them."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from collections.abc import Set

from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.lines import BREAK, break_before, column, line_end, line_start, skip_gap
from sidecarctl.yamltext.nodes import Mapping, Node, Scalar, Sequence, key_of, steps_of

# After anchor and tag, each perhaps with a comment. A comment ends at its line break only, so a match takes linear time.
_BLOCK_HEADER = lazy_pattern("(?:[&!]\\S*\\s+(?:#[^\n\r\x85\u2028\u2029]*[\n\r\x85\u2028\u2029]\\s*)*)*[|>]([-+0-9]*)")
_ANCHOR_ALONE = lazy_pattern(r"&\S+\s+(?!!)")
_BEFORE_QUESTION_MARK = " \t\n\r\x85\u2028\u2029\ufeff-{,["
_TAG_BEFORE = lazy_pattern(r"(?:^|(?<=\s))!\S*\s+\Z")

_BREAKS = "\n\r\x85\u2028\u2029"
_BLANK = lazy_pattern("[ \t]|\r\n|[\n\r\x85\u2028\u2029]")
_QUESTION = lazy_pattern(r" *(?:[-?:][ \t]+)*(\?)[ \t]*(?:#.*)?\Z")


def missing_value_offset(text: str, key: Node, flow: bool) -> int:
    """Return where a missing value would start: after the colon, or after the key if there is no colon."""
    colon = colon_offset(text, key, flow)
    return key.end if colon is None else colon + 1


def properties_start(text: str, start: int) -> int:
    """Return where a tag before an anchor starts; the pure parser counts from the anchor."""
    if not _ANCHOR_ALONE.match(text, start):
        return start
    found = _TAG_BEFORE.search(text[max(0, start - 200) : start])
    return start - len(found.group()) if found else start


def block_scalar_end(text: str, start: int, end: int, value: str) -> int:
    """Return where the last line of a block scalar ends, without its line break; blank lines count only if kept (`+`)."""
    header_break = BREAK.search(text, start)
    while header_break and not _BLOCK_HEADER.match(text[start : header_break.start()]):
        header_break = BREAK.search(text, header_break.end())  # an anchor or tag on its own line
    if header_break is None or header_break.start() >= end:
        return header_break.start() if header_break else len(text)
    header = _BLOCK_HEADER.match(text, start)
    kept = header is not None and "+" in header.group(1)
    lines = BREAK.split(text[header_break.end() : end])
    indent = _indent(lines, value)
    # The end mark may be inside the next line: what is there is indentation.
    offset = end
    if lines[-1] and len(lines[-1]) <= indent and not lines[-1].strip():
        offset -= len(lines[-1])
        lines[-1] = ""
    if kept:
        last = break_before(text, offset)
        return last if last >= header_break.start() else offset
    while lines and not lines[-1].strip(" \t") and len(lines[-1]) <= indent:
        offset -= len(lines.pop())
        if not lines:
            return header_break.start()
        offset = break_before(text, offset)
    return offset


def block_indent(text: str, start: int, end: int, value: str) -> int:
    """Return the indentation of the lines of a block scalar, 0 for none."""
    return _indent(BREAK.split(text[start:end])[1:], value)


def keeps_blank_lines(text: str, start: int) -> bool | None:
    """Return the chomping of a block scalar's header: True for keep, False for strip, None for clip."""
    found = _BLOCK_HEADER.match(text, start)
    chomping = found.group(1) if found else ""
    return True if "+" in chomping else False if "-" in chomping else None


def _indent(lines: list[str], value: str) -> int:
    """Return the indentation of a block scalar: of its first line in the text, minus that of its value's first line."""
    written = next((line for line in lines if line.strip(" ")), "")
    meant = next((line for line in value.splitlines() if line.strip(" ")), "")
    return (len(written) - len(written.lstrip(" "))) - (len(meant) - len(meant.lstrip(" ")))


Bounds = list[tuple[int, int]]


def member_bounds(text: str, holder: Mapping | Sequence, filled: Set[str | int] = frozenset()) -> Bounds:
    """Return start and end of each member: a key with its value, or an item with its dash.

    `filled` are the steps of members without a value that are about to get one.
    """
    if isinstance(holder, Mapping):
        spans = [(entry_start(text, k), max(k.end, v.end)) for k, v in holder.pairs.values()]
        if holder.flow:
            spans = _with_question_marks(text, holder, spans)
    else:
        spans = [(item.start, item.end) for item in holder.items]
    if holder.flow:
        steps = steps_of(holder)
        ends = [
            end if step in filled else _past_blank(text, last, end)
            for step, last, (_, end) in zip(steps, last_nodes(text, holder), spans, strict=True)
        ]
        return [(start, end) for (start, _), end in zip(spans, ends, strict=True)]
    if isinstance(holder, Mapping):
        return spans
    out: Bounds = []
    at = first_dash(text, holder)
    for item in holder.items:
        dash = skip_gap(text, at)
        at = max(item.end, dash + 1)
        out.append((dash, at))
    return out


def member_runs(indices: Seq[int]) -> list[tuple[int, int]]:
    """Return neighboring indices of members as ranges (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def comment_stays(text: str, end: int, start: int, *, alone: bool = True) -> bool:
    """Return whether a comment between a member that goes, and ends at `end`, and the next one at `start` stays.

    If the member is `alone` on its line, the comment on that line goes with it.
    """
    return "#" in text[end:start] and (not alone or "#" in text[line_end(text, end) : start])


def _with_question_marks(text: str, holder: Mapping, spans: Bounds) -> Bounds:
    """Return the bounds of flow entries, from the question marks on lines above their keys."""
    out: Bounds = []
    before = opening_bracket(text, holder) + 1
    for start, end in spans:
        at = skip_gap(text, before)
        at = skip_gap(text, at + 1) if text.startswith(",", at) else at
        out.append((at if at < start and text.startswith("?", at) else start, end))
        before = end
    return out


def ends_with_tag(text: str, last: Node, end: int) -> bool:
    """Return whether a flow member ends with a tag, which some characters behind it would become part of.

    `last` is its last node: the item, the value, or a key without colon.
    """
    return _is_bare(last) and not text[end - 1].isspace() and "!" in (text[last.start : end].split() or [""])[-1]


def _is_bare(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.style and node.value in (None, "")


def last_nodes(text: str, holder: Mapping | Sequence) -> list[Node]:
    """Return the last node of each member: the item, the value, or a key without colon (`{a}`)."""
    if isinstance(holder, Sequence):
        return holder.items
    return [key if colon_offset(text, key, holder.flow) is None else value for key, value in holder.pairs.values()]


def _past_blank(text: str, last: Node, end: int) -> int:
    """Return where a flow member ends: the blank behind a colon or tag without a value is part of it (`{a: ,b: !!str }`)."""
    open_end = (_is_bare(last) and text[end - 1] == ":") or ends_with_tag(text, last, end)
    blank = _BLANK.match(text, end) if open_end else None
    return blank.end() if blank else end


def entry_start(text: str, key: Node) -> int:
    """Return where the entry of a key starts: at the key, or at the question mark before it."""
    at = key.start
    while at and text[at - 1] in " \t":
        at -= 1
    # In flow collections, no space is needed after the question mark: `{?a: b}`.
    if text[at - 1 : at] == "?" and (at == key.start or at == 1 or text[at - 2] in _BEFORE_QUESTION_MARK):
        return at - 1
    if at and text[at - 1] in _BREAKS:
        above = _question_above(text, at)
        if above is not None and column(text, above) < column(text, key.start):
            return above
    return key.start


def _question_above(text: str, at: int) -> int | None:
    """Return the offset of a question mark that is alone on a line above, with only blanks and comments between."""
    while (end := break_before(text, at)) < at:
        at = line_start(text, end)
        line = text[at:end]
        body = line.lstrip(" \t")
        if body and not body.startswith("#"):
            found = _QUESTION.match(line) if "?" in body else None
            return at + found.start(1) if found else None
    return None


def colon_offset(text: str, key: Node, flow: bool) -> int | None:
    """Return the offset of the colon after a key, None if there is none (`{a}`, `? a`).

    In block style, a colon on a later line is that of the key only before a space or line break: `:b` is the next key.
    """
    at = skip_gap(text, key.end)
    if not text.startswith(":", at):
        return None
    return at if flow or not text[at + 1 : at + 2].strip() or not BREAK.search(text, key.end, at) else None


def properties_end(text: str, node: Node) -> int:
    """Return where the anchor and tag of a node end; its start if it has none. Those of a first key are not its own."""
    at = end = node.start
    key = next(iter(node.pairs.values()))[0] if isinstance(node, Mapping) and node.pairs else None
    while (key is None or at < key.start) and text[at : at + 1] in ("&", "!"):
        while text[at : at + 1].strip("\x85\u2028\u2029 \t\r\n"):
            at += 1
        end, at = at, skip_gap(text, at)
    return end


def content_offset(text: str, node: Node) -> int:
    """Return where the content of a node starts, after an anchor, a tag, and comments."""
    return skip_gap(text, properties_end(text, node))


def first_dash(text: str, sequence: Sequence) -> int:
    """Return the offset of the first dash: at the start, or after an anchor and tag."""
    return content_offset(text, sequence)


def dash_offset(text: str, sequence: Sequence, index: int) -> int:
    """Return the offset of the dash of a block sequence item."""
    dash = first_dash(text, sequence)
    if index == 0:
        return dash
    before = sequence.items[index - 1]
    # An empty item ends after its own dash, whatever the parser's mark says.
    return skip_gap(text, before.end if before.end > before.start else member_bounds(text, sequence)[index - 1][1])


def value_offset(text: str, nodes: Seq[Node]) -> int | None:
    """Return where the value at the end of a trail may start: after its colon or dash; None if there is no colon.

    An item of a flow sequence and a document start at their own offset.
    """
    node = nodes[-1]
    holder = nodes[-2] if len(nodes) > 1 else None
    if isinstance(holder, Mapping):
        key = key_of(holder, node)
        colon = colon_offset(text, key, holder.flow)
        return None if colon is None else colon + 1
    if isinstance(holder, Sequence) and not holder.flow:
        return dash_offset(text, holder, next(i for i, item in enumerate(holder.items) if item is node)) + 1
    return node.start


def opening_bracket(text: str, node: Mapping | Sequence) -> int:
    """Return the offset of the opening bracket of a flow collection."""
    return content_offset(text, node)


def member_starts(node: Mapping | Sequence) -> list[int]:
    """Return where keys or items start, from the nodes alone."""
    if isinstance(node, Mapping):
        return [key.start for key, _ in node.pairs.values()]
    return [item.start for item in node.items]
