"""Which files a run has put into an output folder, so that a later run can take away what it no longer makes.

A small text file in that folder keeps their paths and hashes. A file that somebody changed since is never deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sidecarctl.cli import console
from sidecarctl.cli.delivery import Delivery, Done, into_folder, targets
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
from sidecarctl.files.write import OutputError, Write, write_all
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import plural

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


def stale_files(folder: Path, made: Iterable[str]) -> list[Stale]:
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
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def check_options(delivery: Delivery) -> None:
    """Raise UsageError where --prune has no output folder."""
    if delivery.mirror and delivery.mirror.prune and not (delivery.output and into_folder(delivery)):
        raise UsageError(
            "--prune needs an output folder",
            hint="it deletes what an earlier run wrote there: render -f k8s/ -o rendered/ --prune",
        )


def finish(delivery: Delivery, done: Sequence[Done]) -> int:
    """Say what is out of date, remember what was written, prune what is stale; return the exit code of that."""
    stale: list[Stale] = []
    if delivery.output and into_folder(delivery):
        stale = _stale(delivery, done)
    if delivery.writes_nothing:
        return _verdict(delivery, done, stale)
    return EXIT_OK


def _verdict(delivery: Delivery, done: Sequence[Done], stale: Sequence[Stale]) -> int:
    old = [one.source.name for one in done if one.outdated]
    assert delivery.mirror
    leftover = [str(each.path) for each in stale if not each.changed] if delivery.mirror.prune else []
    if delivery.check and not delivery.quiet:
        if delivery.output:
            for one in done:
                if one.outdated:
                    console.say(f"{one.source.name}: {'out of date' if one.present else 'missing'}")
        for name in leftover:
            console.say(f"{name}: stale, nothing makes it any more")
        number = len(old) + len(leftover)
        console.say(
            f"{number} of {plural(len(done) + len(leftover), 'file')} {'is' if number == 1 else 'are'} out of date"
            if number
            else f"{plural(len(done), 'file')}, all up to date"
        )
    return EXIT_FINDINGS if delivery.check and leftover else EXIT_OK


def _stale(delivery: Delivery, done: Sequence[Done]) -> list[Stale]:
    assert delivery.output and delivery.mirror
    folder = Path(delivery.output)
    results = [one for one in done if one.result and not one.result.failed]
    made = {
        path.relative_to(folder).as_posix(): one.result.text
        for path, one in zip(targets(delivery, results), results)
        if one.result
    }
    stale = stale_files(folder, made)
    if delivery.writes_nothing:
        return stale
    gone = [each for each in stale if not each.changed] if delivery.mirror.prune else []
    delete(gone, folder)
    _say(delivery, stale, gone)
    text = remembered(folder, made, [each.path for each in gone])
    memory = folder / FILE_NAME
    if not memory.exists() or memory.read_text(encoding="utf-8") != text:
        write_all([Write(memory, text)])
    return stale


def _say(delivery: Delivery, stale: Sequence[Stale], gone: Sequence[Stale]) -> None:
    for each in gone:
        if not delivery.quiet:
            console.say(f"{each.path}: deleted, nothing makes it any more")
    assert delivery.mirror
    for each in stale:
        if each not in gone:
            why = "was edited since, so it stays" if each.changed else "--prune deletes it"
            console.say(f"{each.path}: nothing makes it any more; {why}")
