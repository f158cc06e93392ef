"""Splits a stream into documents as Kubernetes does: at lines that start with `---`, before parsing.

In JSON streams, consecutive objects are separate documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.findings import PathTuple, Place
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.lines import Lines
from sidecarctl.yamltext.nodes import Alias, Node, child
from sidecarctl.yamltext.parse import parse

if TYPE_CHECKING:
    from sidecarctl.yamltext.edits import Edit
    from sidecarctl.yamltext.insert import KeyPlace

# YAML also ends a comment at a carriage return, NEL, and two separators of Unicode; Kubernetes drops what follows in this line.
_BLANK_AFTER = lazy_pattern(r"---(?:[ \t\r]|$)[ \t\r]*(?:#[^\r\x85\u2028\u2029]*\r*)?$")
_REST_OF_LINE = lazy_pattern(r"[ \t\r]*\n?")
_GAP = lazy_pattern(r"\s*")
# Comments can hold only printable ASCII here: other characters may be an error, which the parser finds.
_EMPTY = lazy_pattern(r"(?: *(?:#[\t\x20-\x7e]*)?\r?\n)* *(?:#[\t\x20-\x7e]*)?")
_DIRECTIVE = lazy_pattern(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*(%[A-Z]+[^\n]*)")


@dataclass(eq=False)
class Document:
    """One document of a stream: `head` is its separator line (or leading text), `text` the rest, exactly.

    `line` is the number of the first line of `text` in the file, from 0. `bare`: it or what follows it can become the
    end of a file without a final line break. `memo` is a cache for what is read from the whole document again and again.
    """

    head: str
    text: str
    line: int = 0
    file: str = "-"
    index: int = 0
    bare: bool = False
    memo: dict[tuple[object, ...], Any] = field(default_factory=dict, repr=False)
    _root: Node | None = field(default=None, repr=False)
    _parsed: bool = field(default=False, repr=False)
    _lines: Lines | None = field(default=None, repr=False)

    @property
    def root(self) -> Node | None:
        """Return the root node, parsed on first use; None for an empty document. Raises InputError with the place."""
        if not self._parsed:
            try:
                self._root = None if is_empty(self.text) else parse(self.text)
            except SyntaxProblem as problem:
                place = self.place(problem.offset, problem.offset)
                problem.where, problem.line_text = str(place), place.line_text
                if problem.other is not None:
                    problem.hint += f" ({problem.other_is} at {self.place(problem.other, problem.other)})"
                raise
            self._parsed = True
        return self._root

    @property
    def value(self) -> object:
        """The document as plain data."""
        return None if self.root is None else self.root.value

    @property
    def lines(self) -> Lines:
        """The lines of the text."""
        if self._lines is None:
            self._lines = Lines(self.text)
        return self._lines

    def place(self, start: int, end: int) -> Place:
        """Return the place of a range of this document's text in its file."""
        line, column = self.lines.at(start)
        end_line, end_column = self.lines.at(max(start, end))
        return Place(
            self.file,
            self.line + line + 1,
            column + 1,
            self.line + end_line + 1,
            end_column + 1,
            self.lines.line(line),
        )

    def locate(self, path: PathTuple, *, on_key: bool = False) -> Place:
        """Return the place of the value (or its key) at a path.

        If the path is not in the text, return the key of the nearest ancestor, because its first entry is not meant.
        """
        node = self.root
        if node is None:
            return self.place(0, 0)
        key: Node | None = None
        for step in path:
            below = child(node, step)
            if below is None:
                on_key = True
                break
            holder = node.target if isinstance(node, Alias) else node
            key = holder.pairs[step][0] if isinstance(step, str) and hasattr(holder, "pairs") else None
            node = below
        if key is not None and (on_key or node.start == node.end):
            node = key
        return self.place(node.start, node.end)

    @property
    def is_json_file(self) -> bool:
        """True if the name of the file says that it is JSON."""
        return self.file.endswith(".json")

    def without_nodes(self) -> Document:
        """Return the document with its text only, which another process can receive cheaply."""
        return Document(self.head, self.text, self.line, self.file, self.index, self.bare)

    def with_text(self, text: str, root: Node | None = None) -> Document:
        """Return the document with another text, and with its root if it is known."""
        return Document(self.head, text, self.line, self.file, self.index, self.bare, {}, root, root is not None)

    def edit(self, edits: Sequence[Edit], place: KeyPlace) -> Document:
        """Return the document after edits, verified. Raises EditRefused and BugError like `splice`.

        A bare document gets no block scalars: if one becomes the end of the file, it needs a line break, which would stay.
        """
        from sidecarctl.yamltext.splice import splice  # most commands do not edit

        root = self.root
        assert root is not None
        done = splice(self.text, root, edits, place, keep_json=self.is_json_file, literal=not self.bare)
        return self.with_text(done.text, done.root)


