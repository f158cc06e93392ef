"""Where the program's own data files stand: in the wheel, or in the source tree. Knows nothing of what is in
them.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecarctl.errors import InputError, UsageError
from sidecarctl.lazy_dataclass import dataclass

_PACKAGE = Path(__file__).resolve().parents[1]


def data_folder(name: str) -> Path:
    """Return the folder `name` ("library", "schemas"): `sidecarctl/_data/<name>` in a wheel, else
    `<root>/<name>`.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


SUFFIXES = (".yaml", ".yml", ".json")
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Source:
    """One input. `name` is what messages call it; `path` is None for standard input.

    `relative` is where it stands below the folder that was given, for outputs that mirror a tree.
    """

    name: str
    path: Path | None = None
    relative: Path | None = None


@dataclass(frozen=True)
class Read:
    """What was read, and the file's stamp at that moment, to notice that somebody else changed it since."""

    text: str
    stamp: Stamp | None = None


def find(paths: Sequence[str], stdin_name: str = "-") -> Iterator[Source]:
    """Yield the sources that `-f` names: a file, a folder (walked, in order of names) or `-`.

    Raises InputError for a path that does not exist or a folder without any manifest.
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
                raise InputError(f"{text} holds no manifest", hint=f"a folder is searched for {', '.join(SUFFIXES)}")
        elif path.exists() or path.is_symlink():
            yield Source(text, path, Path(path.name))
        else:
            raise InputError(f"{text} does not exist", hint="check the path given with -f")


def _walk(folder: Path) -> Iterator[Source]:
    """Files below a folder in order of their names; hidden folders, links to folders, pipes and devices are left out."""
    for root, folders, files in os.walk(folder, onerror=_closed_folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                path = Path(root, name)
                if _waits(path):
                    continue
                yield Source(str(path), path, path.relative_to(folder))


def _closed_folder(problem: OSError) -> None:
    raise InputError(
        f"the folder {problem.filename} can't be read: {problem.strerror or problem}", hint="check its permissions"
    ) from None


def _waits(path: Path) -> bool:
    """True for a pipe, a socket or a device, which would let a run wait for ever; a link to nowhere is told when it is read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def read(source: Source) -> Read:
    """Return a source's text. Raises InputError for what can't be read or is no UTF-8."""
    try:
        if source.path is None:
            return Read(decode(sys.stdin.buffer.read(), source.name))
        with source.path.open("rb") as stream:
            stamp = stamp_of(os.fstat(stream.fileno()))
            return Read(decode(stream.read(), source.name), stamp)
    except OSError as problem:
        raise InputError(
            f"{source.name} can't be read: {problem.strerror or problem}", hint="check its path and permissions"
        ) from None


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes when a file changes."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def decode(data: bytes, name: str) -> str:
    """Return bytes as text. Raises InputError with the place of the first byte that is no UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        column = problem.start - (data.rfind(b"\n", 0, problem.start) + 1) + 1
        hint = "save it as UTF-8"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "it looks like UTF-16: save it as UTF-8"
        raise InputError(
            f"byte 0x{data[problem.start]:02x} is no UTF-8, the only encoding that Kubernetes reads",
            where=f"{name}:{line}:{column}",
            hint=hint,
        ) from None


def input_paths(files: Sequence[str]) -> list[str]:
    """Return what `-f` names; without it standard input. Raises UsageError where that is a terminal."""
    if files:
        return list(files)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "there is no input: nothing was piped in and no -f is given",
            hint="name a manifest or a folder with -f PATH, or pipe manifests in",
        )
    return ["-"]


def read_stdin() -> bytes:
    """Return what another program pipes in. Raises UsageError where standard input is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "nothing is piped in: this command is run by another program",
            hint="see the example in --help; for manifests of your own use `sidecarctl render`",
        )
    return sys.stdin.buffer.read()
