"""Parses the text of one document to nodes with positions, from the parser's events.

libyaml defines the grammar, as for the API server's reader. Keys, merge keys, tags, and aliases follow that reader.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sidecarctl import limits
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext import scalars
from sidecarctl.yamltext.errors import LimitProblem, SyntaxProblem, explain_error, json_error, no_document
from sidecarctl.yamltext.layout import block_scalar_end, missing_value_offset, properties_start
from sidecarctl.yamltext.lines import BREAK, Lines
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, is_longer

if TYPE_CHECKING:
    from sidecarctl.yamltext.events import EventSource

__all__ = ["BREAK", "Lines", "SyntaxProblem", "parse"]

_VALUES = frozenset(("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"))
_MERGE = "<<"
_MERGE_TAG = "tag:yaml.org,2002:merge"
_PROPERTIES = lazy_pattern(r"(?:[&!]\S*\s+)+")


def parse(text: str, *, last_wins: bool = False, values: limits.Limit = limits.VALUES) -> Node | None:
    """Return the root node of the one document in `text`, None if it has only blank lines and comments.

    last_wins  of duplicate keys, the last one counts, instead of an error
    values     the limit on the number of values

    Raises SyntaxProblem for invalid YAML, a duplicate key, an unknown alias, a key that JSON cannot have, or a second document,
    and LimitProblem, one of them, for nesting deeper than limits.DEPTH, too many values, aliases that expand to more than
    limits.ALIASED values, and more than limits.DOCUMENT characters (aliases expanded).
    """
    if text.startswith("\ufeff"):
        return _parse_after_mark(text, last_wins, values)
    most = limits.DOCUMENT.value
    if len(text) > most:
        raise LimitProblem(f"the document has more than {most:,} characters", 0, hint=limits.DOCUMENT.way_out)
    from sidecarctl.yamltext import events  # imports ruamel.yaml

    source = events.EventSource.of(text)
    while True:
        try:
            return _compose(text, source, last_wins, values)
        except events.YAMLError as problem:
            other = source.retry(problem)
            if other is None:
                raise explain_error(problem, text) from None
            source = other
        except RecursionError:  # of the pure parser
            raise _too_deep(0) from None


def _compose(text: str, source: EventSource, last_wins: bool, values: limits.Limit) -> Node | None:
    from sidecarctl.yamltext import events

    max_depth, max_aliased = limits.DEPTH.value, limits.ALIASED.value
    if max_depth > limits.DEPTH.default:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + 4 * max_depth))
    following, meant = source.events(), source.meant
    if len(text) > values.value:  # a shorter text cannot hold that many values
        following = _limit_events(following, values)
    resolve = scalars.resolve
    scalar_event, alias_event = events.ScalarEvent, events.AliasEvent
    mapping_start, sequence_start = events.MappingStartEvent, events.SequenceStartEvent
    mapping_end, sequence_end = events.MappingEndEvent, events.SequenceEndEvent
    anchors: dict[str, tuple[Node, int]] = {}
    documents = expanded = 0
    # The collection being read, its pending key, and the number of values in it; `around` is a stack of outer ones.
    mapping: Mapping | None = None
    sequence: Sequence | None = None
    key: Node | None = None
    count = 0
    around: list[tuple[Mapping | None, Sequence | None, Node | None, int]] = []
    node: Node | None = None
    while True:
        event = following()
        kind = type(event)
        if kind is scalar_event:
            start = event.start_mark.index
            end = event.end_mark.index
            style = event.style
            value = event.value if meant is None else event.value.translate(meant)
            anchor = event.anchor
            if not style and event.ctag is None:
                if start == end and key is not None and anchor is None:
                    start = end = missing_value_offset(text, key, mapping is not None and mapping.flow)
                try:
                    node = Scalar(start, end, resolve(value), "", anchor)
                except ValueError as problem:
                    if mapping is None or key is not None:
                        raise json_error(str(problem), text, start, value) from None
                    node = Scalar(start, end, scalars.key_text(scalars.plain(value)), "", anchor)
            else:
                if style == "|" or style == ">":
                    end = block_scalar_end(text, start, end, value)
                if anchor is not None and event.ctag is not None:
                    start = properties_start(text, start)
                node = Scalar(start, end, value, style or "", anchor)
                if event.ctag is not None:
                    _apply_tag(node, str(event.ctag))
            count += 1
            if anchor is not None:
                anchors[anchor] = (node, 1)
        elif kind is mapping_end or kind is sequence_end:
            ended = mapping if kind is mapping_end else sequence
            assert ended is not None
            # A block collection ends where its last child does.
            ended.end = event.end_mark.index if ended.flow or node is None else node.end
            if mapping is not None and mapping.merges:
                _merge(mapping)
            if ended.anchor is not None:
                anchors[ended.anchor] = (ended, count)
            node = ended
            mapping, sequence, key, outer = around.pop()
            count += outer
        elif kind is mapping_start or kind is sequence_start:
            start = event.start_mark.index
            anchor = event.anchor
            if len(around) >= max_depth:
                raise _too_deep(start)
            if anchor is not None and event.ctag is not None:
                start = properties_start(text, start)
            around.append((mapping, sequence, key, count))
            if kind is mapping_start:
                mapping, sequence = Mapping(start, start, {}, bool(event.flow_style), anchor), None
            else:
                mapping, sequence = None, Sequence(start, start, [], bool(event.flow_style), anchor)
            if anchor is not None:
                opened = mapping or sequence
                assert opened is not None
                anchors[anchor] = (opened, 0)
            key, count = None, 1
            continue
        elif kind is alias_event:
            node, size = _alias(event, anchors)
            count += size
            expanded += size
            if expanded > max_aliased:
                raise _too_many("aliases expand to", limits.ALIASED, node.start, "write fewer values as aliases; ")
        elif kind is events.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise no_document(text, event.start_mark.index)
            continue
        elif kind is events.StreamEndEvent:
            if anchors and node is not None:
                _check_length(node)
            return node
        else:
            continue
        # A node is complete: a value, a key, an item, or the root.
        if mapping is not None:
            if key is None:
                key = node
                continue
            name = key.value
            if type(name) is not str or name == _MERGE:
                name = _key_name(mapping, key, text)
            if name in mapping.pairs and not last_wins:
                raise _duplicate_key(name, key, mapping.pairs[name][0])
            mapping.pairs[name] = (key, node)
            mapping.value[name] = node.value
            key = None
        elif sequence is not None:
            sequence.items.append(node)
            sequence.value.append(node.value)


def _too_deep(offset: int) -> LimitProblem:
    hint = f"Kubernetes objects do not nest this deep; {limits.DEPTH.way_out}"
    return LimitProblem(f"nested deeper than {limits.DEPTH.value} levels", offset, hint=hint)


def _too_many(what: str, limit: limits.Limit, offset: int, way_out: str = "") -> LimitProblem:
    return LimitProblem(f"{what} more than {limit.value:,} values", offset, hint=way_out + limit.way_out)


def _check_length(root: Node) -> None:
    """Raise LimitProblem if the aliases of a document expand to too many characters."""
    most = limits.DOCUMENT.value
    if is_longer(root.value, most):
        hint = f"remove aliases of long values; {limits.DOCUMENT.way_out}"
        raise LimitProblem(f"aliases expand to more than {most:,} characters", root.start, hint=hint)


def _limit_events(following: Callable[[], Any], limit: limits.Limit) -> Callable[[], Any]:
    """Return the same events, and raise LimitProblem when there are too many."""
    numbers, most = itertools.count(), limit.value

    def counted() -> Any:
        event = following()
        if type(event).__name__ in _VALUES and next(numbers) >= most:
            raise _too_many("the document has", limit, int(event.start_mark.index))
        return event

    return counted


def _duplicate_key(name: str, key: Node, first: Node) -> SyntaxProblem:
    message = f'duplicate key "{name}"'
    if name == _MERGE:
        return SyntaxProblem(message, key.start, hint="merge both in one list: `<<: [*a, *b]`", other=first.start)
    return SyntaxProblem(message, key.start, hint="keep one of them", other=first.start, content=name)


def _apply_tag(node: Scalar, tag: str) -> None:
    node.tag, text = tag, str(node.value)
    try:
        node.value = scalars.resolve_tagged(node.value, tag)
    except ValueError as problem:
        hint = "delete the tag, or quote the value"
        raise SyntaxProblem(str(problem), node.start, hint=hint, content=text) from None


def _alias(event: Any, anchors: dict[str, tuple[Node, int]]) -> tuple[Alias, int]:
    """Return the node of an alias, and the number of values that it expands to."""
    name, start = str(event.anchor), int(event.start_mark.index)
    found = anchors.get(name)
    if found is None:
        raise SyntaxProblem(
            f"undefined alias *{name}",
            start,
            hint=f"define &{name} earlier in the same document, or quote the value if it is not an alias",
            content=name,
        )
    target, size = found
    if size == 0:
        message, hint = f"recursive alias *{name}: its value contains the alias", "write the value in full"
        raise SyntaxProblem(message, start, hint=hint, content=name)
    return Alias(start, int(event.end_mark.index), target.value, name, target), size


def _key_name(mapping: Mapping, key: Node, text: str) -> str:
    """Return the string that JSON gets for a key that is not a plain string; note merge keys."""
    source = key.target if isinstance(key, Alias) else key
    if not isinstance(source, Scalar):
        kind = "mapping" if isinstance(source, Mapping) else "list"
        raise json_error(f"invalid key: expected a string, got a {kind}", text, key.start)
    if source.value == _MERGE:
        if source is key and source.tag in (None, _MERGE_TAG) and (source.style == "" or source.tag):
            mapping.merges = True
        return _MERGE
    if type(source.value) is str:
        return source.value
    value = source.value
    if source.tag is None:
        written = text[source.start : source.end]
        properties = _PROPERTIES.match(written)
        value = scalars.plain(written[properties.end() :] if properties else written)
    try:
        return scalars.key_text(value)
    except ValueError as problem:
        raise json_error(str(problem), text, key.start, content=str(value)) from None


def _merge(mapping: Mapping) -> None:
    """Apply the merge key as the API server's reader does: at its position among the keys, later keys win.

    Of several mappings merged at once, the first that has a key gives its value.
    """
    source = mapping.pairs[_MERGE][1]
    parts = source.items if isinstance(source, Sequence) else [source]
    own = dict(mapping.value)
    mapping.value.clear()
    for name, value in own.items():
        if name != _MERGE:
            mapping.value[name] = value
            continue
        for part in reversed(parts):
            if not isinstance(part.value, dict):
                raise SyntaxProblem(
                    "invalid merge key: expected a mapping or a list of mappings",
                    part.start,
                    hint='quote the key if it is not a merge key: "<<"',
                )
            mapping.value.update(part.value)


def _parse_after_mark(text: str, last_wins: bool, values: limits.Limit) -> Node | None:
    """Parse the text after a byte order mark, and shift all positions by one."""
    try:
        root = parse(text[1:], last_wins=last_wins, values=values)
    except SyntaxProblem as problem:
        problem.offset += 1
        problem.other = None if problem.other is None else problem.other + 1
        raise
    pending = [] if root is None else [root]
    while pending:
        node = pending.pop()
        node.start += 1
        node.end += 1
        if isinstance(node, Mapping):
            pending.extend(part for pair in node.pairs.values() for part in pair)
        elif isinstance(node, Sequence):
            pending.extend(node.items)
    return root
