"""A ResourceList as text: its items as documents of their own, and back. Knows the wire format, no sidecar.

The items of a block list are cut out of the text and moved to column 0, so that the stair sees them as it sees files:
comments stay, and an item that nothing was done to goes out as it came in. Where a text can't be cut so (JSON, an alias that
leads from one item into another), the items are written anew from what they mean.

The format: https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sidecarctl.errors import BugError, InputError, did_you_mean
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document, split

KIND = "ResourceList"
VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1")
STREAM = "standard input"

_ITEMS = re.compile(r"^items:[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
_FIRST = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-(?= )")
# What ends the items: anything at column 0 but a dash, a comment or an empty line.
_AFTER = re.compile(r"^(?![ #\r\n]|-[ \r\n]|\Z)", re.MULTILINE)
_SEPARATOR = re.compile(r"---[ \t\r]*(?:#.*)?\n")
_HINT = "krm is run by kustomize or kpt, which hand it a ResourceList; for manifests use `sidecarctl render`"


@dataclass(frozen=True)
class Piece:
    """The text of one item as it stands in the list, from its dash on; `column` is where its content begins."""

    raw: str
    column: int


@dataclass(frozen=True)
class ResourceList:
    """A ResourceList that was read. `rest` is everything but the items, as data.

    `head`, `pieces` and `tail` are its text; `pieces` is None where the text could not be cut.
    """

    text: str
    rest: Mapping[str, Any]
    items: tuple[Document, ...]
    head: str = ""
    pieces: tuple[Piece, ...] | None = None
    dash: int = 0
    tail: str = ""
    newline: str = field(default="\n")

    @property
    def function_config(self) -> object:
        """The functionConfig, None where there is none."""
        return self.rest.get("functionConfig")


def item_name(index: int) -> str:
    """Return what findings call the file of an item, by its number."""
    return f"items[{index}]"


def item_index(file: str) -> int | None:
    """Return the number of the item that a finding's file names, None where it names none."""
    found = re.fullmatch(r"items\[(\d+)\]", file)
    return int(found[1]) if found else None


def read(text: str) -> ResourceList:
    """Return the ResourceList in a text. Raises InputError for anything else, and for a stream that breaks off."""
    if not text.strip("\ufeff \t\r\n"):
        raise InputError("nothing came in", where=STREAM, hint=_HINT)
    documents = [one for one in split(text, STREAM) if one.text.strip()]
    if not documents:
        raise InputError("nothing but a separator came in", where=STREAM, hint=_HINT)
    if len(documents) > 1:
        raise InputError(f"{len(documents)} documents came in where one ResourceList belongs", where=STREAM, hint=_HINT)
    return _cut(text, documents[0]) or _whole(text, documents[0])


def _whole(text: str, document: Document) -> ResourceList:
    """Read the list from its data."""
    value = document.value
    rest = _checked(value)
    assert isinstance(value, dict)
    items = [
        Document("---\n" if index else "", emit.document(item), 0, item_name(index), index)
        for index, item in enumerate(_objects(value.get("items"), document))
    ]
    return ResourceList(text, rest, tuple(items))


def _checked(value: object) -> dict[str, Any]:
    """The list without its items. Raises InputError where it is no ResourceList of a known version."""
    if not isinstance(value, dict):
        raise InputError("what came in is no object", where=STREAM, hint=_HINT)
    kind, version = value.get("kind"), value.get("apiVersion")
    if kind != KIND:
        raise InputError(f"what came in is of the kind {kind}, not a ResourceList", where=STREAM, hint=_HINT)
    if version not in VERSIONS:
        known = f"known are {', '.join(VERSIONS)}"
        raise InputError(
            f"a ResourceList of the apiVersion {version} came in",
            where=STREAM,
            hint=did_you_mean(str(version), VERSIONS) or known,
        )
    if "items" not in value:
        raise InputError(
            "the ResourceList has no `items`", where=STREAM, hint="`items` must be there; an empty list is allowed"
        )
    return {key: part for key, part in value.items() if key != "items"}


def _objects(items: object, document: Document) -> Iterator[Mapping[str, Any]]:
    if items is None:
        return
    if not isinstance(items, list):
        raise InputError("`items` is no list", where=str(document.locate(("items",))), hint=_HINT)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(f"item {index} is no object", where=str(document.locate(("items", index))), hint=_HINT)
        yield item


# ---- cutting -----------------------------------------------------------------------------------------------------


class _Uncut(Exception):
    """A text that is to be read whole."""


