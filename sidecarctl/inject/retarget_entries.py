"""The entries of records for changed ports in objects around a pod, and what each port must be now."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecarctl.errors import InputError
from sidecarctl.findings import PathTuple
from sidecarctl.kube.fronts import Front, find_app_port, find_chain
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, may_hold, workloads
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.record.check import is_former_port
from sidecarctl.record.paths import RecordError
from sidecarctl.validate.surroundings import Reference, parse_port, resolve_number, wanted_port
from sidecarctl.validate.views import PodView
from sidecarctl.yamltext.nodes import child
from sidecarctl.yamltext.stream import Document

NO_NAMESPACE = "-"
Port = int | str
Entry = tuple[str, Port]


@dataclass
class RetargetedPod:
    """A pod of the run with the ports that its record lists: `known` before this run, `entries` from now on.

    `fronts` are those before this run.
    """

    view: PodView
    record: Record
    known: Mapping[str, Entry]
    fronts: tuple[Front, ...]
    entries: dict[str, Entry] = field(default_factory=dict)


def nearness(one: str, other: str) -> tuple[bool, int, int]:
    """Return how near two files are, for comparisons: one file, else more directories in common, else fewer others."""
    if one == other:
        return True, 0, 0
    first, second = (set(Path(os.path.abspath(each)).parents) for each in (one, other))  # noqa: PTH100 - not through links
    return False, len(first & second), -len(first ^ second)


def is_readable(document: Document) -> bool:
    try:
        return isinstance(document.value, dict)
    except InputError:
        return False


def read_known(documents: Sequence[Document], kinds: Kinds) -> dict[tuple[str, str, PathTuple], Record]:
    """Return the records with changed ports, by file, workload, and pod template."""
    found: dict[tuple[str, str, PathTuple], Record] = {}
    for document in documents:
        if "retargeted" in document.text and may_hold(document.text, RECORD_ANNOTATION) and is_readable(document):
            for one in workloads(document.value, kinds):
                try:
                    found[document.file, one.label, one.template_path[len(one.path) :]] = records.read(one)
                except RecordError:
                    continue
    return found


def make_pod(
    view: PodView, documents: Sequence[Document], known: Mapping[tuple[str, str, PathTuple], Record]
) -> RetargetedPod | None:
    """Return a pod with its records, None if the record is invalid, which another rule reports."""
    workload = view.workload
    try:
        record = records.read(workload)
    except RecordError:
        return None
    file = documents[document_number(view.path)].file
    before = known.get((file, workload.label, workload.template_path[len(workload.path) :]), Record())
    listed = {**before.retargeted, **record.retargeted}
    return RetargetedPod(view, record, listed, before.fronts, dict(listed))


def document_number(path: PathTuple) -> int:
    return int(path[0])


def entry_key(reference: Reference, namespace: str) -> str:
    """Return the key of a reference in the record of a pod of a namespace: `Service/web/http`.

    A PodMonitor can be in another namespace than the pod: `PodMonitor/monitoring/web/0`, with `-` for none.
    """
    one = reference.object
    name = one.name if one.namespace == namespace else f"{one.namespace or NO_NAMESPACE}/{one.name}"
    return f"{one.kind}/{name}/{reference.key}"


def split_key(key: str) -> tuple[str, str, str]:
    """Return kind, name, and place of a key; the name of an object in another namespace is `monitoring/web`."""
    kind, *steps = key.split("/")
    named = 2 if kind == "PodMonitor" and len(steps) > 2 else 1
    return kind, "/".join(steps[:named]), "/".join(steps[named:])


def find_wanted(reference: Reference, pod: RetargetedPod, number: int, written: Port | None = None) -> Port | None:
    """Return the port that a reference to a port of a pod must have, None if it leads to the right one.

    `written` is the port that an earlier run wrote. If a person renamed or changed the port of the app since, the front
    that listens on the written port tells where the reference leads.
    """
    fronts = pod.record.fronts
    chain = find_chain(fronts, number)
    if not chain and written is not None:
        port = resolve_number(written, pod.view)
        instances = {front.instance for front in (*pod.fronts, *fronts) if front.port == port}
        still = next((front for front in fronts if front.instance in instances), None)
        chain = find_chain(fronts, find_app_port(fronts, still.port)) if still is not None else ()
    return wanted_port(reference, pod.view, chain) if chain else None


def parse_former(text: str) -> Port | None:
    """Return the value of a former text: a number, or a name; None if the port was not set."""
    if not text:
        return None
    port = parse_port(text)
    return port if isinstance(port, int) else text.strip("\"'")


def describe_port(reference: Reference) -> str:
    return str(reference.port if reference.value is None else reference.value)


def explain_disagreement(reference: Reference, pods: Sequence[RetargetedPod]) -> str:
    """Return why a reference cannot fit all pods that its object selects."""
    direct = next((pod for pod in pods if not pod.record.fronts), None)
    if direct is None:
        return "it selects workloads whose sidecars listen on different ports"
    return f"it also selects {direct.view.object.label}, which has no such sidecar"


def read_port_text(document: Document, reference: Reference) -> str | None:
    """Return the text of a port, "" if it is not set, None if it could not be restored.

    A port with a comment directly behind it (`"http"# why`) could not: a number needs a blank there.
    """
    if reference.value is None:
        return "" if reference.path[-1] not in reference.holder.value else None
    node = document.root
    for step in reference.path[1:]:
        node = child(node, step) if node is not None else None
    text = document.text[node.start : node.end] if node is not None else "\n"
    if node is not None and document.text.startswith("#", node.end):
        return None
    return text if is_former_port(text) and parse_former(text) == reference.value else None


def find_differing_keys(entries: Mapping[str, Entry], others: Mapping[str, Entry]) -> str:
    """Return the keys of entries that are not among others in the same way, as text."""
    return ", ".join(sorted(key for key, entry in entries.items() if others.get(key) != entry))
