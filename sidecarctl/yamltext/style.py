"""Detects how the text around a place is written (indentation, dashes, quotes), so that inserted text matches it."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.layout import entry_start, first_dash, member_starts
from sidecarctl.yamltext.lines import blanks_of_line, column, first_on_line, newline_of
from sidecarctl.yamltext.nodes import Mapping, Node, Scalar, Sequence, walk

_R = TypeVar("_R")
_BY_CONTENT = 2  # marshal format in which equal bytes mean equal data with the same key order
_MAX_BYTES = 1 << 14
_MAX_RESULTS = 1024


def cache_by_content(function: Callable[..., _R]) -> Callable[..., _R]:
    """Cache the results of a function whose first argument is plain data and whose other arguments are hashable.

    Results are shared and must not be changed. Large values and values of other classes are not cached.
    """

    @lru_cache(maxsize=_MAX_RESULTS)
    def known(content: bytes, *more: Any) -> _R:
        return function(marshal.loads(content), *more)

    @wraps(function)
    def remembering(value: Any, *more: Any) -> _R:
        try:
            content = marshal.dumps(value, _BY_CONTENT)
        except ValueError:
            return function(value, *more)
        return known(content, *more) if len(content) <= _MAX_BYTES else function(value, *more)

    return remembering


@dataclass(frozen=True)
class Style:
    """How block collections are written.

    step: columns per mapping level; offset: column of list dashes minus that of their key; gap: columns from a dash to
    its content. literal: whether `|` is allowed for text of several lines.
    """

    newline: str = "\n"
    step: int = 2
    offset: int = 0
    gap: int = 2
    literal: bool = True


@dataclass(frozen=True)
class FlowStyle:
    """How flow collections are written.

    json: double-quote keys and strings; colon and comma: with their spaces; spread: one member per line, indented by
    `lead`; nested: the same inside members, each level indented by `step` more.
    """

    json: bool = False
    colon: str = ": "
    comma: str = ", "
    newline: str = "\n"
    spread: bool = False
    nested: bool = False
    lead: str = ""
    step: str = "  "

    @property
    def between(self) -> str:
        """The separator after the comma between two members."""
        return self.newline + self.lead if self.spread else self.comma[1:]


def key_column(text: str, mapping: Mapping) -> int:
    """Return the column of the keys of a block mapping."""
    first, _ = next(iter(mapping.pairs.values()))
    return column(text, entry_start(text, first))


def block_style(text: str, trail: list[Node], values: list[Any], known: dict[str, int]) -> Style:
    """Return the style at a place; `trail` is the nodes from the root to the block collection that will hold `values`.

    The nearest example counts; the whole document is searched only if nothing near shows the style. `known` caches that
    search. Only what `values` need is searched for.
    """
    seen: dict[str, int] = {}
    for name in _needed(values):
        found = _seen_near(text, trail, _LOOKS[name])
        if found is None and name not in known:
            known[name] = _seen_anywhere(text, trail[0], _LOOKS[name], _DEFAULTS[name])
        seen[name] = known[name] if found is None else found
    return Style(newline_of(text, trail[-1].start), literal=True, **seen)


@cache_by_content
def _needed(values: list[Any]) -> frozenset[str]:
    """Return what the lines of values depend on: step for what is below keys, offset and gap for lists."""
    needed: set[str] = set()
    for value in values:
        _collect_needed(value, needed)
    return frozenset(needed)


def _collect_needed(value: Any, needed: set[str]) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            if isinstance(inner, list):
                needed.add("offset")
            elif isinstance(inner, dict) or (isinstance(inner, str) and "\n" in inner):
                needed.add("step")
            _collect_needed(inner, needed)
    elif isinstance(value, list) and value:
        needed.add("gap")
        for inner in value:
            _collect_needed(inner, needed)


def _seen_near(text: str, trail: list[Node], look: _Look) -> int | None:
    for depth in range(len(trail) - 1, -1, -1):
        for found in look(text, trail[depth], trail[depth - 1] if depth else None):
            return found
    return None


def _seen_anywhere(text: str, root: Node, look: _Look, default: int) -> int:
    for node in walk(root):
        if isinstance(node, (Mapping, Sequence)):
            for found in look(text, node, None):
                return found
    return default


# How to measure one property at a node: (text, node, its holder) -> columns.
_Look = Callable[[str, Node, "Node | None"], Iterator[int]]
_NEAR = 20  # number of list items to look at


def _steps(text: str, node: Node, _holder: Node | None = None) -> Iterator[int]:
    """Yield the columns between the keys of a block mapping and those of the mappings inside it."""
    if isinstance(node, Mapping) and not node.flow:
        for _, value in node.pairs.values():
            if isinstance(value, Mapping) and not value.flow:
                step = key_column(text, value) - key_column(text, node)
                if step > 0:
                    yield step
    elif isinstance(node, Sequence):
        for item in node.items[:_NEAR]:
            if isinstance(item, Mapping):
                yield from _steps(text, item)


def _offsets(text: str, node: Node, holder: Node | None = None) -> Iterator[int]:
    """Yield the columns between the keys of a block mapping and the dashes of its lists; for a list, its items come
    first.
    """
    lists: list[Node] = []
    if isinstance(node, Mapping) and not node.flow:
        holder, lists = node, [value for _, value in node.pairs.values()]
    elif isinstance(node, Sequence):
        lists = [node]
        for item in node.items[:_NEAR]:
            if isinstance(item, Mapping):
                yield from _offsets(text, item)
    if isinstance(holder, Mapping) and not holder.flow:
        for value in lists:
            if isinstance(value, Sequence) and not value.flow:
                offset = column(text, first_dash(text, value)) - key_column(text, holder)
                if offset >= 0:
                    yield offset


def _gaps(text: str, node: Node, _holder: Node | None = None) -> Iterator[int]:
    """Yield the columns between a dash and the mapping or scalar on the same line."""
    if isinstance(node, Mapping) and not node.flow:
        for _, value in node.pairs.values():
            if isinstance(value, Sequence):
                yield from _gaps(text, value)
    if isinstance(node, Sequence) and not node.flow:
        for item in node.items[:_NEAR]:
            gap = _gap_before(text, item.start)
            if gap > 1 and item.end > item.start and not isinstance(item, Sequence):
                yield gap


def _gap_before(text: str, offset: int) -> int:
    """Return the columns back to the dash before an offset, 0 if there is none."""
    at = offset
    while at and text[at - 1] == " ":
        at -= 1
    return offset - at + 1 if at and text[at - 1] == "-" else 0


_LOOKS: dict[str, _Look] = {"step": _steps, "offset": _offsets, "gap": _gaps}
_DEFAULTS = {"step": 2, "offset": 0, "gap": 2}


def flow_style(text: str, trail: list[Node]) -> FlowStyle:
    """Return the style of the flow collection at the end of a trail; an empty one is written like its surroundings."""
    flows = [node for node in trail if isinstance(node, (Mapping, Sequence)) and node.flow]
    outer, node = flows[0], flows[-1]
    starts = member_starts(node)
    own_lines = [start for start in starts if first_on_line(text, start)]
    spread, nested, step = bool(own_lines), bool(own_lines), _step(text, flows)
    lead = blanks_of_line(text, own_lines[0]) if own_lines else ""
    if own_lines:
        inner = [n for n in _members(node) if isinstance(n, (Mapping, Sequence)) and n.flow and member_starts(n)]
        nested = not inner or any(first_on_line(text, s) for n in inner for s in member_starts(n))
    elif not starts and len(flows) > 1:
        spread = nested = any(first_on_line(text, start) for start in member_starts(flows[-2])[:_NEAR])
        lead = blanks_of_line(text, node.start) + step
    json = _is_json(outer, outer is trail[0])
    tight = json and _gap(text, outer, ":") == ""
    comma = _gap(text, outer, ",")
    spaced = comma != "" if comma is not None else not tight
    return FlowStyle(
        json,
        ":" if tight else ": ",
        ", " if spaced else ",",
        newline_of(text, node.start),
        spread,
        nested,
        lead,
        step,
    )


def _gap(text: str, outer: Mapping | Sequence, sign: str) -> str | None:
    """Return the text after the first colon or comma of a flow collection or those inside it; None if there is none."""
    for node in walk(outer):
        if isinstance(node, Mapping) and sign == ":":
            between = [(key.end, value.start) for key, value in node.pairs.values()]
        elif isinstance(node, (Mapping, Sequence)) and sign == ",":
            starts = member_starts(node)
            between = list(zip((member.end for member in _members(node)), starts[1:]))
        else:
            continue
        for end, start in between:
            found = text.find(sign, end, start)
            if found >= 0:
                return text[found + 1 : start]
    return None


def _members(node: Mapping | Sequence) -> list[Node]:
    return [value for _, value in node.pairs.values()] if isinstance(node, Mapping) else node.items


def _step(text: str, flows: list[Mapping | Sequence]) -> str:
    """Return the spaces that one level of a spread flow collection adds."""
    for node in reversed(flows):
        outer = blanks_of_line(text, node.start)
        for start in member_starts(node)[:_NEAR]:
            if first_on_line(text, start):
                inner = blanks_of_line(text, start)
                if len(inner) > len(outer) and inner.startswith(outer):
                    return inner[len(outer) :]
    return "  "


def _is_json(outer: Mapping | Sequence, whole_document: bool) -> bool:
    """Return whether an outermost flow collection quotes its keys as JSON does; without keys, whether it quotes its
    strings.
    """
    strings: list[bool] = []
    for node in walk(outer):
        if isinstance(node, Mapping) and node.flow and node.pairs:
            return all(getattr(key, "style", "") == '"' for key, _ in node.pairs.values())
        if isinstance(node, Scalar) and isinstance(node.value, str):
            strings.append(node.style == '"')
    return all(strings) if strings else whole_document