def _cut(text: str, whole: Document) -> ResourceList | None:
    """The list with its items cut out, None where that can't be done, would change what they mean, or something is wrong."""
    key = _ITEMS.search(text)
    first = _FIRST.match(text, key.end()) if key else None
    if key is None or first is None:
        return None
    after = _AFTER.search(text, first.start(1))
    start, end = first.start(1), after.start() if after else len(text)
    head, tail = text[:start], text[end:]
    dash = len(first[1])
    try:
        rest = _rest(head[: key.start()] + "items: []\n" + tail)
        pieces = _pieces(text[start:end], dash)
        documents = [
            Document("---\n" if index else "", _outdented(piece), 0, item_name(index), index)
            for index, piece in enumerate(pieces)
        ]
        if not all(isinstance(document.value, dict) for document in documents):
            return None
        value = whole.value
        if not isinstance(value, dict) or not identical(value.get("items"), [document.value for document in documents]):
            return None
    except (_Uncut, InputError):
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    return ResourceList(text, rest, tuple(documents), head, tuple(pieces), dash, tail, newline)


def _rest(text: str) -> dict[str, Any]:
    body = text.removeprefix("\ufeff")
    separator = _SEPARATOR.match(body)
    documents = list(split(body[separator.end() :] if separator else body, STREAM))
    if len(documents) != 1:
        raise _Uncut
    rest = _checked(documents[0].value)
    if "results" in rest:
        # Results that are there already are kept, with those of this run behind them: for that the list is written anew.
        raise _Uncut
    return rest


def _pieces(text: str, dash: int) -> list[Piece]:
    starts = [found.start() for found in re.finditer(rf"^ {{{dash}}}-(?=[ \r\n])", text, re.MULTILINE)]
    out = []
    for start, end in pairwise([*starts, len(text)]):
        raw = text[start:end]
        content = re.compile(r" *-( +)(?=\S)").match(raw)
        if content is None:
            raise _Uncut
        out.append(Piece(raw, dash + 1 + len(content[1])))
    return out


def _outdented(piece: Piece) -> str:
    """An item's text at column 0."""
    if piece.raw.find("\n") == len(piece.raw) - 1:
        return piece.raw[piece.column :]
    blanks = " " * piece.column
    out = []
    for line in (blanks + piece.raw[piece.column :]).split("\n"):
        if line.startswith(blanks):
            out.append(line[piece.column :])
        else:
            bare = line.lstrip(" ")
            if bare.rstrip("\r") and not bare.startswith("#"):
                raise _Uncut
            out.append(bare)
    return "\n".join(out)


def _indented(text: str, dash: int, column: int) -> str:
    """A document's text as an item."""
    blanks = " " * column
    body = "\n".join(blanks + line if line.rstrip("\r") else line for line in text.split("\n"))
    return " " * dash + "-" + " " * (column - dash - 1) + body[column:]


# ---- writing -----------------------------------------------------------------------------------------------------


def write(given: ResourceList, documents: Sequence[Document] | None, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the list with other items (None: the same) and results. Raises BugError where the items do not come out right."""
    if given.pieces is None or documents == []:
        return _anew(given, documents, results)
    body = given.text if documents is None else given.head + _items(given, documents) + given.tail
    if not results:
        return body
    if body and not body.endswith("\n"):
        body += given.newline
    return body + emit.document({"results": list(results)}, given.newline)


def _anew(given: ResourceList, documents: Sequence[Document] | None, results: Sequence[Mapping[str, Any]]) -> str:
    if documents is None and not results:
        return given.text
    items = [document.value for document in (given.items if documents is None else documents)]
    first = {key: given.rest[key] for key in ("apiVersion", "kind")}
    rest = {key: part for key, part in given.rest.items() if key not in (*first, "results")}
    said = [*(given.rest.get("results") or ()), *results]
    return emit.document({**first, "items": items, **rest, **({"results": said} if said else {})})


def _items(given: ResourceList, documents: Sequence[Document]) -> str:
    assert given.pieces is not None
    same = {id(document): piece for document, piece in zip(given.items, given.pieces)}
    last = len(documents) - 1
    column = given.pieces[0].column
    parts = []
    for number, document in enumerate(documents):
        piece = same.get(id(document))
        raw = piece.raw if piece else _indented(document.text, given.dash, column)
        if not raw.endswith("\n") and (number < last or given.tail):
            raw += given.newline
        parts.append(raw)
    text = "".join(parts)
    _prove(text, given.dash, documents)
    return text


def _prove(text: str, dash: int, documents: Sequence[Document]) -> None:
    """Cut the new items again: each must be the document that it was made from, which has been proved by itself."""
    try:
        found = [_outdented(piece) for piece in _pieces(text, dash)]
    except _Uncut:
        found = []
    if [one.rstrip() for one in found] != [document.text.rstrip() for document in documents]:
        raise BugError("the items of the ResourceList do not come out as they were made")


def empty(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a ResourceList without items, for a run that could not read what came in."""
    return emit.document({"apiVersion": VERSIONS[0], "kind": KIND, "items": [], "results": list(results)})
