"""The log of runs inside another program, which may drop what is said on standard error: Helm 4 does.

Runs are appended, oldest first; a log that has grown too long begins anew. Knows text and files, no report.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from sidecarctl.errors import UsageError

VARIABLE = "SIDECARCTL_LOG"
# Helm 4 sets it for its plugins; Helm 3 does not set it for a post-renderer.
_UNDER_HELM_4 = "HELM_PLUGIN_NAME"
_MAX_BYTES = 1 << 20


def log_path(given: str | None, env: Mapping[str, str]) -> Path | None:
    """Return where the log goes: as given, else as the environment says, else, under Helm 4, into the user's cache folder."""
    chosen = given or env.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return default_path(env) if env.get(_UNDER_HELM_4) else None


def default_path(env: Mapping[str, str]) -> Path:
    """Return the log in the user's cache folder: $XDG_CACHE_HOME/sidecarctl/post-render.log, ~/.cache without it.

    A user without a home, as in a container, has it in the folder for temporary files.
    """
    cache = env.get("XDG_CACHE_HOME")
    try:
        folder = Path(cache) if cache else Path.home() / ".cache"
    except RuntimeError:
        folder = Path(env.get("TMPDIR") or "/tmp")
    return folder / "sidecarctl" / "post-render.log"


def append(path: Path, command: str, body: str, *, asked_for: bool) -> bool:
    """Add a run to the log, its time and folder first; False where that failed.

    Raises UsageError where somebody asked for this very file.
    """
    head = f"== {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {command} in {Path.cwd()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        grown = path.exists() and path.stat().st_size > _MAX_BYTES
        # Nobody else's file: a link in a shared folder is not followed.
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if grown else os.O_APPEND) | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(head + body + ("" if body.endswith("\n") else "\n"))
    except OSError as problem:
        if asked_for:
            raise UsageError(
                f"the log {path} can't be written: {problem.strerror or problem}",
                hint=f"name another with --log-file or {VARIABLE}",
            ) from None
        return False
    return True
