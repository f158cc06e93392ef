"""Change the ports in objects around a pod that lead around its fronts, and change them back.

The record lists each changed port with its former text and the port that was written. So a port follows when the chain in
front of the app changes, is restored when the last front goes, and is left alone if a person changed it since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from sidecarctl.errors import InputError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import record as records
from sidecarctl.inject.record import Record
from sidecarctl.inject.record_check import is_former_port
from sidecarctl.inject.record_paths import RecordError, record_path
from sidecarctl.kube.fronts import find_chain
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import Retargeted, field_text
from sidecarctl.validate.check_run import InputPlaces
from sidecarctl.validate.surroundings import (
    Reference,
    allows_front,
    find_references,
    resolve_number,
    resolve_port,
    selects,
    wanted_port,
)
from sidecarctl.validate.views import PodView, StreamView
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace, check_shared
from sidecarctl.yamltext.nodes import child
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

RULE = "retarget-skipped"
Port = int | str
_Entry = tuple[str, Port]


@dataclass(frozen=True)
class Retargeting:
    """The documents of a run after ports were changed, in order, with the changes and what was left alone."""

    documents: tuple[Document, ...]
    changes: tuple[Retargeted, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass
class _Pod:
    """A pod of the run with the ports that its record lists: `known` before this run, `entries` from now on."""

    view: PodView
    record: Record
    known: Mapping[str, _Entry]
    entries: dict[str, _Entry] = field(default_factory=dict)


def concerns_retargeting(text: str, *, enabled: bool) -> bool:
    """Return False if a text certainly has no record with a changed port, nor one with a front if `enabled`."""
    return RECORD_ANNOTATION in text and ("retargeted" in text or (enabled and "fronts" in text))


def retarget(before: Sequence[Document], after: Sequence[Document], kinds: Kinds, *, enabled: bool) -> Retargeting:
    """Return the documents of a run with changed ports. `before` and `after` are all documents, before and after an edit.

    Ports that were changed by an earlier run follow in any case; further ones are changed if `enabled`.
    """
    readable = [document for document in after if _is_readable(document)]
    known = _read_known(before, kinds)
    stream = StreamView([document.value for document in readable], kinds)
    pods = [pod for view in stream.pods if (pod := _make_pod(view, readable, known)) is not None]
    if not any(pod.known or (enabled and pod.record.fronts) for pod in pods):
        return Retargeting(tuple(after))
    run = _Run(readable, stream, pods, enabled, InputPlaces(before, around=True))
    run.plan()
    changed = {id(document): run.edited(number, document) for number, document in enumerate(readable)}
    return Retargeting(
        tuple(changed.get(id(document), document) for document in after), tuple(run.changes), tuple(run.findings)
    )


def _is_readable(document: Document) -> bool:
    try:
        return isinstance(document.value, dict)
    except InputError:
        return False


def _read_known(documents: Sequence[Document], kinds: Kinds) -> dict[tuple[str, str, PathTuple], Record]:
    """Return the records with changed ports, by file, workload, and pod template."""
    found: dict[tuple[str, str, PathTuple], Record] = {}
    for document in documents:
        if "retargeted" in document.text and RECORD_ANNOTATION in document.text and _is_readable(document):
            for one in workloads(document.value, kinds):
                try:
                    found[document.file, one.label, one.template_path[len(one.path) :]] = records.read(one)
                except RecordError:
                    continue
    return found


def _make_pod(
    view: PodView, documents: Sequence[Document], known: Mapping[tuple[str, str, PathTuple], Record]
) -> _Pod | None:
    """Return a pod with its records, None if the record is invalid, which another rule reports."""
    workload = view.workload
    try:
        record = records.read(workload)
    except RecordError:
        return None
    file = documents[_number(view.path)].file
    before = known.get((file, workload.label, workload.template_path[len(workload.path) :]), Record())
    listed = {**before.retargeted, **record.retargeted}
    return _Pod(view, record, listed, dict(listed))


def _number(path: PathTuple) -> int:
    return int(path[0])


class _Run:
    """Collects the edits of a run by document."""

    def __init__(
        self,
        documents: Sequence[Document],
        stream: StreamView,
        pods: Sequence[_Pod],
        enabled: bool,
        places: InputPlaces,
    ) -> None:
        self.documents = documents
        self.stream = stream
        self.pods = pods
        self.enabled = enabled
        self.places = places
        self.edits: dict[int, list[Edit]] = {}
        self.changes: list[Retargeted] = []
        self.findings: list[Finding] = []

    def plan(self) -> None:
        """Plan the edits of all references, then those of the records."""
        references = list(find_references(self.stream))
        present = {_key(reference) for reference in references}
        seen: set[str] = set()
        for reference in references:
            seen |= self._plan_reference(reference, present)
        for pod in self.pods:
            for key in [key for key in pod.entries if key not in seen]:
                self._report_absent(pod, key)
            if pod.record.instances and pod.entries != pod.record.retargeted:
                text = records.write(replace(pod.record, retargeted=pod.entries), pod.view.workload)
                self._add(_number(pod.view.path), Replace(record_path(pod.view.workload), text, "record"))

    def edited(self, number: int, document: Document) -> Document:
        """Return a document after its edits."""
        edits = self.edits.get(number)
        if not edits:
            return document
        assert document.root is not None
        done = splice(document.text, document.root, edits)
        return document.with_text(done.text, done.root)

    def _plan_reference(self, reference: Reference, present: set[str]) -> set[str]:
        """Plan the change of one reference, and return the keys of the entries that it has in records."""
        selected = [pod for pod in self.pods if selects(reference.object, pod.view)]
        key = _key(reference)
        owners = [pod for pod in self.pods if key in pod.known and _same_namespace(reference, pod)]
        keys = {key}
        if not owners:
            owners = [pod for pod in selected for old in [_renamed(pod, reference, present)] if old]
            keys |= {_renamed(pod, reference, present) for pod in owners}
        if owners:
            old = next(each for each in (key, *keys) if each in owners[0].known)
            self._follow(reference, key, old, owners, selected)
        elif self.enabled and reference.editable:
            self._begin(reference, key, selected)
        return keys

    def _begin(self, reference: Reference, key: str, selected: Sequence[_Pod]) -> None:
        """Change a reference that leads around a front."""
        former = self._text(reference)
        wanted = {_wanted(reference, pod, resolve_port(reference, pod.view)) for pod in selected}
        ports = wanted - {None}
        blocked = reference.object.kind == "NetworkPolicy" and all(
            allows_front(reference, pod.view, port) for pod in selected for port in ports if isinstance(port, int)
        )
        if not ports or (blocked and ports):
            return
        if len(wanted) > 1:
            self._skip(reference, _disagreement(reference, selected), "add the sidecar to all of them")
            return
        (port,) = ports
        assert port is not None
        if former is None:
            self._skip(reference, "its value is not a plain number or name", f"set it to {port}")
        elif self._change(reference, port):
            for pod in selected:
                pod.entries[key] = (former, port)

    def _follow(
        self, reference: Reference, key: str, old: str, owners: Sequence[_Pod], selected: Sequence[_Pod]
    ) -> None:
        """Change a reference that an earlier run changed, or restore it."""
        former, written = owners[0].known[old]
        concerned = [*owners, *(pod for pod in selected if pod not in owners)]
        original = _parse_former(former)
        value = reference.port if original is None else original
        wanted = {_wanted(reference, pod, resolve_number(value, pod.view)) for pod in concerned}
        if reference.value != written:
            if wanted == {None}:
                self._skip(
                    reference,
                    f"it was changed from {written} by hand",
                    f"set it to {former or value} if it should lead to the app",
                )
                _forget(owners, old)
            return
        if len(wanted) > 1:
            self._skip(
                reference, _disagreement(reference, concerned), "remove the sidecar from all of them, or from none"
            )
            return
        (port,) = wanted
        done = self._restore(reference, former, original) if port is None else self._change(reference, port)
        if done:
            _forget(owners, old)
            for pod in concerned if port is not None else ():
                pod.entries[key] = (former, port)  # type: ignore[assignment]

    def _change(self, reference: Reference, port: Port) -> bool:
        if reference.value == port:
            return True
        edit = (Insert if reference.value is None else Replace)(reference.path[1:], port, "retarget")
        return self._try(reference, edit, port, "retargeted")

    def _restore(self, reference: Reference, former: str, original: Port | None) -> bool:
        path = reference.path[1:]
        edit = Remove(path, "retarget") if original is None else Replace(path, original, "retarget", former)
        return self._try(reference, edit, original, "restored")

    def _try(self, reference: Reference, edit: Edit, after: Port | None, action: str) -> bool:
        """Add an edit unless an anchor, alias, or merge key is in its way."""
        number = _number(reference.path)
        document = self.documents[number]
        assert document.root is not None
        try:
            check_shared(document.text, document.root, [edit])
        except EditRefused as refusal:
            self._skip(reference, refusal.message, refusal.hint)
            return False
        self._add(number, edit)
        place = self.places.find(document).locate(reference.holder.path[1:])
        self.changes.append(
            Retargeted(
                action,
                reference.object.label,
                field_text(reference.path[1 + len(reference.object.path[1:]) :]),
                reference.value,
                after,
                document.file,
                place.line,
            )
        )
        return True

    def _add(self, number: int, edit: Edit) -> None:
        self.edits.setdefault(number, []).append(edit)

    def _text(self, reference: Reference) -> str | None:
        """Return the text of a port, "" if it is not set, None if it is no plain number or name."""
        if reference.value is None:
            return "" if reference.path[-1] not in reference.holder.value else None
        document = self.documents[_number(reference.path)]
        node = document.root
        for step in reference.path[1:]:
            node = child(node, step) if node is not None else None
        if node is None:
            return None
        text = document.text[node.start : node.end]
        return text if is_former_port(text) else None

    def _skip(self, reference: Reference, why: str, help: str) -> None:
        document = self.documents[_number(reference.path)]
        self.findings.append(
            Finding(
                RULE,
                f"{reference.object.label} keeps {reference.path[-1]} {_describe(reference)}: {why}",
                Severity.WARNING,
                reference.path[1:],
                help=help,
                workload=reference.object.label,
                place=self.places.find(document).locate(reference.path[1:]),
            )
        )

    def _report_absent(self, pod: _Pod, key: str) -> None:
        """Report an object that is in no input file, if its port is wrong now."""
        former, written = pod.known[key]
        kind, name, *_ = key.split("/")
        original = _parse_former(former)
        number = 0 if original is None else resolve_number(original, pod.view)
        fronts = pod.record.fronts
        if fronts and (any(each.port == written for each in find_chain(fronts, number)[-1:]) or not number):
            return
        document = self.documents[_number(pod.view.path)]
        path = pod.view.workload.template_path
        port = find_chain(fronts, number)[-1].port if find_chain(fronts, number) else former or "its former value"
        self.findings.append(
            Finding(
                RULE,
                f"{kind} {name} is not in the input, so it still leads to port {written}",
                Severity.WARNING,
                path,
                on_key=True,
                help=f"name the file that has it too, or set the port to {port}",
                workload=pod.view.object.label,
                place=self.places.find(document).locate(path, on_key=True),
            )
        )
        pod.entries.pop(key)


def _key(reference: Reference) -> str:
    return f"{reference.object.kind}/{reference.object.name}/{reference.key}"


def _same_namespace(reference: Reference, pod: _Pod) -> bool:
    return reference.object.kind == "PodMonitor" or reference.object.namespace == pod.view.object.namespace


def _renamed(pod: _Pod, reference: Reference, present: set[str]) -> str:
    """Return the key of an entry whose object was renamed, as kustomize does: same kind, port, and value; "" if none."""
    found = [
        key
        for key, (_, written) in pod.known.items()
        if key not in present
        and key.split("/")[0] == reference.object.kind
        and key.split("/", 2)[2] == reference.key
        and written == reference.value
    ]
    return found[0] if len(found) == 1 else ""


def _forget(pods: Sequence[_Pod], key: str) -> None:
    for pod in pods:
        pod.entries.pop(key, None)


def _wanted(reference: Reference, pod: _Pod, number: int) -> Port | None:
    """Return the port that a reference to a port of a pod must have, None if it leads to the right one."""
    chain = find_chain(pod.record.fronts, number)
    return wanted_port(reference, pod.view, chain) if chain else None


def _parse_former(text: str) -> Port | None:
    """Return the value of a former text: a number, or a name; None if the port was not set."""
    if not text:
        return None
    return int(text) if text.isdecimal() else text.strip("\"'")


def _describe(reference: Reference) -> str:
    return str(reference.port if reference.value is None else reference.value)


def _disagreement(reference: Reference, pods: Sequence[_Pod]) -> str:
    """Return why a reference cannot fit all pods that its object selects."""
    direct = next((pod for pod in pods if not pod.record.fronts), None)
    if direct is None:
        return "it selects workloads whose sidecars listen on different ports"
    return f"it also selects {direct.view.object.label}, which has no such sidecar"


def describe(changes: Sequence[Retargeted], *, dry_run: bool) -> Iterator[str]:
    """Yield a line for each changed port."""
    for one in changes:
        word = {"retargeted": "would retarget", "restored": "would restore"}[one.action] if dry_run else one.action
        yield f"{one.label}: {word} {one.field} {_shown(one.before)} -> {_shown(one.after)} ({one.file}:{one.line})"


def _shown(value: Port | None) -> str:
    return "(not set)" if value is None else str(value)
