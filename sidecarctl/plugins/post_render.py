"""A Helm post-renderer: the manifests of a chart in, the same with their sidecars out. Knows Helm's stream, no flags.

Helm 3 hands over documents with `# Source:` comments and no hooks; Helm 4 hands over hooks too, and marks each document with the
file that it comes from by an annotation, which it takes off again. A companion gets what its workload has of both, so that
`helm template --show-only` shows it and Helm 4 knows where it belongs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sidecarctl.compose.annotations import INJECT, OPT_OUT
from sidecarctl.compose.companions import OWNER_ANNOTATION
from sidecarctl.compose.gathering import carried, gather, scatter
from sidecarctl.compose.pipeline import Options, render_documents
from sidecarctl.compose.selection import Selection
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, InputError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.workload import as_mapping
from sidecarctl.plugins.unused import told_unused
from sidecarctl.report.model import WorkloadChange
from sidecarctl.yamltext.edits import Insert
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, join, split

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

    gathered, moved = gather(documents, settings.kinds)
    walked = render_documents(gathered, chosen, settings, leave)
    findings = (*walked.findings, *told_unused(chosen, walked.rules))
    if any(finding.severity.rank <= fail_on.rank for finding in findings):
        return Outcome("", findings, (), len(left_alone), EXIT_FINDINGS)
    out = carried(scatter(_traced(walked.documents), moved, len(documents)), documents)
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