def is_empty(text: str) -> bool:
    """Return True if the text of a document certainly has only blanks and comments."""
    return _EMPTY.fullmatch(text) is not None


def split(text: str, file: str = "-", line: int = 0, index: int = 0) -> Iterator[Document]:
    """Yield the documents of a text; joined, their heads and texts are the text.

    `line` and `index` are the numbers of the first line and document. Raises InputError for a separator line with anything
    but spaces and a comment, and for a directive, as Kubernetes' own reader does.
    """
    return _split(text, file, line, index, _raise)


def _raise(error: InputError) -> None:
    raise error


def _split(text: str, file: str, line: int, index: int, report: Callable[[InputError], None]) -> Iterator[Document]:
    """Yield the documents of a text, and call `report` with the errors of the stream.

    Continues after an error at the next separator, in one pass: a text can have many errors.
    """
    start, head = 0, ""
    skipped = False  # the text after an invalid separator
    if text.startswith("\ufeff"):
        head, start = "\ufeff", 1
    for at, end in _separators(text):
        if skipped:
            line += text.count("\n", start, at)
            skipped = False
        elif at > start or head.strip("\ufeff"):
            body = text[start:at]
            try:
                for document in _objects(head, body, file, line, index):
                    index += 1
                    yield document
            except InputError as error:
                report(error)
                index += 1
            line += (head + body).count("\n")
            head = ""
        separator = text[at:end]
        start = end
        if not _BLANK_AFTER.match(separator.rstrip("\n")):
            report(
                InputError(
                    f'invalid document separator "{separator.rstrip()}": only spaces and a comment can follow `---`',
                    where=f"{file}:{line + 1}:4",
                    hint="move the text after `---` to the next line",
                )
            )
            line, index, head, skipped = line + 1, index + 1, "", True
            continue
        head += separator
        if text.startswith("\ufeff", start):  # concatenated files, each with a byte order mark
            head, start = head + "\ufeff", start + 1
    if skipped:
        return
    try:
        yield from _objects(head, text[start:], file, line, index)
    except InputError as error:
        report(error)


def can_split(text: str, file: str = "-") -> bool:
    """Return True if the whole text can be split into documents, so that they can be joined again."""
    try:
        for _ in split(text, file):
            pass
    except InputError:
        return False
    return True


def split_readable(
    text: str, file: str, errors: list[SidecarctlError], line: int = 0, index: int = 0
) -> Iterator[Document]:
    """Yield the documents of a text as `split` does; after an error of the stream, continue at the next separator.

    Appends the errors of the stream to `errors`. A document that cannot be parsed raises its error when it is used.
    """
    return _split(text, file, line, index, errors.append)


def _separators(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end (with the line break) of each line that starts with `---`."""
    at = 0 if text.startswith("---") else text.find("\n---") + 1
    while at or text.startswith("---"):
        end = text.find("\n", at) + 1 or len(text)
        yield at, end
        at = text.find("\n---", end - 1) + 1
        if not at:
            return


def _objects(head: str, body: str, file: str, line: int, index: int) -> Iterator[Document]:
    """Yield one document, or several for consecutive JSON objects."""
    line += head.count("\n")
    found = _DIRECTIVE.match(body) if "%" in body else None
    if found:
        directive = found.group(1).strip()
        raise InputError(
            f'unsupported YAML directive "{directive}"',
            where=f"{file}:{line + body.count(chr(10), 0, found.start(1)) + 1}:1",
            hint="delete the line: Kubernetes rejects directives and always reads YAML 1.1",
        )
    if body.lstrip()[:1] == "{":
        ends = _json_ends(body)
        if len(ends) > 1:
            start = 0
            for end in (*ends[:-1], len(body)):
                yield Document(head, body[start:end], line, file, index)
                line += body.count("\n", start, end)
                head, start, index = "", end, index + 1
            return
    yield Document(head, body, line, file, index)


def _json_ends(body: str) -> list[int]:
    """Return where each of several JSON objects ends, with the rest of its line; fewer than two if it is one object or
    not JSON.
    """
    decoder = json.JSONDecoder()
    ends: list[int] = []
    at = len(body) - len(body.lstrip())
    while at < len(body):
        try:
            _, at = decoder.raw_decode(body, at)
        except (ValueError, RecursionError):
            return []
        rest, gap = _REST_OF_LINE.match(body, at), _GAP.match(body, at)
        ends.append(rest.end() if rest else at)
        at = gap.end() if gap else at
    return ends


def join(documents: Iterable[Document]) -> str:
    """Return the stream's text."""
    return "".join(part for document in documents for part in (document.head, document.text))
