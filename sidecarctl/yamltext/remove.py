"""Turns removals into text replacements. Removing what was inserted restores the original bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Set
from collections.abc import Mapping as Map
from collections.abc import Sequence as Seq
from types import MappingProxyType

from sidecarctl.errors import BugError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.edits import EditRefused, Remove, Restore, dotted
from sidecarctl.yamltext.layout import (
    Bounds,
    block_indent,
    comment_stays,
    content_offset,
    keeps_blank_lines,
    member_bounds,
    member_runs,
    properties_end,
    value_offset,
)
from sidecarctl.yamltext.lines import (
    BREAK,
    Splice,
    apply_splices,
    blank_before_comment,
    blanks_start,
    break_before,
    first_on_line,
    line_end,
    line_start,
    next_line,
    past_tabs,
    skip_gap,
)
from sidecarctl.yamltext.nodes import Mapping, Node, Scalar, Sequence, steps_of, trail

_COMMENT = lazy_pattern(r"(?<!\S)#")


def removal_splices(text: str, root: Node, removes: Seq[Remove], *, keep_commas: bool = False) -> Iterator[Splice]:
    """Yield the cuts for removals; neighboring members are cut together.

    In flow collections, the comma before a member goes with it, which restores the text before an insert. With `keep_commas`,
    that comma stays and the one behind it goes, which is valid in any style.
    """
    by_holder: dict[PathTuple, dict[str | int, bool]] = {}
    for edit in removes:
        by_holder.setdefault(edit.path[:-1], {})[edit.path[-1]] = edit.keep_comments
    for path, steps in by_holder.items():
        nodes = trail(root, path)
        holder = nodes[-1]
        if not isinstance(holder, (Mapping, Sequence)) or len(nodes) <= len(path):
            raise BugError(f"nothing to remove from at {dotted(path)}")
        indices: dict[str | int, int] = {step: index for index, step in enumerate(steps_of(holder))}
        gone = sorted(indices[step] for step in steps)
        if holder.flow:
            from sidecarctl.yamltext.remove_flow import flow_cuts

            yield from flow_cuts(text, holder, gone, keep_commas=keep_commas)
        elif len(gone) == len(indices):
            yield from _empty_collection(text, nodes)
        else:
            noted = [indices[step] for step, keep_comments in steps.items() if keep_comments]
            contents = {
                index: content_offset(text, holder.items[index]) for index in noted if isinstance(holder, Sequence)
            }
            yield from _line_cuts(text, member_bounds(text, holder), member_runs(gone), contents)


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
        cuts = _cuts_around_own_text(text, place, node, edit)
        if cuts is None:
            yield _restore_inline(text, place, node.start, node.end, edit.text)
        else:
            yield from cuts
    else:
        properties = text[node.start : properties_end(text, node)].split()
        if edit.text.strip()[:1] not in ("[", "{") and any(each.startswith("!") for each in properties):
            raise EditRefused(
                f"cannot restore the empty value of {dotted(edit.path)}: it has a tag", edit.path, hint="delete the tag"
            )
        yield from _replace_members(text, node, place, edit.text)


def _cuts_around_own_text(text: str, place: int, node: Mapping | Sequence, edit: Restore) -> list[Splice] | None:
    """Return the cuts of all members of a flow collection if a person changed what is around them since it was empty, else None.

    That can be a comment. Blanks and line breaks do not count.
    """
    from sidecarctl.yamltext.remove_flow import flow_cuts

    if edit.value != ({} if isinstance(node, Mapping) else []):
        return None
    cuts = list(flow_cuts(text, node, range(len(steps_of(node))), keep_commas=False))
    shifted = [Splice(one.start - place, one.end - place, one.text) for one in cuts]
    left = apply_splices(text[place : node.end], shifted)
    return None if "".join(left.split()) == "".join(edit.text.split()) else cuts


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


def _line_cuts(
    text: str, spans: Bounds, runs: list[tuple[int, int]], contents: Map[int, int] = MappingProxyType({})
) -> Iterator[Splice]:
    """Cut the lines of members; what is between two of them stays, and so do comments before the `contents` of items."""
    for first, after in runs:
        start = first
        if first == 0 and not first_on_line(text, spans[0][0]):
            start = _behind_first_line(text, spans, after)
            yield _first_line_cut(text, spans[0][0], spans[start - 1][1], spans[start][0])
        for index in range(start, after):
            begin, end = spans[index]
            at = yield from _cuts_beside_comments(text, begin, contents.get(index, begin))
            yield Splice(at, next_line(text, end), "")


def _cuts_beside_comments(text: str, dash: int, content: int) -> Generator[Splice, None, int]:
    """Cut the lines from a dash to the content of its item, except for their comments. Return where the line of the content starts.

    The comments stay at the column of the dash: further to the right, they could be part of a block scalar before them.
    """
    at = line_start(text, dash)
    margin = dash - at
    while (after := next_line(text, at)) <= content:
        sign = _COMMENT.search(text, max(at, dash), after)
        yield Splice(min(at + margin, sign.start()), sign.start(), "") if sign else Splice(at, after, "")
        at = after
    return at


def _behind_first_line(text: str, spans: Bounds, after: int) -> int:
    """Return the index of the first of the members 1 to `after` that has a comment before it that stays, else `after`."""
    between = (index for index in range(1, after) if comment_stays(text, spans[index - 1][1], spans[index][0]))
    return next(between, after)


def _first_line_cut(text: str, start: int, end: int, following: int) -> Splice:
    """Cut first members on the line of their collection: the next member takes their place, or the comments before it do."""
    if comment_stays(text, end, following):
        return Splice(blanks_start(text, start), line_end(text, end), "")
    return Splice(start, following, "")


def merge_cuts(text: str, root: Node, cuts: Seq[Splice], before_tabs: Set[int]) -> list[Splice]:
    """Join adjacent cuts; a cut of the last lines of a text without final line break includes the line break before them.

    Lines of tabs behind a cut go with it, except for cuts in whose place a plain scalar is restored: `before_tabs` has their ends.
    Raises EditRefused if the text after a cut would become part of a block scalar before it.
    """
    out: list[Splice] = []
    for cut in sorted(cuts, key=lambda one: one.start):
        if out and cut.start <= out[-1].end:
            out[-1] = Splice(out[-1].start, max(out[-1].end, cut.end), "")
        else:
            out.append(cut)
    for index, cut in enumerate(out):
        followed = cut.end not in before_tabs and line_start(text, cut.end) == cut.end
        if followed and (after := past_tabs(text, cut.end)) > cut.end:
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
