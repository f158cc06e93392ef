"""Build and run the oracle, which validates manifests with the API server's own code.

`python tests/oracle/oracle.py` builds it (Go 1.26 or newer, modules from the network).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent
BINARY = SOURCES.parents[1] / ".tools" / ("oracle.exe" if os.name == "nt" else "oracle")
BUILD_COMMAND = "python tests/oracle/oracle.py"


@dataclass(frozen=True)
class Problem:
    """One problem that the API server reports.

    `field` is the path in the API server's spelling (`spec.containers[0].name`), empty if there is none. `type` is
    the type of a field error (`Required`, `Invalid`, `Duplicate`, ...) or of a decoding error (see README.md).
    `line` counts from 1 within the document; 0 means unknown.
    """

    field: str
    type: str
    detail: str
    message: str = ""
    line: int = 0


@dataclass(frozen=True)
class Check:
    """A pod security check that fails."""

    check: str
    reason: str
    detail: str


@dataclass(frozen=True)
class PodSecurity:
    """The failed checks of each level; `restricted` includes the baseline checks that it does not replace."""

    baseline: tuple[Check, ...] = ()
    restricted: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The verdict of the API server on one document.

    `supported` is false for a kind that the API server does not serve; the other fields are then empty. `errors` are
    validation errors, also if only strict decoding rejects the document. `warnings` belong to an accepted document.
    `pod_security` is None without a pod template.
    """

    api_version: str
    kind: str
    supported: bool
    accepted: bool
    empty: bool = False
    decode_errors: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    pod_security: PodSecurity | None = None
    pod_security_at: Mapping[str, PodSecurity] = field(default_factory=dict)
    panic: str = ""
    read: Any = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems: decoding errors, then validation errors."""
        return self.decode_errors + self.errors

    @property
    def fields(self) -> frozenset[str]:
        """The paths of all problems."""
        return frozenset(problem.field for problem in self.problems)


class OracleError(Exception):
    """The oracle can't be built, or a run failed."""


def missing() -> str:
    """Return why the oracle is not available and how to build it; empty if it is available."""
    if BINARY.exists() and (not _stale() or shutil.which("go")):
        return ""
    if shutil.which("go"):
        return f"the oracle is not built; run: {BUILD_COMMAND}"
    return f"the oracle is not built; install Go 1.26 or newer (https://go.dev/dl), then run: {BUILD_COMMAND}"


def build() -> Path:
    """Build the oracle if it is missing or older than its sources, and return its path."""
    if BINARY.exists() and not _stale():
        return BINARY
    go = shutil.which("go")
    if go is None:
        raise OracleError(missing())
    BINARY.parent.mkdir(exist_ok=True)
    fresh = BINARY.with_name(f"{BINARY.name}.{os.getpid()}")
    command = [go, "build", "-p", "2", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), "."]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise OracleError(f"`{' '.join(command)}` in {SOURCES} failed:\n{done.stderr.strip()}")
    fresh.replace(BINARY)
    return BINARY


def version() -> str:
    """Return the Kubernetes version of the oracle, such as `v1.37.1`."""
    return _run(["-version"], "").strip()


def verdicts(
    texts: Iterable[str],
    *,
    pod_security_versions: Sequence[str] = (),
    emulate: str = "",
    read: bool = False,
) -> list[Verdict]:
    """Return the verdict on each text, in order; a text is one YAML or JSON document or a List.

    `pod_security_versions` are additional policy versions, such as `v1.25`. `emulate` is an older minor version, such
    as `1.35`, whose feature gates apply. With `read`, each verdict contains the decoded document. One process checks
    all texts. Raises OracleError if the oracle is missing and can't be built.
    """
    lines = [json.dumps({"id": number, "yaml": text}) for number, text in enumerate(texts)]
    flags = ["-jsonl"]
    if pod_security_versions:
        flags += ["-pod-security-version", ",".join(pod_security_versions)]
    if emulate:
        flags += ["-emulate", emulate]
    if read:
        flags += ["-json"]
    answers = [json.loads(line) for line in _run(flags, "\n".join(lines)).split("\n") if line]
    if [answer["id"] for answer in answers] != list(range(len(lines))):
        raise OracleError(f"{len(lines)} documents got {len(answers)} answers")
    return [_verdict(answer) for answer in answers]


def _stale() -> bool:
    built = BINARY.stat().st_mtime
    sources = [*SOURCES.glob("*.go"), SOURCES / "go.mod", SOURCES / "go.sum"]
    return any(path.stat().st_mtime > built for path in sources)


def _run(flags: list[str], text: str) -> str:
    command = [str(build()), *flags]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise OracleError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout


def _verdict(answer: Mapping[str, Any]) -> Verdict:
    security = answer["podSecurity"]
    by_version = answer.get("podSecurityAt", {})
    return Verdict(
        api_version=answer["apiVersion"],
        kind=answer["kind"],
        supported=answer["supported"],
        accepted=answer["accepted"],
        empty=answer.get("empty", False),
        decode_errors=tuple(Problem(**problem) for problem in answer["decodeErrors"]),
        errors=tuple(Problem(**problem) for problem in answer["errors"]),
        warnings=tuple(answer["warnings"]),
        pod_security=_pod_security(security) if security else None,
        pod_security_at={name: _pod_security(levels) for name, levels in by_version.items()},
        panic=answer.get("panic", ""),
        read=answer.get("json"),
    )


def _pod_security(levels: Mapping[str, Any]) -> PodSecurity:
    def checks(level: str) -> tuple[Check, ...]:
        return tuple(Check(c["check"], c["forbiddenReason"], c["forbiddenDetail"]) for c in levels[level])

    return PodSecurity(checks("baseline"), checks("restricted"))


if __name__ == "__main__":
    try:
        print(build())
    except OracleError as error:
        sys.exit(str(error))
