"""Runs the command line of sidecarctl inside the browser, on files in memory. `worker.js` calls `apply`."""

from __future__ import annotations

import gc
import io
import json
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

MANIFEST = "manifest.yaml"
_WORK, _RESULT = Path("/work"), Path("/work/result")


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command line, and return its exit code, stdout, and stderr."""
    from sidecarctl.__main__ import main

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True) for _ in range(2)]
    code = 0
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            # The command line freezes the objects of its start-up; here, each run is a start-up.
            gc.unfreeze()
    out, err = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in streams)
    return code, out, err


def apply(request: str) -> str:
    """Add a sidecar to a manifest; both are JSON.

    request  manifest, sidecar, parameters (name: text), containers, kubeVersion, retarget (true or false), columns
    result   exit (the exit code), text, report (stderr), diff, findings (as in report.schema.json), svg, tree
    """
    asked = json.loads(request)
    _RESULT.mkdir(parents=True, exist_ok=True)
    os.environ["COLUMNS"] = str(asked["columns"])
    os.chdir(_WORK)
    Path(MANIFEST).write_text(asked["manifest"], encoding="utf-8", newline="")
    version = ["--kube-version", asked["kubeVersion"]] if asked["kubeVersion"] else []
    code, text, report = run(
        "add",
        asked["sidecar"],
        "-f",
        MANIFEST,
        *(word for name, value in asked["parameters"].items() for word in ("--set", f"{escape_key(name)}={value}")),
        *(word for name in asked["containers"] for word in ("--container", name)),
        *(["--retarget"] if asked["retarget"] else []),
        *version,
    )
    answer = {"exit": code, "text": text, "report": report}
    return json.dumps(answer | (inspect(asked["manifest"], text, version) if text else {}))


def escape_key(name: str) -> str:
    """Return the name of a parameter as `--set` reads it."""
    return re.sub(r"([.=\[\\])", r"\\\1", name)


def inspect(before: str, text: str, version: list[str]) -> dict[str, object]:
    """Return the diff, the findings, and the drawings of a result."""
    from sidecarctl.report.diff import unified_diff

    os.chdir(_RESULT)
    Path(MANIFEST).write_text(text, encoding="utf-8", newline="")
    _, verdict, problem = run("validate", "-f", MANIFEST, "--format", "json", *version)
    findings = json.loads(verdict)["findings"] if verdict else []
    return {
        "diff": unified_diff(before, text, MANIFEST),
        "findings": findings,
        "problem": "" if verdict else problem,
        "svg": run("graph", "-f", MANIFEST, "--format", "svg", *version)[1],
        "tree": run("graph", "-f", MANIFEST, *version)[1],
    }
