"""Turns removals into text replacements. Removing what was inserted restores the original bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Seq

from sidecarctl.errors import BugError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.edits import EditRefused, Remove, Restore, dotted
from sidecarctl.yamltext.insert import check_pair
from sidecarctl.yamltext.layout import (
    Bounds,
    block_indent,
    ends_with_tag,
    keeps_blank_lines,
    last_nodes,
    member_bounds,
    properties_end,
    value_offset,
)
from sidecarctl.yamltext.lines import (
    BREAK,
    Splice,
    blank_before_comment,
    break_before,
    first_on_line,
    line_end,
    line_start,
    next_line,
    past_tabs,
    skip_gap,
)
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, trail

_LINE_IS_OVER = lazy_pattern("[ \t]*(?:#|[\n\r\x85\u2028\u2029]|\\Z)")


def removal_splices(text: str, root: Node, removes: Seq[Remove], *, keep_commas: bool = False) -> Iterator[Splice]:
    """Yield the cuts for removals; neighboring members are cut together.

    In flow collections, the comma before a member goes with it, which restores the text before an insert. With `keep_commas`,
    that comma stays and the one behind it goes, which is valid in any style.
    """
    by_holder: dict[PathTuple, list[str | int]] = {}
    for edit in removes:
        by_holder.setdefault(edit.path[:-1], []).append(edit.path[-1])
    for path, steps in by_holder.items():
        nodes = trail(root, path)
        holder = nodes[-1]
        if not isinstance(holder, (Mapping, Sequence)) or len(nodes) <= len(path):
            raise BugError(f"nothing to remove from at {dotted(path)}")
        names: Iterable[str | int] = holder.pairs if isinstance(holder, Mapping) else range(len(holder.items))
        indices = {name: index for index, name in enumerate(names)}
        gone = sorted({indices[step] for step in steps})
        if len(gone) == len(indices) and not holder.flow:
            yield from _empty_collection(text, nodes)
        else:
            yield from _cuts(text, holder, gone, keep_commas=keep_commas)


def restore_splices(text: str, root: Node, edit: Restore) -> Iterator[Splice]:
    """Cut the members of a collection, or a scalar, and restore the text that was there before."""
    nodes = trail(root, edit.path)
    node = nodes[-1]
    place = value_offset(text, nodes) if len(nodes) > len(edit.path) else None
    if place is None:
        raise BugError(f"nothing to restore at {dotted(edit.path)}")
    if not isinstance(node, (Mapping, Sequence)):
        end = len(text[: node.end].rstrip("\r\n"))  # a block scalar ends behind its last line break
        yield _restore_inline(text, place, node.start, end, edit.text)
    elif node.flow:
        yield _restore_inline(text, place, node.start, node.end, edit.text)
    else:
        properties = text[node.start : properties_end(text, node)].split()
        if edit.text.strip()[:1] not in ("[", "{") and any(each.startswith("!") for each in properties):
            raise EditRefused(
                f"cannot restore the empty value of {dotted(edit.path)}: it has a tag", edit.path, hint="delete the tag"
            )
        yield from _replace_members(text, node, place, edit.text)


def _restore_inline(text: str, place: int, start: int, end: int, was: str) -> Splice:
    """Return the replacement of a value after its colon; comments between both that a person wrote since stay."""
    gap = text[place:start]
    if "#" in gap and not was.startswith(gap):
        place, was = start, was[skip_gap(was, 0) :]
    return Splice(place, end, was + blank_before_comment(text, end, was))


def _empty_collection(text: str, nodes: list[Node]) -> Iterator[Splice]:
    """Write `[]` or `{}` for a block collection that loses all its members."""
    node = nodes[-1]
    assert isinstance(node, (Mapping, Sequence))
    place = value_offset(text, nodes) if len(nodes) > 1 else None
    empty = "{}" if isinstance(node, Mapping) else "[]"
    if place is None:
        yield Splice(member_bounds(text, node)[0][0], node.end, empty)
    else:
        yield from _replace_members(text, node, place, f" {empty}")


def _replace_members(text: str, node: Mapping | Sequence, at: int, written: str) -> Iterator[Splice]:
    """Write a text at `at`, or after an anchor and tag, in place of all members of a block collection."""
    spans = member_bounds(text, node)
    first = spans[0][0]
    at = properties_end(text, node) if at <= node.start < first else at
    if first_on_line(text, first):
        yield Splice(at, at, written)
        yield from _line_cuts(text, spans, [(0, len(spans))])
    else:
        yield Splice(at, node.end, written)


def _cuts(text: str, holder: Mapping | Sequence, gone: list[int], *, keep_commas: bool) -> Iterator[Splice]:
    spans = member_bounds(text, holder)
    if holder.flow:
        check_pair(text, holder)
        last = last_nodes(text, holder)
        for first, after in _runs(gone):
            if keep_commas and first:
                yield _cut_with_next_comma(text, spans[first][0], spans[after - 1][1])
            else:
                yield from _flow_cut(text, spans, last, first, after)
    else:
        yield from _line_cuts(text, spans, _runs(gone))


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """Yield neighboring indices as ranges (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _line_cuts(text: str, spans: Bounds, runs: list[tuple[int, int]]) -> Iterator[Splice]:
    """Cut the lines of members; what is between two of them stays."""
    for first, after in runs:
        if not first_on_line(text, spans[first][0]):
            # The first member, on the line of its collection: the next member takes its place.
            end = spans[after][0] if after < len(spans) else spans[after - 1][1]
            yield Splice(spans[first][0], end, "")
            continue
        for start, end in spans[first:after]:
            yield Splice(line_start(text, start), next_line(text, end), "")


def _cut_with_next_comma(text: str, start: int, end: int) -> Splice:
    following = skip_gap(text, end)
    return Splice(start, following + 1 if text.startswith(",", following) else end, "")


def _flow_cut(text: str, spans: Bounds, last: Seq[Node], first: int, after: int) -> Iterator[Splice]:
    """Cut flow members with their comma: the one before them or, for the first members, the one after."""
    end = spans[after - 1][1]
    following = skip_gap(text, end)
    separated = text.startswith(",", following)
    if first == 0:
        if after < len(spans):
            yield Splice(spans[0][0], spans[after][0], "")
        else:
            yield Splice(spans[0][0], following + 1 if separated else end, "")
        return
    before, start = spans[first - 1][1], spans[first][0]
    sign = text.rfind("#", before, start)
    if sign < 0:
        if not separated and _needs_comma(text, last[first - 1], before, end):
            before = skip_gap(text, before) + 1
        yield Splice(before, end, " " if text.startswith("#", end) and _is_plain(last[first - 1]) else "")
        return
    # A comment between members stays, with the comma before them if another member follows.
    kept = line_end(text, sign)
    comma = skip_gap(text, before)
    if not separated:
        if comma < kept and text[comma - 1] != ":":  # before a blank, `a:` would be a key
            joined = text.startswith("#", comma + 1) and not text[comma - 1].isspace()
            blank = " " if joined and _is_plain(last[first - 1]) else ""
            yield Splice(comma, comma + 1, blank)
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


def merge_cuts(text: str, root: Node, cuts: Seq[Splice]) -> list[Splice]:
    """Join adjacent cuts; a cut of the last lines of a text without final line break includes the line break before them.

    Raises EditRefused if the text after a cut would become part of a block scalar before it.
    """
    out: list[Splice] = []
    for cut in sorted(cuts, key=lambda one: one.start):
        if out and cut.start <= out[-1].end:
            out[-1] = Splice(out[-1].start, max(out[-1].end, cut.end), "")
        else:
            out.append(cut)
    for index, cut in enumerate(out):
        if line_start(text, cut.end) == cut.end and (after := past_tabs(text, cut.end)) > cut.end:
            before_cut = _scalar_before(text, root, cut.start)
            if before_cut is None or before_cut.style:
                cut = out[index] = Splice(cut.start, after, "")
        if line_start(text, cut.start) == cut.start and (before := _block_scalar_before(text, root, cut.start)):
            out[index] = _check_after_block_scalar(text, before, cut, out)
        elif _takes_the_end(text, cut):
            out[index] = Splice(break_before(text, cut.start), cut.end, "")
    return out


def ends_in_block_scalar(text: str, root: Node | None) -> bool:
    """Return whether a text ends inside a block scalar without a line break, so that another line would change its
    value.
    """
    return has_final_break(text, root) and not BREAK.match(text, len(text) - 1)


def has_final_break(text: str, root: Node | None) -> bool:
    """Return whether a line break at the end of a text is part of a block scalar; of a blank line or empty one only with `+`."""
    before = None if root is None else _block_scalar_before(text, root, len(text))
    if before is None:
        return False
    chomping = keeps_blank_lines(text, before.start)
    if chomping is not None or before.value == "":
        return chomping is True
    end = break_before(text, len(text))
    last = text[line_start(text, end) : end]
    return len(last) > block_indent(text, before.start, before.end, str(before.value)) or bool(last.strip(" "))


def _takes_the_end(text: str, cut: Splice) -> bool:
    return cut.end == len(text) and not BREAK.match(text, len(text) - 1)


def _check_after_block_scalar(text: str, before: Scalar, cut: Splice, cuts: Seq[Splice]) -> Splice:
    """Check a cut of lines after a block scalar, which must not change the value of that scalar."""
    gone = {one.start: one.end for one in cuts}
    chomping = keeps_blank_lines(text, before.start)
    if _takes_the_end(text, cut):
        return Splice(break_before(text, cut.start), cut.end, "") if chomping is False else cut
    # An empty scalar has no indentation: the cut text is indented less than its own text would be.
    first = text[cut.start : line_end(text, cut.start)]
    indent = block_indent(text, before.start, before.end, str(before.value)) or len(first) - len(first.lstrip(" ")) + 1
    at = cut.start
    while at < len(text):
        if at in gone:
            at = gone[at]
            continue
        end = line_end(text, at)
        line = text[at:end]
        blank = not line.strip(" ")
        if blank and not before.value and chomping is not True:  # a scalar of blank lines only
            at = next_line(text, at)
            continue
        if len(line) - len(line.lstrip(" ")) >= indent + blank or (blank and chomping is True and end < len(text)):
            raise EditRefused(
                "cannot remove these lines: the next lines would become part of the block scalar above",
                (),
                hint="delete the blank line or comment after it",
            )
        if not blank:
            break
        at = next_line(text, at)
    return cut


def _block_scalar_before(text: str, node: Node, offset: int) -> Scalar | None:
    """Return the block scalar that ends before an offset, with only blank lines between."""
    found = _scalar_before(text, node, offset)
    return found if found is not None and found.style in ("|", ">") else None


def _scalar_before(text: str, node: Node, offset: int) -> Scalar | None:
    """Return the scalar in a block collection that ends before an offset, with only blank lines between."""
    while isinstance(node, (Mapping, Sequence)):
        members = [value for _, value in node.pairs.values()] if isinstance(node, Mapping) else node.items
        earlier = bisect_left(members, offset, key=lambda member: member.start)
        if node.flow or not earlier:
            return None
        node = members[earlier - 1]
    return node if isinstance(node, Scalar) and not text[node.end : offset].strip() else None
