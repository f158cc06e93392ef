"""Read and write a KRM ResourceList, with its items as separate documents.

Items of a block list are cut out of the text and moved to column 0, so comments and unchanged items are kept. If that is
impossible (JSON, or an alias that crosses items), items are rewritten from their data.

Format: https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sidecarctl.errors import BugError, InputError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.report.terminal import visible
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert, identical
from sidecarctl.yamltext.errors import LimitProblem
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import last
from sidecarctl.yamltext.stream import Document, join, split

KIND = "ResourceList"
VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1")
STREAM = "standard input"

_ITEMS = re.compile(r"^items:[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
_FIRST = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-(?= )")
# The items end at the first text in column 0 other than a dash, a comment, or an empty line.
_AFTER = re.compile(r"^(?![ #\r\n]|-[ \r\n]|\Z)", re.MULTILINE)
_SEPARATOR = re.compile(r"---[ \t\r]*(?:#.*)?\n")
# No scalar can contain these markers in column 0, so the first one ends the document.
_DOCUMENT_END = re.compile(r"^(?:\.\.\.|---)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_HINT = "kustomize and kpt send a ResourceList to `sidecarctl krm`; for manifests, use `sidecarctl render`"


@dataclass(frozen=True)
class ItemText:
    """The text of one item in the list, starting at its dash. `column` is the column of its content."""

    raw: str
    column: int


@dataclass(frozen=True)
class ResourceList:
    """A parsed ResourceList. `rest` is its data without the items.

    `head`, `item_texts`, and `tail` are its text. `item_texts` is None if the text cannot be cut into items.
    """

    text: str
    rest: Mapping[str, Any]
    items: tuple[Document, ...]
    head: str = ""
    item_texts: tuple[ItemText, ...] | None = None
    dash: int = 0
    tail: str = ""
    newline: str = field(default="\n")

    @property
    def function_config(self) -> object:
        """The functionConfig, or None."""
        return self.rest.get("functionConfig")


def item_name(index: int) -> str:
    """Return the file name that findings use for an item."""
    return f"items[{index}]"


def item_index(file: str) -> int | None:
    """Return the item number in the file name of a finding, or None."""
    found = re.fullmatch(r"items\[(\d+)\]", file)
    return int(found[1]) if found else None


def read(text: str) -> ResourceList:
    """Return the ResourceList in a text. Raise InputError for anything else, including truncated input."""
    if not text.strip("\ufeff \t\r\n"):
        raise InputError("empty input, expected a ResourceList", where=STREAM, hint=_HINT)
    documents = _split_documents(text)
    if not documents:
        raise InputError("no document in input, expected a ResourceList", where=STREAM, hint=_HINT)
    if len(documents) > 1:
        raise InputError(f"expected one ResourceList, got {len(documents)} documents", where=STREAM, hint=_HINT)
    return _slice(text, documents[0]) or _read_data(text, documents[0])


def _split_documents(text: str) -> list[Document]:
    return [document for document in split(text, STREAM) if document.text.strip()]


def _read_data(text: str, document: Document) -> ResourceList:
    """Read the list from its data."""
    value = document.value
    rest = _check_list(value)
    assert isinstance(value, dict)
    items = [
        Document("---\n" if index else "", emit.document(item), 0, item_name(index), index)
        for index, item in enumerate(_check_items(value.get("items"), document))
    ]
    return ResourceList(text, rest, tuple(items))


def _check_list(value: object) -> dict[str, Any]:
    """Return the list without its items. Raise InputError unless it is a ResourceList of a supported version."""
    if not isinstance(value, dict):
        raise InputError("input is not an object, expected a ResourceList", where=STREAM, hint=_HINT)
    kind, version = value.get("kind"), value.get("apiVersion")
    if kind != KIND:
        raise InputError(f"expected kind ResourceList, got {kind}", where=STREAM, hint=_HINT)
    if version not in VERSIONS:
        known = f"supported versions: {', '.join(VERSIONS)}"
        raise InputError(
            f'unsupported ResourceList apiVersion "{version}"',
            where=STREAM,
            hint=did_you_mean(str(version), VERSIONS) or known,
        )
    if "items" not in value:
        raise InputError("missing required field: items", where=STREAM, hint="add `items: []` for an empty list")
    if not isinstance(value.get("results") or [], list):
        raise InputError("results: expected a list", where=STREAM, hint="remove results: the function writes them")
    return {key: part for key, part in value.items() if key != "items"}


def _check_items(items: object, document: Document) -> Iterator[Mapping[str, Any]]:
    if items is None:
        return
    if not isinstance(items, list):
        raise InputError("items: expected a list", where=str(document.locate(("items",))), hint=_HINT)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(
                f"items[{index}]: expected an object", where=str(document.locate(("items", index))), hint=_HINT
            )
        yield item


class _CannotSlice(Exception):
    """The text cannot be cut into items."""


def _slice(text: str, whole: Document) -> ResourceList | None:
    """Return the list with its items cut from the text, or None if that is impossible or would change their meaning."""
    key = _ITEMS.search(text)
    first = _FIRST.match(text, key.end()) if key else None
    if key is None or first is None:
        return None
    after = _AFTER.search(text, first.start(1))
    start, end = first.start(1), after.start() if after else len(text)
    head, tail = text[:start], text[end:]
    dash = len(first[1])
    try:
        rest = _read_rest(head[: key.start()] + "items: []\n" + tail)
        item_texts = _split_items(text[start:end], dash)
        documents = [
            Document("---\n" if index else "", _dedent(item_text), 0, item_name(index), index)
            for index, item_text in enumerate(item_texts)
        ]
        if not all(isinstance(document.value, dict) for document in documents):
            return None
        value = whole.value
        if not isinstance(value, dict) or not identical(value.get("items"), [document.value for document in documents]):
            return None
    except (_CannotSlice, InputError):
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    return ResourceList(text, rest, tuple(documents), head, tuple(item_texts), dash, tail, newline)


def _read_rest(text: str) -> dict[str, Any]:
    body = text.removeprefix("\ufeff")
    separator = _SEPARATOR.match(body)
    documents = _split_documents(body[separator.end() :] if separator else body)
    if len(documents) != 1:
        raise _CannotSlice
    return _check_list(documents[0].value)


def _split_items(text: str, dash: int) -> list[ItemText]:
    starts = [found.start() for found in re.finditer(rf"^ {{{dash}}}-(?=[ \r\n])", text, re.MULTILINE)]
    out = []
    for start, end in pairwise([*starts, len(text)]):
        raw = text[start:end]
        content = re.compile(r" *-( +)(?=\S)").match(raw)
        if content is None:
            raise _CannotSlice
        out.append(ItemText(raw, dash + 1 + len(content[1])))
    return out


def _dedent(item_text: ItemText) -> str:
    """Return the text of an item, moved to column 0."""
    if item_text.raw.find("\n") == len(item_text.raw) - 1:
        return item_text.raw[item_text.column :]
    blanks = " " * item_text.column
    out = []
    for line in (blanks + item_text.raw[item_text.column :]).split("\n"):
        if line.startswith(blanks):
            out.append(line[item_text.column :])
        else:
            bare = line.lstrip(" ")
            if bare.rstrip("\r") and not bare.startswith("#"):
                raise _CannotSlice
            out.append(bare)
    return "\n".join(out)


def _indent(text: str, dash: int, column: int) -> str:
    """Return the text of a document, indented as an item."""
    blanks = " " * column
    body = "\n".join(blanks + line if line.rstrip("\r") else line for line in text.split("\n"))
    return " " * dash + "-" + " " * (column - dash - 1) + body[column:]


def write(original: ResourceList, documents: Sequence[Document] | None, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the list with new items (None: unchanged) and results.

    Raise InputError if it exceeds a limit of documents, BugError if it is not written correctly.
    """
    if documents is None and not results:
        return original.text
    results = _shown(results)
    wanted = _value(original, documents, results)
    if original.item_texts is not None and documents != []:
        if _holds(text := _write_text(original, documents, results), wanted):
            return text
    # For example, a line break after a block scalar at the end of the input would change its value.
    text = emit.document(wanted)
    try:
        root = parse(text)
    except LimitProblem as problem:
        raise InputError(f"the result exceeds a limit: {problem.message}", hint=problem.hint) from None
    if root is None or not identical(root.value, wanted):
        raise BugError("written ResourceList differs from its data")
    return text


