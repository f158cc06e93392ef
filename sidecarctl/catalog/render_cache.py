"""Renderings kept from one run to the next, so that a run that has nothing new to render starts no template engine.

Files in the user's own cache folder, named after a hash of all that a rendering depends on; nobody else may be able to write
there, or nothing is read. Knows no engine. SIDECARCTL_NO_CACHE=1 switches it off; only the command line switches it on.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidecarctl import __version__
from sidecarctl.catalog.index import files
from sidecarctl.catalog.sidecar import Sidecar

OFF = "SIDECARCTL_NO_CACHE"
_MAX_FILES = 256
_MAX_NEW = 8  # a run: what differs from workload to workload is not worth keeping
_PRIVATE = 0o700

_on = False
_written = 0


def switch_on() -> None:
    """Let this process keep renderings, if the user has not switched it off."""
    global _on
    _on = not os.environ.get(OFF) and hasattr(os, "geteuid")


def recall(sidecar: Sidecar, *key: str) -> Any:
    """Return the data kept under a key for a sidecar as it stands in its folder now, None where there are none."""
    if not _keeps(sidecar):
        return None
    try:
        folder = _folder()
        return None if folder is None else json.loads(_own(folder / _name(sidecar, key)))
    except (OSError, ValueError, RuntimeError):  # the last one: a user without a home
        return None


def keep(sidecar: Sidecar, data: Any, *key: str) -> None:
    """Keep data, if they are plain, for `recall`. What goes wrong is no error: the next run renders again."""
    global _written
    if not _keeps(sidecar) or _written >= _MAX_NEW:
        return
    _written += 1
    try:
        text = json.dumps(data, allow_nan=False)
        folder = _folder(make=True) if json.loads(text) == data else None
        if folder is not None:
            _write(folder, _name(sidecar, key), text)
    except (OSError, ValueError, TypeError, RuntimeError):
        return


def _keeps(sidecar: Sidecar) -> bool:
    """Only what is slow, and no sidecar that could write a secret into its fragment."""
    return _on and sidecar.engine == "jinja" and "writeOnly" not in json.dumps(sidecar.parameters)


def _folder(make: bool = False) -> Path | None:
    """The cache folder, None where it is not the user's alone."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (base if base.is_absolute() else Path.home() / ".cache") / "sidecarctl"
    if make:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    return folder if stat.S_ISDIR((found := folder.lstat()).st_mode) and _is_own(found) else None


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _own(file: Path) -> str:
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as opened:
        return opened.read() if _is_own(os.fstat(opened.fileno())) else ""


def _write(folder: Path, name: str, text: str) -> None:
    """Whole or not at all: two runs at once write the same."""
    import tempfile

    files = list(folder.iterdir())
    if len(files) >= _MAX_FILES:
        for old in files:
            old.unlink(missing_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder)
    with open(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    Path(temporary).replace(folder / name)


def _name(sidecar: Sidecar, key: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([_program(), _content(sidecar), *key]).encode()).hexdigest()


@lru_cache(maxsize=32)
def _content(sidecar: Sidecar) -> list[list[str]]:
    """All that a template can read: the files in its folder."""
    return [
        [file, hashlib.sha256(Path(file).read_bytes()).hexdigest()] for _, file in sorted(files(str(sidecar.folder)))
    ]


@lru_cache(maxsize=1)
def _program() -> list[str]:
    """What renders: this version, and for those who work on it the times of its files; the engine."""
    from importlib.util import find_spec

    engine, own = find_spec("jinja2"), Path(__file__).parent
    paths = [path for _, path in files(str(own), "__pycache__") if path.endswith(".py")]
    if engine and engine.origin:
        paths.append(engine.origin)
    return [__version__, *(str(Path(path).stat().st_mtime_ns) for path in sorted(paths))]
