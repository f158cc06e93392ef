"""The log of runs inside another program, which may drop what is said on standard error: Helm 4 does.

Runs are appended, oldest first; a log that has grown too long begins anew. Knows text and files, no report.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecarctl.composition.annotations import INJECT, OPT_OUT
from sidecarctl.composition.select import Selection, find_unused_rules
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, InputError, UsageError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.companions import OWNER_ANNOTATION, gather_companions, keep_metadata, restore_order
from sidecarctl.inject.pipeline import Options, render_documents
from sidecarctl.kube.workload import as_mapping
from sidecarctl.results import WorkloadChange
from sidecarctl.yamltext.edits import Insert
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, join, split

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


STREAM = "standard input"
HOOK = "helm.sh/hook"
ORIGIN = "postrenderer.helm.sh/postrender-filename"
# Helm takes empty output for an error or, Helm 3, for a release without anything in it.
_NOTHING = "# the chart renders nothing\n"
_SOURCE = re.compile(r"^# Source: [^\r\n]+", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a run gives: the text for standard output (empty where the run failed), what is to be said, the exit code."""

    text: str
    findings: tuple[Finding, ...] = ()
    changes: tuple[WorkloadChange, ...] = ()
    hooks: int = 0
    code: int = EXIT_OK


def run(
    data: bytes,
    chosen: Selection,
    settings: Options,
    *,
    hooks: bool = False,
    allow_empty: bool = False,
    fail_on: Severity = Severity.ERROR,
) -> Outcome:
    """Return what becomes of a chart's manifests. Raises InputError for nothing, and for what can't be read.

    `hooks` treats hooks like everything else; without it only a hook that asks for sidecars itself gets any.
    """
    text = decode(data, STREAM)
    if not text.strip("\ufeff \t\r\n"):
        if allow_empty:
            return Outcome(_NOTHING)
        raise InputError(
            "Helm handed over nothing to render",
            where=STREAM,
            hint="see what `helm template` prints without the post-renderer; for a chart that may render nothing say --allow-empty",
        )
    documents = list(split(text, STREAM))
    for index, document in enumerate(documents):
        document.index = index
    left_alone: list[Document] = []

    def leave(document: Document) -> bool:
        if hooks or not _is_hook(document):
            return False
        left_alone.append(document)
        return True

    gathered, moved = gather_companions(documents, settings.kinds)
    walked = render_documents(gathered, chosen, settings, leave)
    findings = (*walked.findings, *find_unused_rules(chosen, walked.rules))
    if any(finding.severity.rank <= fail_on.rank for finding in findings):
        return Outcome("", findings, (), len(left_alone), EXIT_FINDINGS)
    out = keep_metadata(restore_order(_traced(walked.documents), moved, len(documents)), documents)
    return Outcome(join(out), findings, walked.changes, len(left_alone))


def _is_hook(document: Document) -> bool:
    """True for a hook that does not ask for sidecars itself."""
    if HOOK not in document.text:
        return False
    annotations = as_mapping(as_mapping(as_mapping(document.value).get("metadata")).get("annotations"))
    return HOOK in annotations and annotations.get(INJECT, OPT_OUT) in (OPT_OUT, False, "")


def _traced(documents: Sequence[Document]) -> list[Document]:
    """The documents, each new companion with the origin of the workload before it."""
    out: list[Document] = []
    workload: Document | None = None
    for document in documents:
        if OWNER_ANNOTATION not in document.text:
            workload = document
        elif workload is not None:
            document = _with_origin(document, workload)
        out.append(document)
    return out


def _with_origin(companion: Document, workload: Document) -> Document:
    source = _SOURCE.search(workload.text)
    if source and not _SOURCE.search(companion.text) and not companion.text.lstrip().startswith("{"):
        newline = "\r\n" if "\r\n" in workload.text else "\n"
        companion = companion.with_text(source.group() + newline + companion.text)
    if ORIGIN in workload.text and ORIGIN not in companion.text and companion.root is not None:
        metadata = as_mapping(as_mapping(workload.value).get("metadata"))
        origin = as_mapping(metadata.get("annotations")).get(ORIGIN)
        if isinstance(origin, str):
            edits = [Insert(("metadata", "annotations", ORIGIN), origin, "origin")]
            done = splice(companion.text, companion.root, edits)
            companion = companion.with_text(done.text, done.root)
    return companion
