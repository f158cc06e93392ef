"""Templates in KCL: asks the process in which KCL runs, and tells what went wrong. Knows nothing of KCL's runtime."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.render_reuse import Placeholder, Uses
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, TemplateRefusal, UsageError

_WORKER = Path(__file__).with_name("kcl_worker.py")
# What Python itself needs to start and to find its packages; a template sees none of it.
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
    """Return the value of the template: its top-level variables, but those that begin with `_`.

    The template gets one option, `input`. Raises LibraryError with the template's file and line for both kinds of failure,
    those of its text and those of its checks; UsageError where KCL is not installed.
    """
    return _whole_numbers(_ask(sidecar, input=inputs)["value"])


def uses(sidecar: Sidecar) -> Uses:
    """Return the inputs that the template mentions; nothing is claimed where that can't be told."""
    try:
        found = _ask(sidecar)["uses"]
    except LibraryError:
        return Uses()  # rendering says what is wrong
    return Uses() if found is None else Uses(frozenset(found["exact"]), frozenset(found["written"]))


def _text(value: object) -> str:
    """A placeholder goes as the text that stands for it: where it is one, the template was found to only write it."""
    if isinstance(value, Placeholder):
        return value._text
    raise TypeError(f"a {type(value).__name__} has no JSON")


def _whole_numbers(value: Any) -> Any:
    """KCL's 1.0 is the 1 that YAML's reader makes of it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    return [_whole_numbers(inner) for inner in value] if isinstance(value, list) else value


def _ask(sidecar: Sidecar, **more: Any) -> dict[str, Any]:
    if importlib.util.find_spec("kcl_lib") is None:
        raise UsageError(
            f"the sidecar {sidecar.name} is written in KCL, which is not installed",
            hint="install it: pip install 'sidecarctl[kcl]'",
        )
    folder = sidecar.folder.absolute()
    request = {
        "template": str(sidecar.template.absolute()),
        "folder": str(folder),
        "modules": {name: str(path.absolute()) for name, path in sidecar.modules.items()},
        **more,
    }
    answer = _worker().ask(request)
    if "error" in answer:
        where = answer["where"].replace(str(folder), str(sidecar.folder), 1) or str(sidecar.template)
        if answer["kind"] == "error" and _asserts(where, sidecar):
            raise TemplateRefusal(answer["error"], where=where, hint=TemplateRefusal.HINT)
        did = "does what no template may" if answer["kind"] == "refused" else "fails"
        hint = limits.RENDERED.way_out if answer["kind"] == "large" else ""
        raise LibraryError(f"the template {did}: {answer['error']}", where=where, hint=hint)
    return answer


def _asserts(where: str, sidecar: Sidecar) -> bool:
    """True where an `assert` failed: that is what the template says, not a fault of its own."""
    found = re.match(r"(.+?):([0-9]+)", where)
    try:
        lines = read_text(Path(found[1]), sidecar.folder).splitlines() if found else []
    except LibraryError:
        return False
    number = int(found[2]) if found else 0
    return 0 < number <= len(lines) and lines[number - 1].lstrip().startswith("assert")


class _Worker:
    """The process, started on first use and again after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one request; if the process ends over it, an answer that says so."""
        with self._turn:
            process = self._process = self._process or _start()
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(request, default=_text) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except (OSError, ValueError):
                line = ""
            if line:
                answer: dict[str, Any] = json.loads(line)
                return answer
            self.stop()
            what = (
                f"it runs for more than {limits.SECONDS.value} s; {limits.SECONDS.way_out}"
                if process.returncode == 1
                else "it crashes KCL: endless recursion?"
            )
            return {"error": what, "where": "", "kind": "error"}

    def stop(self) -> None:
        """End the process; the next request starts another."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            try:
                process.stdin.close()
            except OSError:
                pass
            process.wait()
            process.stdout.close()


def _start() -> subprocess.Popen[str]:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, str(_WORKER), str(limits.SECONDS.value), str(limits.RENDERED.value)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env={**environment, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"},
    )


_workers: dict[int, _Worker] = {}


def _worker() -> _Worker:
    """The worker of this very process: a forked one must not share its parent's pipes."""
    pid = os.getpid()
    if pid not in _workers:
        _workers.clear()
        _workers[pid] = _Worker()
        atexit.register(_workers[pid].stop)
    return _workers[pid]
