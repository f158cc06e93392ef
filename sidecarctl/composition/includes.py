"""Resolves the includes of a composition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidecarctl.composition.composition_file import CompositionFile, read_file
from sidecarctl.errors import UsageError, did_you_mean


def resolve_includes(first: CompositionFile, path: Path | None) -> Iterator[CompositionFile]:
    """Yield the included files, each once and before the file that includes it, and then the composition itself.

    Raises UsageError for a cycle and for a missing file.
    """
    done: set[Path] = set()
    above: dict[Path, None] = {}

    # The files on the way to the current one. Not a recursive function: a chain of includes can be longer than Python's stack.
    way = [(first, path.resolve() if path else None, iter(first.includes))]
    above |= {each: None for _, each, _ in way if each}
    while way:
        file, _, includes = way[-1]
        for target, place in includes:
            if "\0" in str(target):
                raise UsageError("invalid path: contains a NUL character", where=str(place))
            try:
                real = target.resolve()
            except (OSError, RuntimeError):  # before Python 3.13, a link to itself
                raise UsageError(
                    f"cannot follow the links of {target}", where=str(place), hint="replace the link"
                ) from None
            if real in above:
                files = list(above)
                names = [_short(one) for one in (*files[files.index(real) :], real)]
                raise UsageError(
                    f"include cycle: {' -> '.join(names)}",
                    where=str(place),
                    hint="remove one of the includes",
                )
            if real in done:
                continue
            done.add(real)
            if not target.is_file():
                raise _missing(target, str(place))
            below = read_file(target)
            way.append((below, real, iter(below.includes)))
            above[real] = None
            break
        else:
            yield file
            _, closed, _ = way.pop()
            if closed:
                above.pop(closed, None)


def _missing(target: Path, where: str) -> UsageError:
    if target.exists() and not target.is_dir():
        return UsageError(f"{target} is not a regular file", where=where, hint="remove the include")
    return UsageError(
        f"file not found: {target}",
        where=where,
        hint=did_you_mean(target.name, _names(target.parent))
        or "check the path: includes are relative to the file that contains them",
    )


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _names(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in directory.iterdir()]
    except OSError:
        return []
