"""Change the ports in objects around a pod that bypass its fronts, and change them back.

The record lists each changed port with its former text and the port that was written. So a port follows when the chain in
front of the app changes, is restored when the last front goes, and is left alone if a person changed it since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sidecarctl.findings import Finding
from sidecarctl.inject.process import ProcessedDocuments
from sidecarctl.inject.retarget_entries import (
    Entry,
    Port,
    RetargetedPod,
    describe_port,
    document_number,
    entry_key,
    explain_disagreement,
    find_differing_keys,
    find_wanted,
    is_readable,
    make_pod,
    nearness,
    parse_former,
    read_known,
    read_port_text,
    split_key,
)
from sidecarctl.inject.retarget_findings import (
    describe_absent,
    describe_forgotten,
    describe_other_formers,
    make_finding,
)
from sidecarctl.inject.retarget_matches import Match, match_entries
from sidecarctl.inject.retarget_ports import SelectedPods
from sidecarctl.kube.kinds import Kinds
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.check import is_retarget_key
from sidecarctl.record.paths import record_path
from sidecarctl.results import Retargeted, field_text
from sidecarctl.validate.check_run import InputPlaces
from sidecarctl.validate.surroundings import (
    Reference,
    find_references,
    resolve_number,
)
from sidecarctl.validate.views import StreamView
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace
from sidecarctl.yamltext.splice import check_edit, splice
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Retargeting:
    """The documents of a run after ports were changed, in order, with the changes and what was left alone."""

    documents: tuple[Document, ...]
    changes: tuple[Retargeted, ...] = ()
    findings: tuple[Finding, ...] = ()


def retarget(before: Sequence[Document], after: Sequence[Document], kinds: Kinds, *, enabled: bool) -> Retargeting:
    """Return the documents of a run with changed ports. `before` and `after` are all documents, before and after an edit.

    Ports that were changed by an earlier run follow in any case; further ones are changed if `enabled`.
    """
    readable = [document for document in after if is_readable(document)]
    known = read_known(before, kinds)
    stream = StreamView([document.value for document in readable], kinds)
    pods = [pod for view in stream.pods if (pod := make_pod(view, readable, known)) is not None]
    if not any(pod.known or (enabled and pod.record.fronts) for pod in pods):
        return Retargeting(tuple(after))
    run = _Run(readable, stream, pods, enabled, InputPlaces(before, around=True))
    run.plan()
    changed = {id(document): run.edited(number, document) for number, document in enumerate(readable)}
    return Retargeting(
        tuple(changed.get(id(document), document) for document in after), tuple(run.changes), tuple(run.findings)
    )


def retarget_run(
    before: Sequence[Document], whole: ProcessedDocuments, kinds: Kinds, *, enabled: bool
) -> ProcessedDocuments:
    """Return the documents of a run with changed ports, and the findings about what was left alone."""
    done = retarget(before, whole.documents, kinds, enabled=enabled)
    return replace(whole, documents=done.documents, findings=(*whole.findings, *done.findings), retargeted=done.changes)


class _Run:
    """Collects the edits of a run by document."""

    def __init__(
        self,
        documents: Sequence[Document],
        stream: StreamView,
        pods: Sequence[RetargetedPod],
        enabled: bool,
        places: InputPlaces,
    ) -> None:
        self.documents = documents
        self.pods = pods
        self.stream = stream
        self.selected = SelectedPods(stream, pods)
        # References that this run is the first to change, with their entries and former texts.
        self.begun: list[tuple[Reference, Sequence[Match], str]] = []
        self.remembered: dict[tuple[int, str], tuple[str, str]] = {}  # former text and its file, by pod and key
        self.enabled = enabled
        self.places = places
        self.edits: dict[int, list[Edit]] = {}
        self.changes: list[Retargeted] = []
        self.reported: set[int] = set()  # the pods of these changes
        self.findings: list[Finding] = []

    def plan(self) -> None:
        """Plan the edits of all references, then those of the records."""
        references = list(find_references(self.stream))
        matches = match_entries(self.pods, references, self.selected)
        for owners in (matches.obsolete, *matches.by_reference.values()):
            for pod, key in owners:
                pod.entries.pop(key, None)  # it gets the key of the reference
        for number, reference in enumerate(references):
            selected = self.selected.find(reference)
            if number in matches.by_reference:
                self._follow(reference, matches.by_reference[number], selected)
            elif number in matches.changed:
                self._leave(reference, matches.changed[number], selected)
            elif self.enabled and reference.editable:
                self._begin(reference, selected)
        self._report_forgotten()
        for pod, key in matches.absent:
            self._report_absent(pod, key)
        for pod in self.pods:
            if pod.record.instances and pod.entries != pod.record.retargeted:
                text = records.write(replace(pod.record, retargeted=pod.entries), pod.view.workload)
                self._add(document_number(pod.view.path), Replace(record_path(pod.view.workload), text, "record"))
                if id(pod) not in self.reported:
                    self._report_record(pod)

    def _report_record(self, pod: RetargetedPod) -> None:
        """Report the change of a record whose ports stay, such as those of a Service that was renamed."""
        known, entries = pod.record.retargeted, pod.entries
        before, after = find_differing_keys(known, entries), find_differing_keys(entries, known)
        if not before:  # the report lists the sidecar that was added
            return
        path = record_path(pod.view.workload)
        document = self.documents[document_number(pod.view.path)]
        line = self.places.find(document).locate(path, on_key=True).line
        label = pod.view.object.label
        self.changes.append(Retargeted("recorded", label, field_text(path), before, after or None, document.file, line))

    def edited(self, number: int, document: Document) -> Document:
        """Return a document after its edits."""
        edits = self.edits.get(number)
        if not edits:
            return document
        assert document.root is not None
        done = splice(document.text, document.root, edits, keep_json=document.is_json_file)
        return document.with_text(done.text, done.root)

    def _begin(self, reference: Reference, selected: Sequence[RetargetedPod]) -> None:
        """Change a reference that bypasses a front."""
        former = read_port_text(self.documents[document_number(reference.path)], reference)
        value = reference.port if reference.value is None else reference.value
        wanted = self.selected.find_wanted(reference, selected, value)
        ports = wanted - {None}
        if not ports or self.selected.are_allowed(reference, selected, ports, value):
            return
        if len(wanted) > 1:
            self._skip(reference, explain_disagreement(reference, selected), "add the sidecar to all of them")
            return
        (port,) = ports
        assert port is not None
        namespaces = [pod.view.object.namespace for pod in selected]
        keys = {each: entry_key(reference, each) for each in set(namespaces)}
        usual = all(_is_usual(key, reference) for key in keys.values())
        if former is None or not usual:
            self._skip(reference, "its value or its name has an unusual form", f"set it to {port}")
        elif self._change(reference, port):
            self._mark_reported(selected)
            self._remember(reference, [(pod, keys[each]) for pod, each in zip(selected, namespaces)], (former, port))

    def _remember(self, reference: Reference, matches: Sequence[Match], entry: Entry) -> None:
        """Write the entries of a changed reference. Of objects of one name, a pod remembers the port of the nearest."""
        file = self._file(reference)
        self.begun.append((reference, matches, entry[0]))
        for pod, key in matches:
            known = self.remembered.get((id(pod), key))
            if known is None or known[0] == entry[0] or self._nearness(file, pod) > self._nearness(known[1], pod):
                self.remembered[id(pod), key] = entry[0], file
                pod.entries[key] = entry

    def _report_forgotten(self) -> None:
        """Report the changed references whose former port no pod remembers, because of another object of the same name."""
        for reference, matches, former in self.begun:
            kept = [pod.entries[key][0] for pod, key in matches if key in pod.entries]
            if kept and former not in kept:
                self._report(reference, *describe_forgotten(reference, former, kept[0]))

    def _file(self, reference: Reference) -> str:
        return self.documents[document_number(reference.path)].file

    def _follow(self, reference: Reference, owners: Sequence[Match], selected: Sequence[RetargetedPod]) -> None:
        """Change a reference that an earlier run changed, or restore it."""
        formers = {id(pod): pod.known[key][0] for pod, key in owners}
        if len(set(formers.values())) > 1:
            file = self._file(reference)
            owners = sorted(owners, key=lambda each: self._nearness(file, each[0]), reverse=True)
        entry = former, _ = owners[0][0].known[owners[0][1]]
        own = [pod for pod, _ in owners]
        known = {id(pod) for pod in own}
        concerned = [*own, *(pod for pod in selected if id(pod) not in known)]
        wanted = self._wanted_now(reference, owners, selected)
        if len(wanted) > 1:
            self._skip(
                reference,
                explain_disagreement(reference, concerned),
                "remove the sidecar from all of them, or from none",
            )
            kept, holders = entry, own
        else:
            (port,) = wanted
            if port is None and (others := self._find_other_formers(reference, formers, own)):
                self._report(reference, *describe_other_formers(reference, former, others))
            count = len(self.changes)
            done = self._restore(reference, former) if port is None else self._change(reference, port)
            if len(self.changes) > count:
                self._mark_reported(concerned)
            if done and port is None:
                return
            kept, holders = ((former, port), concerned) if done and port is not None else (entry, own)
        keys = {id(pod): key for pod, key in owners}
        for pod in holders:
            text = formers.get(id(pod), kept[0])
            key = entry_key(reference, pod.view.object.namespace)
            if not _is_usual(key, reference):  # renamed since to what no record can hold, such as a placeholder
                key = keys.get(id(pod), owners[0][1])
            pod.entries[key] = text, kept[1]

    def _mark_reported(self, pods: Iterable[RetargetedPod]) -> None:
        self.reported.update(map(id, pods))

    def _nearness(self, file: str, pod: RetargetedPod) -> tuple[bool, int, int]:
        return nearness(file, self.documents[document_number(pod.view.path)].file)

    def _find_other_formers(
        self, reference: Reference, formers: Mapping[int, str], pods: Sequence[RetargetedPod]
    ) -> set[str]:
        """Return what other pods remember that are as near to a reference as the first one."""
        others = [pod for pod in pods if formers[id(pod)] != formers[id(pods[0])]]
        file = self._file(reference)
        return {formers[id(pod)] for pod in others if self._nearness(file, pod) == self._nearness(file, pods[0])}

    def _leave(self, reference: Reference, owners: Sequence[Match], selected: Sequence[RetargetedPod]) -> None:
        """Leave a reference alone that a person changed since."""
        former, written = owners[0][0].known[owners[0][1]]
        original = parse_former(former)
        if self._wanted_now(reference, owners, selected) != {None}:
            return
        if reference.value != original:
            self._skip(
                reference,
                f"it was changed from {written} by hand",
                f"set it to {former or reference.port} if it should lead to the app",
            )
        for pod, key in owners:
            pod.entries.pop(key, None)

    def _wanted_now(
        self, reference: Reference, owners: Sequence[Match], selected: Sequence[RetargetedPod]
    ) -> set[Port | None]:
        """Return the ports that a reference of an entry must have for its pods, None for the former one."""
        former, written = owners[0][0].known[owners[0][1]]
        original = parse_former(former)
        value = reference.port if original is None else original
        own = [pod for pod, _ in owners]
        known = {id(pod) for pod in own}
        wanted = {find_wanted(reference, pod, resolve_number(value, pod.view), written) for pod in own}
        others = (pod for pod in selected if id(pod) not in known)
        return wanted | {find_wanted(reference, pod, resolve_number(value, pod.view)) for pod in others}

    def _change(self, reference: Reference, port: Port) -> bool:
        if reference.value == port:
            return True
        edit = (Insert if reference.value is None else Replace)(reference.path[1:], port, "retarget")
        return self._try(reference, edit, port, "retargeted")

    def _restore(self, reference: Reference, former: str) -> bool:
        original = parse_former(former)
        path = reference.path[1:]
        edit = Remove(path, "retarget") if original is None else Replace(path, original, "retarget", former)
        return self._try(reference, edit, original, "restored")

    def _try(self, reference: Reference, edit: Edit, after: Port | None, action: str) -> bool:
        """Add an edit unless an anchor, alias, or merge key is in its way, or it has no room."""
        number = document_number(reference.path)
        document = self.documents[number]
        assert document.root is not None
        try:
            check_edit(document.text, document.root, edit)
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

    def _skip(self, reference: Reference, why: str, help: str) -> None:
        kept = f"{reference.object.label} keeps {reference.path[-1]} {describe_port(reference)}"
        self._report(reference, f"{kept}: {why}", help)

    def _report(self, reference: Reference, message: str, help: str) -> None:
        place = self.places.find(self.documents[document_number(reference.path)]).locate(reference.path[1:])
        self.findings.append(make_finding(reference.object.label, reference.path[1:], message, help, place))

    def _report_absent(self, pod: RetargetedPod, key: str) -> None:
        """Report an object that is in no input file, if its port is wrong now. The entry stays for a run that has it."""
        problem = describe_absent(pod, key)
        if problem is None:
            return
        path = pod.view.workload.template_path
        place = self.places.find(self.documents[document_number(pod.view.path)]).locate(path, on_key=True)
        self.findings.append(replace(make_finding(pod.view.object.label, path, *problem, place), on_key=True))


def _is_usual(key: str, reference: Reference) -> bool:
    """Return True if a record can hold a changed port under a key, and the key says which port of the object it is."""
    return is_retarget_key(key) and split_key(key)[2] == reference.key