def _write_text(
    original: ResourceList, documents: Sequence[Document] | None, results: Sequence[Mapping[str, Any]]
) -> str:
    """Return the text with new items, and with the results behind existing ones, else at the end of the document."""
    items = original.text[len(original.head) : len(original.text) - len(original.tail)]
    body = original.head + (items if documents is None else _write_items(original, documents))
    if not results:
        return body + original.tail
    if "results" in original.rest:
        return _append_results(body + original.tail, len(original.rest["results"] or ()), results)
    marker = _DOCUMENT_END.search(original.tail)
    end = marker.start() if marker else len(original.tail)
    body += original.tail[:end]
    if not body.endswith("\n"):
        body += original.newline
    return body + emit.document({"results": list(results)}, original.newline) + original.tail[end:]


def _append_results(text: str, before: int, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a list with more results; "" if there is no place for them."""
    edits = [Insert(("results", before), dict(each)) for each in results]  # places in the list before the edits
    try:
        return join(each.edit(edits, last) if each.text.strip() else each for each in split(text, STREAM))
    except EditRefused:
        return ""


def _holds(text: str, value: object) -> bool:
    """Return True if a text is one document with a value."""
    try:
        found = [document.value for document in _split_documents(text)]
    except InputError:
        return False
    return len(found) == 1 and identical(found[0], value)


def _value(
    original: ResourceList, documents: Sequence[Document] | None, results: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the data of the list with new items (None: unchanged) and results."""
    items = [document.value for document in (original.items if documents is None else documents)]
    first = {key: original.rest[key] for key in ("apiVersion", "kind")}
    rest = {key: part for key, part in original.rest.items() if key not in (*first, "results")}
    all_results = [*(original.rest.get("results") or ()), *results]
    return {**first, "items": items, **rest, **({"results": all_results} if all_results else {})}


def _write_items(original: ResourceList, documents: Sequence[Document]) -> str:
    assert original.item_texts is not None
    same = {id(document): item_text for document, item_text in zip(original.items, original.item_texts)}
    last = len(documents) - 1
    column = original.item_texts[0].column
    parts = []
    for number, document in enumerate(documents):
        item_text = same.get(id(document))
        raw = item_text.raw if item_text else _indent(document.text, original.dash, column)
        if not raw.endswith("\n") and (number < last or original.tail):
            raw += original.newline
        parts.append(raw)
    text = "".join(parts)
    _verify_items(text, original.dash, documents)
    return text


def _verify_items(text: str, dash: int, documents: Sequence[Document]) -> None:
    """Check that cutting the written items again yields the documents, which are verified already."""
    try:
        found = [_dedent(item_text) for item_text in _split_items(text, dash)]
    except _CannotSlice:
        found = []
    if [one.rstrip() for one in found] != [document.text.rstrip() for document in documents]:
        raise BugError("written ResourceList items differ from their documents")


def write_error(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a ResourceList without items, for a run that could not read its input."""
    return emit.document({"apiVersion": VERSIONS[0], "kind": KIND, "items": [], "results": _shown(results)})


def _shown(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return results for people to read: their messages have no characters that control a terminal."""
    return [{**each, "message": visible(each["message"], keep="\n")} for each in results]
