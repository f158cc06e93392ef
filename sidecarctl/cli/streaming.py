"""One long stream, document by document: what comes out waits in temporary files until all is well, and memory stays flat.

Takes on what needs no look at the whole; the rest it leaves to `deliver`, which does the same with texts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.findings import Finding
from sidecarctl.inject.companions import OWNER_ANNOTATION
from sidecarctl.inject.pipeline import Walked
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.stream import Document, join, split

if TYPE_CHECKING:
    from sidecarctl.cli.delivery import Delivery

LONG = 2 << 20  # bytes, from which on an input flows
_PIECE = 1 << 20

Walk = Callable[[Iterable[Document]], Iterator[Walked]]


def suits(delivery: Delivery) -> bool:
    """True where one input goes to standard output, and nothing but its documents is asked for."""
    whole = delivery.output or delivery.in_place or delivery.writes_nothing or delivery.mirror or delivery.keep_going
    return not whole and delivery.format == "text" and len(delivery.files) < 2


def opened(path: str) -> IO[bytes] | bytes | None:
    """Return the stream of a long input; the bytes of a short standard input, which can't be read twice; else None."""
    if path != "-":
        file = Path(path)
        return file.open("rb") if file.is_file() and file.stat().st_size >= LONG else None
    head = sys.stdin.buffer.read(LONG)
    if len(head) < LONG:
        return head
    import shutil

    stream = _temporary()
    stream.write(head)
    shutil.copyfileobj(sys.stdin.buffer, stream, _PIECE)
    return stream


@dataclass(frozen=True)
class Flowed:
    """What became of a stream: its result and the lines about its workloads, both waiting, and what else is to be said."""

    out: IO[bytes]
    lines: IO[bytes]
    findings: tuple[Finding, ...] = ()
    workloads: int = 0
    error: SidecarctlError | None = None


@contextmanager
def flow(walk: Walk, stream: IO[bytes], name: str, tell: Callable[[Walked], str]) -> Iterator[Flowed | None]:
    """Take a stream down the stair; `tell` says what was done. None where it has to be taken as a whole."""
    with _temporary() as out, _temporary() as lines:
        findings: list[Finding] = []
        workloads = 0
        try:
            if _scattered(stream, name):
                yield None
                return
            for walked in walk(documents(stream, name)):
                out.write(join(walked.documents).encode("utf-8"))
                lines.write(tell(walked).encode("utf-8", "surrogateescape"))
                findings += walked.findings
                workloads += len(walked.changes)
        except UnicodeDecodeError:
            yield None
        except InputError as error:
            yield Flowed(out, lines, error=error)
        else:
            yield Flowed(out, lines, tuple(findings), workloads)


def documents(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the documents of a stream as `split` yields those of its text, a piece at a time. Raises UnicodeDecodeError."""
    line = index = 0
    for piece in _pieces(stream):
        for document in split(piece, name, line, index):
            yield document
            index = document.index + 1
        line += piece.count("\n")


def _pieces(stream: IO[bytes]) -> Iterator[str]:
    """Yield the text of a stream, cut where a line begins with `---`: nowhere else can a document begin for `split`."""
    stream.seek(0)
    held = bytearray()
    while block := stream.read(_PIECE):
        seen = max(0, len(held) - 3)
        held += block
        cut = held.rfind(b"\n---", seen) + 1
        if cut:
            yield held[:cut].decode("utf-8")
            del held[:cut]
    yield held.decode("utf-8")


def _scattered(stream: IO[bytes], name: str) -> bool:
    """True where companions do not follow their workloads: then the stair has to see all documents at once."""
    from sidecarctl.inject.regroup import out_of_place

    if not any(OWNER_ANNOTATION in piece for piece in _pieces(stream)):
        return False
    return out_of_place(documents(stream, name))


def waiting(file: IO[bytes]) -> IO[bytes]:
    """Return a file at its beginning: its lines are what waits in it."""
    file.seek(0)
    return file


def _temporary() -> IO[bytes]:
    import tempfile

    return tempfile.TemporaryFile(prefix="sidecarctl-")
