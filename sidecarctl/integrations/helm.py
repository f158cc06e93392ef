"""Run as a Helm post-renderer, and keep a log of runs because Helm 4 discards stderr.

Runs are appended, oldest first. The log in the cache directory is truncated before the next run if it is over the size limit;
a file that the user named is not, because it can hold the output of other programs.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecarctl.composition.select import Selection, find_unused_rules
from sidecarctl.composition.workload_filter import HOOK, requests_sidecars
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, InputError, UsageError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.companions import find_source_comment, read_owner
from sidecarctl.inject.displaced_companions import gather_companions, restore_order
from sidecarctl.inject.pipeline import Options, render_documents
from sidecarctl.inject.secret_findings import mask_findings
from sidecarctl.inject.taken_names import added_names, find_taken_names
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import as_mapping, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import Retargeted, WorkloadChange
from sidecarctl.validate.check_run import find_caused
from sidecarctl.validate.placeholders import merge_notes
from sidecarctl.yamltext.edits import Insert
from sidecarctl.yamltext.separators import keep_separators
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, join, split

VARIABLE = "SIDECARCTL_LOG"
# Helm 4 sets this variable for plugins; Helm 3 does not set it for post-renderers.
_UNDER_HELM_4 = "HELM_PLUGIN_NAME"
_MAX_BYTES = 1 << 20


def log_path(given: str | None, env: Mapping[str, str]) -> Path | None:
    """Return the log file: the option, the environment variable, or, under Helm 4, a file in the user cache directory."""
    chosen = given or env.get(VARIABLE)
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError:
            raise UsageError(
                f"cannot write log file {chosen}: there is no such user, or it has no home directory",
                hint=f"set another file with --log-file or {VARIABLE}",
            ) from None
    return default_path(env) if env.get(_UNDER_HELM_4) else None


def default_path(env: Mapping[str, str]) -> Path:
    """Return $XDG_CACHE_HOME/sidecarctl/post-render.log, or the same under ~/.cache.

    Users without a home directory, as in a container, get a file in the temporary directory.
    """
    cache = env.get("XDG_CACHE_HOME")
    try:
        folder = Path(cache) if cache else Path.home() / ".cache"
    except RuntimeError:
        folder = Path(env.get("TMPDIR") or "/tmp")
    return folder / "sidecarctl" / "post-render.log"


def _is_usable(path: Path, *, named: bool) -> bool:
    """Return True for a directory, link, or regular file, of this user unless it is named, and for what does not exist."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    own = named or not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return own and stat.S_IFMT(found.st_mode) in (stat.S_IFDIR, stat.S_IFLNK, stat.S_IFREG)


def append_run(path: Path, command: str, body: str, *, required: bool, named: bool = False) -> bool:
    """Append a run to the log, headed by its time and directory. Return False if that fails.

    Raise UsageError instead if the log is required. Another log must be a regular file. If the user did not name it, both it
    and its directory must belong to the user: in a shared temporary directory, others can have made one.
    """
    head = f"== {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {command} in {Path.cwd()}\n"
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)  # the cache of renderings needs it to be private
        grown = path == default_path(os.environ) and path.exists() and path.stat().st_size > _MAX_BYTES
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC * grown | getattr(os, "O_NOFOLLOW", 0)
        if not required and not all(_is_usable(each, named=named) for each in (path.parent, path)):
            return False
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(head + body + ("" if body.endswith("\n") else "\n"))
    except OSError as problem:
        if required:
            raise UsageError(
                f"cannot write log file {path}: {problem.strerror or problem}",
                hint=f"set another file with --log-file or {VARIABLE}",
            ) from None
        return False
    return True


STREAM = "standard input"
ORIGIN = "postrenderer.helm.sh/postrender-filename"
# Helm 4 reports empty output as an error; Helm 3 takes it for an empty release.
_NOTHING = "# the chart renders nothing\n"


@dataclass(frozen=True)
class PostRenderResult:
    """The result of a run: text for stdout (empty on failure), findings, changes, number of skipped hooks, exit code, and
    changed ports.
    """

    text: str
    findings: tuple[Finding, ...] = ()
    changes: tuple[WorkloadChange, ...] = ()
    skipped_hooks: int = 0
    code: int = EXIT_OK
    retargeted: tuple[Retargeted, ...] = ()


def run(
    data: bytes,
    selection: Selection,
    settings: Options,
    *,
    hooks: bool = False,
    allow_empty: bool = False,
    fail_on: Severity = Severity.ERROR,
) -> PostRenderResult:
    """Apply a composition to the manifests of a chart. Raise InputError for empty or unreadable input.

    Without `hooks`, only hooks that request sidecars by annotation get any.
    """
    text = decode(data, STREAM)
    if not text.strip("\ufeff \t\r\n"):
        if allow_empty:
            return PostRenderResult(_NOTHING)
        raise InputError(
            "no manifests received from Helm",
            where=STREAM,
            hint="run `helm template` without the post-renderer to see its output; if the chart may be empty, use --allow-empty",
        )
    documents = list(split(text, STREAM))
    for index, document in enumerate(documents):
        document.index = index
    skipped_hooks: list[Document] = []

    def skip(document: Document) -> bool:
        if hooks or not _is_skipped_hook(document, settings.kinds):
            return False
        skipped_hooks.append(document)
        return True

    gathered = gather_companions(documents, settings.kinds)
    walked = render_documents(gathered, selection, settings, skip)
    caused = find_caused(documents, walked.documents, settings.kube_version, settings.kinds, settings.severities)
    findings = tuple(
        merge_notes(
            (
                *walked.findings,
                *find_taken_names(documents, added_names(walked.changes)),
                *mask_findings(caused, walked.secrets),
                *find_unused_rules(selection, walked.rules),
            )
        )
    )
    if any(finding.severity.rank <= fail_on.rank for finding in findings):
        return PostRenderResult("", findings, (), len(skipped_hooks), EXIT_FINDINGS)
    out = keep_separators(documents, restore_order(_add_origins(walked.documents)))
    return PostRenderResult(join(out), findings, walked.changes, len(skipped_hooks), retargeted=walked.retargeted)


def _is_skipped_hook(document: Document, kinds: Kinds) -> bool:
    """Return True for a hook that does not request sidecars by annotation."""
    if HOOK not in document.text:
        return False
    annotations = as_mapping(as_mapping(as_mapping(document.value).get("metadata")).get("annotations"))
    return HOOK in annotations and not any(map(requests_sidecars, workloads(document.value, kinds)))


def _add_origins(documents: Sequence[Document]) -> list[Document]:
    """Return the documents, with the origin of its workload added to each new companion."""
    out: list[Document] = []
    workload: Document | None = None
    for document in documents:
        if read_owner(document) is None:  # also a List that contains a companion
            workload = document
        elif workload is not None:
            document = _with_origin(document, workload)
        out.append(document)
    return out


def _with_origin(companion: Document, workload: Document) -> Document:
    source = find_source_comment(workload.text)
    if source and not find_source_comment(companion.text) and not companion.text.lstrip().startswith("{"):
        newline = "\r\n" if "\r\n" in workload.text else "\n"
        companion = companion.with_text(source + newline + companion.text)
    if ORIGIN in workload.text and ORIGIN not in companion.text and companion.root is not None:
        metadata = as_mapping(as_mapping(workload.value).get("metadata"))
        origin = as_mapping(metadata.get("annotations")).get(ORIGIN)
        if isinstance(origin, str):
            edits = [Insert(("metadata", "annotations", ORIGIN), origin, "origin")]
            done = splice(companion.text, companion.root, edits)
            companion = companion.with_text(done.text, done.root)
    return companion
