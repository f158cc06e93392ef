"""Validation of texts, all documents of a run together. A syntax error is a finding and does not stop the run."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sidecarctl import watchdog
from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.files.classify import is_partial_object
from sidecarctl.findings import Finding, Ignored, PathTuple, Place, Severity
from sidecarctl.kube.kinds import BUILT_IN
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.validate.check_document import check_documents, check_pod_template, is_rejection, with_subject
from sidecarctl.validate.kustomized import adds_missing_field
from sidecarctl.validate.placeholders import merge_notes, without_placeholders
from sidecarctl.validate.registry import rules
from sidecarctl.validate.rule_selection import RuleSelection, selected_rules
from sidecarctl.validate.schema import check_object
from sidecarctl.validate.suppress import suppress
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.stream import Document, split_readable

SYNTAX = "yaml-syntax"


@dataclass(frozen=True)
class SourceText:
    """A text and the file name to report for it.

    `complete` False: skip partial objects, as in files of a directory. `kustomized`: a kustomization names the file as a
    resource, so kustomize adds what can be missing in it.
    """

    text: str
    file: str
    complete: bool = True
    kustomized: bool = False


@dataclass(frozen=True)
class CheckedDocument:
    """A document with findings, and the number of its text, from 0."""

    text: int
    document: Document
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Verdict:
    """The findings of texts, in order, and whether a document could not be parsed.

    objects  number of documents that are not empty
    partial  number of skipped partial objects
    """

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    documents: int = 0
    unparsed: bool = False
    objects: int = 0
    partial: int = 0
    checked: tuple[CheckedDocument, ...] = field(default=(), repr=False, compare=False)

    @property
    def failed(self) -> bool:
        """True if a finding is an error, or a document cannot be parsed."""
        return self.unparsed or any(one.severity is Severity.ERROR for one in self.findings)


def validate_texts(texts: Iterable[SourceText], selection: RuleSelection) -> Verdict:
    """Return the findings of texts, with their places. A rule does not repeat a schema error of the same value."""
    with gc_disabled():
        return _validated(texts, selection)


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Disable the garbage collector, which would traverse all nodes of all documents repeatedly."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _validated(texts: Iterable[SourceText], selection: RuleSelection) -> Verdict:
    documents: list[Document] = []
    numbers: list[int] = []
    kustomized: list[bool] = []
    broken: list[Finding] = []
    partial = 0
    for number, text in enumerate(texts):
        for found in _documents(text):
            if isinstance(found, Finding):
                broken.append(found)
            elif not text.complete and is_partial_object(found.value):
                partial += 1
            else:
                documents.append(found)
                numbers.append(number)
                kustomized.append(text.kustomized)
    checked: list[CheckedDocument] = []
    ignored: list[Ignored] = []
    for number, document, added, findings in zip(numbers, documents, kustomized, _found(documents, selection)):
        if added:
            findings = [one for one in findings if not adds_missing_field(one)]
        kept, hidden = _reported(document, findings, selection)
        if kept:  # free the nodes of documents without findings
            checked.append(CheckedDocument(number, document, tuple(kept)))
        ignored += hidden
    broken = [
        one for each in broken if (one := selection.graded(each, each.place.file if each.place else "")) is not None
    ]
    every = (*broken, *(one for each in checked for one in each.findings))
    objects = sum(document.root is not None for document in documents)
    return Verdict(every, tuple(ignored), len(documents), bool(broken), objects, partial, tuple(checked))


def _reported(
    document: Document, findings: list[Finding], selection: RuleSelection
) -> tuple[list[Finding], tuple[Ignored, ...]]:
    """Return the findings to report for a document, with their severities, and the ignored ones."""
    findings, notes = without_placeholders(document.value, findings)
    findings += merge_notes(notes)
    graded = [one for each in findings if (one := selection.graded(each, document.file)) is not None]
    if not selection.ignores:
        return graded, ()
    outcome = suppress(document, graded, known=rules(), active=selection.names_for(document.file))
    given = {id(each) for each in graded}
    # Findings that `suppress` added have no severity of the selection yet.
    kept = (each if id(each) in given else selection.graded(each, document.file) for each in outcome.kept)
    return [one for one in kept if one is not None], outcome.ignored


def _documents(text: SourceText) -> Iterator[Document | Finding]:
    """Yield each document of a text, parsed, or a finding if it cannot be parsed."""
    broken: list[SidecarctlError] = []
    lines: list[str] = []

    def unparsed(error: SidecarctlError) -> Finding:
        if not lines:  # only once: a text can have many errors
            lines.extend(text.text.split("\n"))
        return _unparsed(error, text.file, lines)

    for document in split_readable(text.text, text.file, broken):
        watchdog.begin(text.file)
        yield from map(unparsed, broken)
        broken.clear()
        try:
            document.root  # noqa: B018
            yield document
        except InputError as error:
            yield unparsed(error)
    yield from map(unparsed, broken)


def _unparsed(error: SidecarctlError, file: str, lines: list[str]) -> Finding:
    """Return the finding for a parse error in a text of these lines, with its place."""
    place = Place.parse(error.where, error.line_text) or Place(file, 1, 1, 1, 1)
    if not isinstance(error, SyntaxProblem):  # an error of the stream has no line text
        place = replace(place, line_text=lines[place.line - 1].rstrip("\r"))
    return Finding(SYNTAX, error.message, why=rules()[SYNTAX].reason, help=error.hint, place=place)


def _found(documents: list[Document], selection: RuleSelection) -> list[list[Finding]]:
    """Return the findings of the schema and the rules, by document."""
    watchdog.begin()
    values = [document.value for document in documents]
    found = [list(_located(document, check_schema(document.value, selection))) for document in documents]
    errors = [{one.path for one in findings if is_rejection(one)} for findings in found]

    def locate(number: int, path: PathTuple, on_key: bool) -> Place:
        return documents[number].locate(path, on_key=on_key)

    files = [document.file for document in documents]
    watchdog.begin()
    for number, one in check_documents(
        values, selected_rules(selection, files), selection.context, locate, selection.kinds, files
    ):
        # A rule adds nothing to a schema error of the same value.
        if one.path not in errors[number]:
            found[number].append(one)
    return found


def check_schema(value: object, selection: RuleSelection) -> Iterator[Finding]:
    """Yield the schema findings of a document, including pod templates of custom kinds."""
    version = selection.context.kube_version
    everything = check_object.check_object(value, version)
    pods = list(workloads(value, selection.kinds)) if isinstance(value, dict) else []
    owners: dict[PathTuple, Workload] = {}
    for pod in pods:
        owners.setdefault(pod.path, pod)
    for one in everything:
        yield with_subject(one, _owner(one.path, owners))
    for pod in pods:
        if (pod.group, pod.kind) not in BUILT_IN:
            yield from (with_subject(one, pod) for one in check_pod_template(pod, version))


def _owner(path: PathTuple, owners: Mapping[PathTuple, Workload]) -> Workload | None:
    roots = (path[:length] for length in range(len(path) + 1))
    return next((owners[root] for root in roots if root in owners), None)


def _located(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    for one in findings:
        related = tuple(replace(each, place=each.place or document.locate(each.path)) for each in one.related)
        yield replace(one, place=one.place or document.locate(one.path, on_key=one.on_key), related=related)
