"""Rules that compare objects of a run, after an edit: which findings the edit caused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sidecarctl.errors import InputError
from sidecarctl.findings import Finding, PathTuple, Place, Severity
from sidecarctl.kube.fronts import has_fronts
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import objects
from sidecarctl.lazy_dataclass import replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.grade import grade
from sidecarctl.validate.registry import Context, Rule, rules
from sidecarctl.validate.rule_selection import Severities
from sidecarctl.yamltext.stream import Document

# What the other object of a comparison contains: an autoscaler, or a Service that names a port.
_TRIGGER = lazy_pattern(r"HorizontalPodAutoscaler|targetPort[\"']?:[ \t]*[\"']?[A-Za-z]")
_POD_SPEC = "ontainers"
# What is compared with a sidecar in front of the app: see `surroundings`.
_AROUND = lazy_pattern(r"\b(Service|NetworkPolicy|PodMonitor|ServiceMonitor|Ingress|HTTPRoute)\b")


def needs_whole_run(text: str) -> bool:
    """Return True if a text has an object that a rule compares with a workload, or a workload with such a sidecar."""
    return _TRIGGER.search(text) is not None or has_fronts(text)


def is_around_pods(text: str) -> bool:
    """Return True if a text has an object that is compared with sidecars in front of the app."""
    return _AROUND.search(text) is not None


def find_caused(
    before: Sequence[Document],
    after: Sequence[Document],
    kube_version: str,
    kinds: Kinds,
    severities: Callable[[str], Severities],
) -> list[Finding]:
    """Return the findings of an edited run that its input does not have, with places in the input.

    `before` and `after` are all documents of the run. Documents that no rule compares are not parsed.
    """
    if not any(needs_whole_run(document.text) for document in after):
        return []
    around = any(has_fronts(document.text) for document in (*before, *after))
    found = _check(after, kube_version, kinds, around)
    if not found:
        return []
    old = {_identity(finding) for _, finding in _check(before, kube_version, kinds, around)}
    places = InputPlaces(before, around=around)
    out: list[Finding] = []
    for document, finding in found:
        if _identity(finding) not in old:
            home = places.find(document)
            related = tuple(replace(one, place=None) for one in finding.related)
            located = replace(finding, place=home.locate(finding.path, on_key=finding.on_key), related=related)
            out += grade(home, [located], severities(home.file), document.value)
    return out


def _check(
    documents: Sequence[Document], kube_version: str, kinds: Kinds, around: bool
) -> list[tuple[Document, Finding]]:
    relevant = [(one, value) for one in documents if _is_relevant(one, around) and (value := _value(one)) is not None]
    values = [value for _, value in relevant]
    files = [one.file for one, _ in relevant]
    found = check_documents(values, _stream_rules(), Context(kube_version), _no_place, kinds, files)
    return [(relevant[number][0], one) for number, one in found if one.severity is not Severity.INFO]


def _no_place(number: int, path: PathTuple, on_key: bool) -> Place | None:
    return None


def _is_relevant(document: Document, around: bool) -> bool:
    text = document.text
    return _POD_SPEC in text or needs_whole_run(text) or (around and is_around_pods(text))


def _value(document: Document) -> object:
    try:
        return document.value
    except InputError:
        return None


def _stream_rules() -> Iterator[Rule]:
    return (rule for rule in rules().values() if rule.on and rule.checks and rule.scope == "stream")


def _identity(finding: Finding) -> tuple[str, ...]:
    return finding.rule, finding.message, finding.workload, finding.container


class InputPlaces:
    """Finds the document of the input that a document of the result comes from."""

    def __init__(self, documents: Iterable[Document], *, around: bool) -> None:
        self._texts: dict[tuple[str, str], Document] = {}
        self._objects: dict[tuple[str, str], Document] = {}
        for one in documents:
            self._texts.setdefault((one.file, one.text), one)
            if _is_relevant(one, around):
                self._objects.setdefault((one.file, _label(one)), one)

    def find(self, document: Document) -> Document:
        """Return the document of the input: of the same text, else with the same objects, else the document itself."""
        same = self._texts.get((document.file, document.text))
        return same or self._objects.get((document.file, _label(document)), document)


def _label(document: Document) -> str:
    """Return what identifies the objects of a document: kinds, namespaces, and names."""
    labels = []
    for value, _ in objects(_value(document)):
        metadata = value.get("metadata")
        name = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else ()
        labels.append(f"{value.get('kind')}{name}")
    return " ".join(labels)
