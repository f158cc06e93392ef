"""Keeps documents apart when one between them is dropped: of consecutive JSON objects, only the first has a separator."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from sidecarctl.lazy_dataclass import replace
from sidecarctl.yamltext.stream import Document


class Separators:
    """The separators of a stream. Holds those of the documents that were read and are not written yet."""

    def __init__(self) -> None:
        self._heads: deque[tuple[int, str]] = deque()
        self._open = ""  # of dropped documents, for the next one without a separator

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents of a stream, with their separators noted."""
        for document in documents:
            self._heads.append((document.index, document.head))
            yield document

    def keep(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the next documents of the result; one without a separator gets that of a dropped document before it."""
        for document in documents:
            while self._heads and self._heads[0][0] < document.index:
                self._open = self._heads.popleft()[1] or self._open
            if not self._heads or self._heads[0][0] > document.index:
                yield document  # a new one
                continue
            self._heads.popleft()
            head, self._open = document.head or self._open, ""
            yield document if head == document.head else replace(document, head=head)


def keep_separators(before: Iterable[Document], after: Iterable[Document]) -> list[Document]:
    """Return the documents of a result, in order, kept apart as those of the stream were."""
    separators = Separators()
    for _ in separators.read(before):
        pass
    return list(separators.keep(after))
