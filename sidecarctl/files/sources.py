"""Reads inputs: manifests in files and stdin, and the data files of the package. `walk` finds them."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from sidecarctl import limits
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

    `relative` is the path below the given directory, for outputs that mirror a tree. `named`: the command line names it,
    so it is read whatever it contains. `kustomized`: a kustomization names it as a resource. `gets_selectors`: one
    adds selectors to it.
    """

    name: str
    path: Path | None = None
    relative: Path | None = None
    named: bool = False
    kustomized: bool = False
    gets_selectors: bool = False


@dataclass(frozen=True)
class Read:
    """The text of a source, and the stamp of the file, to detect later changes."""

    text: str
    stamp: Stamp | None = None


def read_source(source: Source) -> Read:
    """Return the text of a source. Raises InputError if it cannot be read or is not UTF-8."""
    try:
        if source.path is None:
            return Read(decode(read_bounded(sys.stdin.buffer, source.name), source.name))
        with source.path.open("rb") as stream:
            stamp = stamp_of(os.fstat(stream.fileno()))
            return Read(decode(read_bounded(stream, source.name), source.name), stamp)
    except OSError as problem:
        raise InputError(
            f"cannot read {source.name}: {problem.strerror or problem}", hint="check its path and permissions"
        ) from None


def unreadable_stream(name: str, problem: OSError) -> InputError:
    """Return the error for an open stream that the system does not read, such as stdin that is open for writing only."""
    shown = "stdin" if name == "-" else name
    return InputError(f"cannot read {shown}: {problem.strerror or problem}", hint="check what it is connected to")


def read_bounded(stream: IO[bytes], name: str) -> bytes:
    """Return what is left of a stream, at most `limits.INPUT`: it can be endless. Raises InputError for more."""
    try:
        data = limits.read_at_most(stream, limits.INPUT.value + 1)
    except OSError as problem:
        raise unreadable_stream(name, problem) from None
    if len(data) > limits.INPUT.value:
        raise input_too_large(name)
    return data


def input_too_large(name: str) -> InputError:
    """Return the error for an input of more than `limits.INPUT`."""
    most = limits.INPUT.value
    return InputError(f"input too large: more than {most:,} bytes", where=name, hint=limits.INPUT.way_out)


def read_small(path: Path, limit: limits.Limit = limits.FILE, *, regular: bool = True) -> bytes:
    """Return the bytes of a file that is not a manifest, such as a kustomization. Its size is limited.

    A repository can contain a link to an endless device. Raises OSError for a larger file and, unless `regular` is False,
    for one that is not regular. A pipe, as in `--values <(...)`, is not.
    """
    if regular and not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for a writer
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as stream:
        data = limits.read_at_most(stream, limit.value + 1)
    if len(data) > limit.value:
        raise OSError(errno.EFBIG, f"larger than {limit.value:,} bytes ({limit.variable})")
    return data


def read_setting(path: Path, way_out: str = "") -> bytes:
    """Return the bytes of a file that says how others are read, such as `.gitignore`. Raises OSError if it is unreadable.

    Raises InputError for one that is too large: without it, files would be changed that must not be. `way_out` is another
    hint than to raise the limit.
    """
    try:
        return read_small(path)
    except OSError as problem:
        if problem.errno != errno.EFBIG:
            raise
        hint = f"{way_out}; {limits.FILE.way_out}" if way_out else limits.FILE.way_out
        raise InputError(f"{path} is larger than {limits.FILE.value:,} bytes", hint=hint) from None


NO_FILE: Stamp = (0, 0, 0)  # the stamp of a file that does not exist


def stamp_of(status: os.stat_result | None) -> Stamp:
    """Return what changes when a file changes, or when a file that does not exist is created."""
    return NO_FILE if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


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
    return read_bounded(sys.stdin.buffer, "stdin")
