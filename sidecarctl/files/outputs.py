"""Which files a run has put into an output folder, so that a later run can take away what it no longer makes.

A small text file in that folder keeps their paths and hashes. A file that somebody changed since is never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sidecarctl.digest import sha256
from sidecarctl.files.write import OutputError
from sidecarctl.lazily import dataclass

FILE_NAME = ".sidecarctl-outputs"
_HEAD = "# Written by sidecarctl: the files that it put here, by which --prune knows what is stale.\n"


@dataclass(frozen=True)
class Stale:
    """A file of an earlier run that this one does not make. `changed`: somebody has edited it since, so it stays."""

    path: Path
    changed: bool = False


def known(folder: Path) -> dict[str, str]:
    """Return what earlier runs wrote: path below the folder to its hash. Lines that make no sense are passed over."""
    try:
        text = (folder / FILE_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        path = PurePosixPath(name)
        if len(digest) == 64 and name and not path.is_absolute() and ".." not in path.parts:
            found[name] = digest
    return found


def stale(folder: Path, made: Iterable[str]) -> list[Stale]:
    """Return the files of earlier runs that are still there and not among `made`, sorted."""
    names = set(made)
    out = []
    for name, digest in sorted(known(folder).items()):
        path = folder / name
        if name not in names and path.is_file() and not path.is_symlink():
            out.append(Stale(path, _digest_of(path) != digest))
    return out


def remembered(folder: Path, made: Mapping[str, str], forgotten: Iterable[Path]) -> str:
    """Return the new text of the file that remembers: what was there before, `made` (path to text) and not `forgotten`."""
    gone = {path.relative_to(folder).as_posix() for path in forgotten}
    entries = {name: digest for name, digest in known(folder).items() if name not in gone and (folder / name).exists()}
    entries.update({name: _digest(text) for name, text in made.items()})
    return _HEAD + "".join(f"{digest}  {name}\n" for name, digest in sorted(entries.items()))


def delete(stale_files: Iterable[Stale], folder: Path) -> None:
    """Delete stale files, and folders that are empty then. Raises OutputError."""
    for each in stale_files:
        try:
            each.path.unlink()
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise OutputError(
                f"{each.path} is stale and can't be deleted: {problem.strerror or problem}", hint="check its folder"
            ) from None
        for parent in each.path.parents:
            if parent == folder:
                break
            with suppress(OSError):
                parent.rmdir()


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8"))


def _digest_of(path: Path) -> str:
    try:
        return sha256(path.read_bytes())
    except OSError:
        return ""
