"""Cache renderings between runs, so that a run without new renderings does not start a template engine.

Files are in the user cache directory, named by a hash of everything that a rendering depends on. Each starts with a checksum
of its name and content: a damaged or misplaced one is ignored. The cache is ignored if other users can access it.
SIDECARCTL_NO_CACHE=1 disables it; only the command line enables it.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl import __version__
from sidecarctl.catalog.entry_files import CASES, list_files
from sidecarctl.files.sources import read_small
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.sha256 import sha256

if TYPE_CHECKING:
    from sidecarctl.catalog.sidecar import Sidecar

OFF = "SIDECARCTL_NO_CACHE"
_MAX_FILES = 256
_MAX_SIZE = 16 << 20
_MAX_NEW = 8  # per run: renderings that differ for each workload are not worth caching
_PRIVATE = 0o700
# Renderings, and temporary files of a killed run. The log of post-render is in the same directory.
_NAME = lazy_pattern(r"[0-9a-f]{64}|\.rendering\..*\.sidecarctl")

_enabled = False
_written = 0


def enable() -> None:
    """Enable the cache for this process unless the user has disabled it."""
    global _enabled
    _enabled = not os.environ.get(OFF) and hasattr(os, "geteuid")


def load(sidecar: Sidecar, *key: str) -> Any:
    """Return the cached data of a key for the current files of a sidecar, or None."""
    if not _is_cacheable(sidecar):
        return None
    try:
        folder = _folder()
        if folder is None:
            return None
        name = _name(sidecar, key)
        head, _, text = _read_private(folder / name).partition("\n")
        return json.loads(text) if head == _checksum(name, text) else None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: the user has no home directory
        return None


def store(sidecar: Sidecar, data: Any, *key: str) -> None:
    """Cache JSON data for `load`. Errors are ignored: the next run renders again."""
    global _written
    if not _is_cacheable(sidecar) or _written >= _MAX_NEW:
        return
    _written += 1
    try:
        text = json.dumps(data, allow_nan=False)
        folder = _folder(make=True) if json.loads(text) == data else None
        if folder is not None:
            name = _name(sidecar, key)
            _write(folder, name, f"{_checksum(name, text)}\n{text}")
    except (OSError, ValueError, TypeError, RuntimeError):
        return


def _is_cacheable(sidecar: Sidecar) -> bool:
    """Return True for slow engines and for sidecars that have no secrets to write to their fragment."""
    return _enabled and sidecar.engine == "jinja" and not _has_secrets(sidecar)


@lru_cache(maxsize=32)
def _has_secrets(sidecar: Sidecar) -> bool:
    return "writeOnly" in json.dumps(sidecar.parameters)


def _folder(make: bool = False) -> Path | None:
    """Return the cache directory, or None if other users can access it."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute() and os.environ.get("HOME") == "":  # Path.home() would be the root of the file system
        return None
    folder = (base if base.is_absolute() else Path.home() / ".cache") / "sidecarctl"
    if make:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    return folder if stat.S_ISDIR((found := folder.lstat()).st_mode) and _is_private(found) else None


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read_private(file: Path) -> str:
    """Return the text of a regular file that only the user can access, "" for any other and for a large one."""
    # To open a pipe would wait for a writer.
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="utf-8") as opened:
        found = os.fstat(opened.fileno())
        usable = stat.S_ISREG(found.st_mode) and _is_private(found) and found.st_size <= _MAX_SIZE
        return opened.read() if usable else ""


def _checksum(name: str, text: str) -> str:
    return sha256(f"{name} {text}".encode()).hexdigest()


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file atomically; concurrent runs write the same content."""
    import tempfile

    from sidecarctl.files.signals import end_on_signals

    cached = [each for each in folder.iterdir() if _NAME.fullmatch(each.name)]
    if len(cached) >= _MAX_FILES:
        for old in cached:
            with suppress(OSError):  # a directory
                old.unlink()
    with end_on_signals():
        handle, temporary = tempfile.mkstemp(".sidecarctl", ".rendering.", folder)
        try:
            with open(handle, "w", encoding="utf-8") as opened:
                opened.write(text)
            Path(temporary).replace(folder / name)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):
                Path(temporary).unlink()
            raise


def _name(sidecar: Sidecar, key: tuple[str, ...]) -> str:
    return sha256(json.dumps([_program_stamps(), _file_hashes(sidecar), *key]).encode()).hexdigest()


@lru_cache(maxsize=32)
def _file_hashes(sidecar: Sidecar) -> list[list[str]]:
    """Return the hashes of all files that a template can read: all except test cases."""
    return [
        [file, sha256(read_small(Path(file))).hexdigest()] for _, file in sorted(list_files(str(sidecar.folder), CASES))
    ]


@lru_cache(maxsize=1)
def _program_stamps() -> list[str]:
    """Return the version, and the modification times of the program files and the template engine."""
    from importlib.util import find_spec

    engine, own = find_spec("jinja2"), Path(__file__).parent
    paths = [path for _, path in list_files(str(own), "__pycache__") if path.endswith(".py")]
    if engine and engine.origin:
        paths.append(engine.origin)
    return [__version__, *(str(Path(path).stat().st_mtime_ns) for path in sorted(paths))]
