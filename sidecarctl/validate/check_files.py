"""Whole texts through all layers, together: a Service in one file is held against a Deployment in another.

What can't be parsed is a finding of its file, and the rest goes on.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace

from sidecarctl.errors import InputError
from sidecarctl.findings import Finding, Ignored, PathTuple, Place
from sidecarctl.kube.kinds import BUILT_IN
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.check_document import check_documents, named, of_template, refused
from sidecarctl.validate.registry import rules
from sidecarctl.validate.rule_selection import Choice, checked
from sidecarctl.validate.schema import check_object
from sidecarctl.validate.suppress import suppress
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.stream import Document, split

SYNTAX = "yaml-syntax"


@dataclass(frozen=True)
class Text:
    """A text and what messages call it."""

    text: str
    file: str


@dataclass(frozen=True)
class Judged:
    """A document with what there is to say of it, and the number of its text, from 0."""

    text: int
    document: Document
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Verdict:
    """What there is to say of some texts, in their order; and whether one of them could not be parsed."""

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    documents: int = 0
    unparsed: bool = False
    judged: tuple[Judged, ...] = field(default=(), repr=False, compare=False)


def validate(texts: Iterable[Text], chosen: Choice) -> Verdict:
    """Check texts by all layers. A finding has its place; several about one value of one cause are one."""
    with uncollected():
        return _validated(texts, chosen)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector, which would walk all nodes of all documents again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _validated(texts: Iterable[Text], chosen: Choice) -> Verdict:
    documents: list[Document] = []
    numbers: list[int] = []
    broken: list[Finding] = []
    for number, text in enumerate(texts):
        for found in _documents(text):
            if isinstance(found, Finding):
                broken.append(found)
            else:
                documents.append(found)
                numbers.append(number)
    judged: list[Judged] = []
    ignored: list[Ignored] = []
    for number, document, findings in zip(numbers, documents, _found(documents, chosen)):
        kept, hidden = _asked_for(document, findings, chosen)
        if kept:  # the nodes of all others are let go
            judged.append(Judged(number, document, tuple(kept)))
        ignored += hidden
    broken = [one for each in broken if (one := chosen.graded(each, each.place.file if each.place else "")) is not None]
    every = (*broken, *(one for each in judged for one in each.findings))
    return Verdict(every, tuple(ignored), len(documents), bool(broken), tuple(judged))


def _asked_for(
    document: Document, findings: list[Finding], chosen: Choice
) -> tuple[list[Finding], tuple[Ignored, ...]]:
    """What a run says of a document: graded, and without what the document asks to leave out."""
    graded = [one for each in findings if (one := chosen.graded(each, document.file)) is not None]
    if not chosen.ignores:
        return graded, ()
    outcome = suppress(document, graded, known=rules(), active=chosen.names)
    kept = (_about_ignores(each, graded, chosen, document) for each in outcome.kept)
    return [one for one in kept if one is not None], outcome.ignored


def _about_ignores(one: Finding, graded: list[Finding], chosen: Choice, document: Document) -> Finding | None:
    """What `suppress` adds is graded as well; what it was given has been."""
    return one if any(one is each for each in graded) else chosen.graded(one, document.file)


def _documents(text: Text) -> Iterator[Document | Finding]:
    """Yield the documents of a text, each parsed, and a finding for each that is not to be parsed."""
    rest, line, index = text.text, 0, 0
    while True:
        try:
            for document in split(rest, text.file, line, index):
                index = document.index + 1
                try:
                    document.root  # noqa: B018
                    yield document
                except InputError as error:
                    yield _unparsed(error, text)
            return
        except InputError as error:
            # The stream itself: what follows the next separator is read again.
            found = _unparsed(error, text)
            yield found
            assert found.place
            lines = text.text.split("\n")
            at = next((n for n in range(found.place.line, len(lines)) if lines[n].startswith("---")), None)
            if at is None or at <= line:
                return
            rest, line, index = "\n".join(lines[at:]), at, index + 1


def _unparsed(error: InputError, text: Text) -> Finding:
    """An error of reading as a finding at its place."""
    place = Place.parse(error.where, error.line_text) or Place(text.file, 1, 1, 1, 1)
    if not isinstance(error, SyntaxProblem):  # one of the stream, which says a line and not what stands there
        place = replace(place, line_text=text.text.split("\n")[place.line - 1].rstrip("\r"))
    return Finding(SYNTAX, error.message, why=rules()[SYNTAX].reason, help=error.hint, place=place)


def _found(documents: list[Document], chosen: Choice) -> list[list[Finding]]:
    """What structure and rules say of each document."""
    values = [document.value for document in documents]
    found = [list(_located(document, shape(document.value, chosen))) for document in documents]
    errors = [{one.path for one in findings if refused(one)} for findings in found]

    def locate(number: int, path: PathTuple, on_key: bool) -> Place:
        return documents[number].locate(path, on_key=on_key)

    for number, one in check_documents(values, checked(chosen), chosen.context, locate, chosen.kinds):
        # Of a value whose shape is wrong already, a rule has nothing new to say.
        if one.path not in errors[number]:
            found[number].append(one)
    return found


def shape(value: object, chosen: Choice) -> Iterator[Finding]:
    """Yield what is wrong with the shape of a document: of its kind's, and of the pod templates of custom kinds."""
    version = chosen.context.kube_version
    everything = check_object.check(value, version)
    pods = list(workloads(value, chosen.kinds)) if isinstance(value, dict) else []
    for one in everything:
        yield named(one, _owner(one.path, pods))
    for pod in pods:
        if (pod.group, pod.kind) not in BUILT_IN:
            yield from (named(one, pod) for one in of_template(pod, version))


def _owner(path: PathTuple, pods: list[Workload]) -> Workload | None:
    return next((pod for pod in pods if path[: len(pod.path)] == pod.path), None)


def _located(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    for one in findings:
        related = tuple(replace(each, place=each.place or document.locate(each.path)) for each in one.related)
        yield replace(one, place=one.place or document.locate(one.path, on_key=one.on_key), related=related)
