"""Transforms one long stream document by document, in flat memory, if the run needs no look at the whole input."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sidecarctl import limits
from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.files.sources import input_too_large, unreadable_stream
from sidecarctl.findings import Finding
from sidecarctl.inject.companions import OWNER_ANNOTATION, Identity
from sidecarctl.inject.pipeline import ProcessedDocuments
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.separators import Separators
from sidecarctl.yamltext.stream import Document, join, split

if TYPE_CHECKING:
    from sidecarctl.cli.delivery import Delivery

MIN_BYTES = 2 << 20  # shorter inputs are transformed as a whole
_PIECE = 1 << 20

Walk = Callable[[Iterable[Document]], Iterator[ProcessedDocuments]]


def is_possible(delivery: Delivery) -> bool:
    """Return whether one input goes to stdout as plain manifests."""
    whole = (
        delivery.retarget
        or delivery.flags.output
        or delivery.flags.in_place
        or delivery.flags.writes_nothing
        or delivery.mirror
        or delivery.flags.keep_going
        or delivery.inputs.walk.force_exclude  # a long file can be one to leave out
    )
    single = delivery.flags.format == "text" and len(delivery.files) == 1 and delivery.settings.workloads.selects_all
    return not whole and single


def open_long(path: str) -> IO[bytes] | bytes | None:
    """Return the stream of a long input, the bytes of a short stdin (it cannot be read twice), or None."""
    if path != "-":
        file = Path(path)
        size = file.stat().st_size if file.is_file() else 0
        if size > limits.INPUT.value:
            raise input_too_large(path)
        return file.open("rb") if size >= MIN_BYTES else None
    head = _read_stdin(MIN_BYTES)
    if len(head) < MIN_BYTES:
        return head
    stream = _temporary()
    while head:
        _write(stream, head)
        if stream.tell() > limits.INPUT.value:
            raise input_too_large("stdin")
        head = _read_stdin(_PIECE)
    return stream


def _read_stdin(size: int) -> bytes:
    """Return the next `size` bytes of stdin, less at its end. Raises InputError if it cannot be read."""
    try:
        return sys.stdin.buffer.read(size)
    except OSError as problem:
        raise unreadable_stream("stdin", problem) from None


@dataclass(frozen=True)
class Streamed:
    """The result of a stream: the output and the report, both in temporary files, and the findings."""

    out: IO[bytes]
    lines: IO[bytes]
    findings: tuple[Finding, ...] = ()
    workloads: int = 0
    error: SidecarctlError | None = None


@contextmanager
def transform(
    walk: Walk, stream: IO[bytes], name: str, render: Callable[[ProcessedDocuments], str], *, fronts: bool = False
) -> Iterator[Streamed | None]:
    """Transform a stream; `render` returns the report of each document. Yields None if the input must be read whole.

    With `fronts`, Services and other objects around the pods are compared with what is added.
    """
    from sidecarctl.inject.taken_names import added_names, find_taken_names  # most inputs are short

    with _open_temporary() as out, _open_temporary() as lines:
        findings: list[Finding] = []
        workloads = 0
        added: dict[Identity, str] = {}
        try:
            if _needs_whole_input(stream, name, fronts):
                yield None
                return
            separators = Separators()
            for walked in walk(separators.read(documents(stream, name))):
                for problem in walked.errors:
                    raise problem
                _write(out, join(separators.keep(walked.documents)).encode("utf-8"))
                _write(lines, render(walked).encode("utf-8", "surrogateescape"))
                findings += walked.findings
                workloads += len(walked.changes)
                added.update(added_names(walked.changes))
            findings += find_taken_names(documents(stream, name), added)
        except UnicodeDecodeError:
            yield None
        except InputError as error:
            yield Streamed(out, lines, error=error)
        else:
            yield Streamed(out, lines, tuple(findings), workloads)


def documents(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the documents of a stream, as `split` does for a text, without reading it whole. Raises UnicodeDecodeError."""
    line = index = 0
    for piece in _pieces(stream):
        for document in split(piece, name, line, index):
            yield document
            index = document.index + 1
        line += piece.count("\n")


def _pieces(stream: IO[bytes]) -> Iterator[str]:
    """Yield the text of a stream in pieces that start with a `---` line, where `split` starts documents."""
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


def _needs_whole_input(stream: IO[bytes], name: str, fronts: bool) -> bool:
    """Return whether the pipeline needs all documents at once: a companion does not follow its workload, or a rule compares
    an object with a workload.
    """
    from sidecarctl.validate.check_run import is_around_pods, needs_whole_run

    if any(needs_whole_run(piece) or (fronts and is_around_pods(piece)) for piece in _pieces(stream)):
        return True
    from sidecarctl.inject.displaced_companions import has_displaced_companions
    from sidecarctl.kube.workload import may_hold

    if not any(may_hold(piece, OWNER_ANNOTATION) for piece in _pieces(stream)):
        return False
    return has_displaced_companions(documents(stream, name))


def rewind(file: IO[bytes]) -> IO[bytes]:
    """Return a file, positioned at its start."""
    file.seek(0)
    return file


@contextmanager
def _open_temporary() -> Iterator[IO[bytes]]:
    file = _temporary()
    try:
        yield file
    finally:
        with suppress(OSError):  # no room for what is still buffered, which `_write` reported
            file.close()


def _temporary() -> IO[bytes]:
    """Return a temporary file, in memory if no directory for one can be written, as with a read-only file system."""
    import tempfile

    try:
        return tempfile.TemporaryFile(prefix="sidecarctl-")
    except OSError:
        return io.BytesIO()


def _write(file: IO[bytes], data: bytes) -> None:
    """Write to a temporary file. Raises InputError if there is no room: main takes other errors for those of stdout."""
    try:
        file.write(data)
        file.flush()
    except OSError as problem:
        import tempfile

        raise InputError(
            f"cannot write to a temporary file in {tempfile.gettempdir()}: {problem.strerror or problem}",
            hint="make room there, or set TMPDIR to another directory",
        ) from None
