"""Finds and reads inputs: manifests in files, directories, and stdin, and the data files of the package."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecarctl.errors import InputError, UsageError
from sidecarctl.lazy_dataclass import dataclass

_PACKAGE = Path(__file__).resolve().parents[1]


def data_directory(name: str) -> Path:
    """Return the directory of data files `name` ("library", "schemas"): in a wheel `sidecarctl/_data/<name>`, else
    `<root>/<name>`.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


SUFFIXES = (".yaml", ".yml", ".json")
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Source:
    """One input. `name` is what messages show; `path` is None for stdin.

    `relative` is the path below the given directory, for outputs that mirror a tree.
    """

    name: str
    path: Path | None = None
    relative: Path | None = None


@dataclass(frozen=True)
class Read:
    """The text of a source, and the stamp of the file, to detect later changes."""

    text: str
    stamp: Stamp | None = None


def find_sources(paths: Sequence[str], stdin_name: str = "-") -> Iterator[Source]:
    """Yield the sources that paths name: a file, a directory (walked in name order), or `-`.

    Raises InputError for a path that does not exist or a directory without manifests.
    """
    for text in paths:
        if text == "-":
            yield Source(stdin_name)
            continue
        path = Path(text)
        if path.is_dir():
            found = False
            for source in _walk(path):
                found = True
                yield source
            if not found:
                raise InputError(
                    f"no manifests in {text}",
                    hint=f"directories are searched for {', '.join(SUFFIXES)} files",
                )
        elif path.exists() or path.is_symlink():
            yield Source(text, path, Path(path.name))
        else:
            raise InputError(f"no such file or directory: {text}", hint="check the path given with -f")


def _walk(folder: Path) -> Iterator[Source]:
    """Yield the files of a directory in name order, without hidden directories, linked directories, pipes, and devices."""
    for root, folders, files in os.walk(folder, onerror=_unreadable_directory, followlinks=False):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not is_library_entry(Path(root, name))
        )
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                path = Path(root, name)
                if _is_special(path):
                    continue
                yield Source(str(path), path, path.relative_to(folder))


def is_library_entry(folder: Path) -> bool:
    """Return True for the directory of a sidecar, whose files are no manifests to change."""
    try:
        head = (folder / "sidecar.yaml").read_bytes()[:4096]
    except OSError:
        return False
    # An Istio Sidecar can be in a file of the same name.
    return b"sidecarctl.dev/" in head


def _unreadable_directory(problem: OSError) -> None:
    raise InputError(
        f"cannot read directory {problem.filename}: {problem.strerror or problem}", hint="check its permissions"
    ) from None


def _is_special(path: Path) -> bool:
    """Return whether a path is a pipe, socket, or device, which could block; a broken link is reported when it is read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def read_source(source: Source) -> Read:
    """Return the text of a source. Raises InputError if it cannot be read or is not UTF-8."""
    try:
        if source.path is None:
            return Read(decode(sys.stdin.buffer.read(), source.name))
        with source.path.open("rb") as stream:
            stamp = stamp_of(os.fstat(stream.fileno()))
            return Read(decode(stream.read(), source.name), stamp)
    except OSError as problem:
        raise InputError(
            f"cannot read {source.name}: {problem.strerror or problem}", hint="check its path and permissions"
        ) from None


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes when a file changes."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def decode(data: bytes, name: str) -> str:
    """Return bytes as text. Raises InputError with the place of the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        column = problem.start - (data.rfind(b"\n", 0, problem.start) + 1) + 1
        hint = "save the file as UTF-8, the only encoding that Kubernetes reads"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "this looks like UTF-16; save the file as UTF-8"
        raise InputError(
            f"invalid UTF-8: byte 0x{data[problem.start]:02x}",
            where=f"{name}:{line}:{column}",
            hint=hint,
        ) from None


def input_paths(files: Sequence[str]) -> list[str]:
    """Return the paths that `-f` names, else stdin. Raises UsageError if stdin is a terminal."""
    if files:
        return list(files)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "no input: no file named and nothing piped to stdin",
            hint="name a manifest or directory with -f PATH, or pipe manifests to stdin",
        )
    return ["-"]


def read_stdin() -> bytes:
    """Return the bytes that another program pipes to stdin. Raises UsageError if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "no input on stdin: another program runs this command",
            hint="see the examples in --help; for manifests in files, use `sidecarctl render`",
        )
    return sys.stdin.buffer.read()
