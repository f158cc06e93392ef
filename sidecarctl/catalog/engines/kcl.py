"""Render KCL templates in a worker process."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecarctl import limits, watchdog
from sidecarctl.catalog.entry_files import check_depth, list_files, read_text
from sidecarctl.catalog.render_reuse import Placeholder, Uses
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, TemplateRefusal, TemplateStopped, UsageError
from sidecarctl.turn import Turn
from sidecarctl.yamltext.scalars import to_integer

_WORKER = Path(__file__).with_name("kcl_worker.py")
_END_SECONDS = 2  # for a worker to end after its stdin is closed
# Variables that Python needs to start and to find packages; templates cannot see them.
_ENVIRONMENT = (
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "SYSTEMROOT",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
)


def render(sidecar: Sidecar, inputs: Mapping[str, Any]) -> Any:
    """Return the top-level variables of the template except those that start with `_`.

    The template gets one option, `input`. Raise LibraryError with the file and line for syntax errors and failed checks,
    UsageError if KCL is not installed.
    """
    value = _request(sidecar, input=inputs)["value"]
    check_depth(value, "template output", str(sidecar.template))
    return _whole_numbers(value)


def find_uses(sidecar: Sidecar) -> Uses:
    """Return the inputs that the template may inspect or print; empty if they are unknown."""
    try:
        found = _request(sidecar)["uses"]
    except TemplateStopped:
        raise
    except LibraryError:
        return Uses()  # rendering reports the error
    return Uses() if found is None else Uses(frozenset(found["exact"]), frozenset(found["written"]))


def _placeholder_text(value: object) -> str:
    """Encode a placeholder as its text: KCL templates are checked in advance to only print it."""
    if isinstance(value, Placeholder):
        return value._text
    raise TypeError(f"a {type(value).__name__} has no JSON")


def _whole_numbers(value: Any) -> Any:
    """Convert whole floats to integers, as the YAML parser does."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value) if abs(value) < 2**63 else to_integer(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    return [_whole_numbers(inner) for inner in value] if isinstance(value, list) else value


# What to do about an error of a template, by its kind: raise a limit, or change the template.
_HINTS: dict[str, limits.Limit | str] = {
    "large": limits.RENDERED,
    "slow": limits.SECONDS,
    "crashed": limits.MEMORY,
    "refused": "compute the value in the template, or take it as a parameter",
}
_STOPPED = ("slow", "crashed")  # the worker ended


def _request(sidecar: Sidecar, **more: Any) -> dict[str, Any]:
    if importlib.util.find_spec("kcl_lib") is None:
        raise UsageError(
            f"sidecar {sidecar.name} requires KCL, which is not installed",
            hint="install it with pip install 'sidecarctl[kcl]'",
        )
    _check_files(sidecar)
    folder = sidecar.folder.absolute()
    request = {
        "template": str(sidecar.template.absolute()),
        "folder": str(folder),
        "modules": {name: str(path.absolute()) for name, path in sidecar.modules.items()},
        **more,
    }
    answer = _worker.ask(request)
    if "error" in answer:
        where = answer["where"].replace(str(folder), str(sidecar.folder), 1) or str(sidecar.template)
        if answer["kind"] == "error" and _is_assertion(where, sidecar):
            raise TemplateRefusal(answer["error"], where=where, hint=TemplateRefusal.HINT)
        kind = "unsafe template operation" if answer["kind"] == "refused" else "template error"
        way_out = _HINTS.get(answer["kind"], "")
        hint = way_out.way_out if isinstance(way_out, limits.Limit) else way_out
        error = TemplateStopped if answer["kind"] in _STOPPED else LibraryError
        raise error(f"{kind}: {answer['error']}", where=where, hint=hint)
    return answer


def _check_files(sidecar: Sidecar) -> None:
    """Raise LibraryError for a file that KCL could open and that is too large or not a regular file."""
    read_text(sidecar.template, sidecar.folder, limits.TEMPLATE)
    for name, path in list_files(str(sidecar.folder)):
        if name.endswith(".k"):
            read_text(Path(path), sidecar.folder)


def _is_assertion(where: str, sidecar: Sidecar) -> bool:
    """Return True if an `assert` of the template failed, which is an error of the user, not of the template."""
    found = re.match(r"(.+?):([0-9]+)", where)
    try:
        lines = read_text(Path(found[1]), sidecar.folder).splitlines() if found else []
    except LibraryError:
        return False
    number = int(found[2]) if found else 0
    return 0 < number <= len(lines) and lines[number - 1].lstrip().startswith("assert")


class _Worker:
    """The worker process, started on first use and restarted after it ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = Turn()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request, or an error if the process ends."""
        with self._turn.take() as interrupted:
            if interrupted:
                return _ask_another(request)
            process = self._process = self._process or _start()
            assert process.stdin is not None and process.stdout is not None
            began = time.monotonic()
            try:
                process.stdin.write(json.dumps(request, default=_placeholder_text) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if line:
                    answer: dict[str, Any] = json.loads(line)
                    watchdog.spend(answer.pop("seconds"))
                    return answer
            except (OSError, ValueError):
                pass  # the process ended
            except BaseException:  # Ctrl-C: the answer must not be taken for that of the next request
                process.kill()
                self.stop()
                raise
            self.stop()
            watchdog.spend(limits.SECONDS.value)
            # A process that cannot start, or has no memory for an answer, ends with 1 too.
            if process.returncode == 1 and time.monotonic() - began >= limits.SECONDS.value:
                return {"error": f"run time exceeds {limits.SECONDS.value} s", "where": "", "kind": "slow"}
            what = f"KCL crashed: endless recursion, or more than {limits.MEMORY.value:,} MiB of memory"
            return {"error": what, "where": "", "kind": "crashed"}

    def stop(self) -> None:
        """End the process; the next request starts a new one."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            try:
                process.stdin.close()
            except OSError:
                pass
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:  # another process has inherited the pipe, and keeps it open
                process.kill()
                process.wait()
            process.stdout.close()

    def leave_to_parent(self) -> None:
        """Release the pipes in a forked process: the worker ends when all copies of its stdin are closed.

        Does not close the streams: that would write what they hold, and wait for their locks.
        """
        process = self._process
        if process is not None and process.stdin is not None and process.stdout is not None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (process.stdin, process.stdout):
                os.dup2(nowhere, stream.fileno(), inheritable=False)
            os.close(nowhere)


def _ask_another(request: Mapping[str, Any]) -> dict[str, Any]:
    other = _Worker()
    try:
        return other.ask(request)
    finally:
        other.stop()


def _start() -> subprocess.Popen[str]:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    given = (limits.SECONDS.value, limits.RENDERED.value, limits.MEMORY.value)
    if not sys.executable:
        raise LibraryError("KCL needs the path of the Python interpreter", hint="set sys.executable in the program")
    try:
        return subprocess.Popen(
            [sys.executable, str(_WORKER), *map(str, given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**environment, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"},
        )
    except OSError as problem:
        from sidecarctl.limited_worker import cannot_start

        raise cannot_start(problem) from None


_worker = _Worker()


def _replace_worker() -> None:
    """Use another worker in a forked process."""
    global _worker
    _worker.leave_to_parent()
    _worker = _Worker()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_worker)
atexit.register(lambda: _worker.stop())
