"""Remove instances from the workloads of one document, with their companions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import InputError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.companion_search import Companion, split_owned
from sidecarctl.inject.companions import OWNER_ANNOTATION, find_source_comment
from sidecarctl.inject.plan import Plan
from sidecarctl.inject.removal import Removal, plan_removal, resolve_instance_names
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, may_hold, share_objects, workloads
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.edits import Edit, Remove
from sidecarctl.yamltext.lines import next_line
from sidecarctl.yamltext.remove import has_final_break
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

LEFT_BEHIND_RULE = "companion-left-behind"
UNLISTED_RULE = "unlisted-companion"


@dataclass(frozen=True)
class DocumentResult:
    """A document and its companions after adding and removing instances, with the plans and removals.

    skipped  workloads that cannot get sidecars, each with the reason
    kept     instances (workload label, instance name) that were in sync
    """

    documents: tuple[Document, ...]
    plans: tuple[Plan, ...] = ()
    removals: tuple[Removal, ...] = ()
    skipped: tuple[tuple[Workload, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    kept: frozenset[tuple[str, str]] = frozenset()


def remove_instances(
    document: Document,
    companions: Sequence[Document],
    names: Sequence[str] | None,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
    workloads_filter: WorkloadFilter = EVERY_WORKLOAD,
) -> DocumentResult:
    """Remove instances (by instance or sidecar name; None removes all) from every workload of a document."""
    from sidecarctl.inject.unrecorded import find_left_behind, find_lost_holders

    removals: list[Removal] = []
    findings: list[Finding] = []
    for workload in filter(workloads_filter.selects, workloads(document.value, kinds)):
        record = records.read(workload)
        going = list(record.instances) if names is None else resolve_instance_names(record, names)
        findings += find_left_behind(workload, record, going, names)
        if going:
            removals.append(plan_whole_removal(document, companions, workload, record, going))
            findings += left_behind_findings(removals[-1])
            findings += find_lost_holders(workload, record, going)
    removals = keep_shared_companions(removals, document, kinds)
    return DocumentResult(
        apply_removals((document, *companions), removals, following),
        removals=tuple(removals),
        findings=tuple(findings),
    )


def keep_shared_companions(removals: Sequence[Removal], document: Document, kinds: Kinds) -> list[Removal]:
    """Return removals without companions that another pod template of the same object still needs."""
    everything = list(workloads(document.value, kinds))
    if not share_objects(everything):
        return list(removals)
    left_records = {one.workload.template_path: one.record for one in removals}
    needed = set()
    for workload in everything:
        record = left_records.get(workload.template_path)
        with suppress(RecordError):  # reported if the workload is selected
            for name, instance in (record or records.read(workload)).instances.items():
                needed |= {(workload.path, name, identity) for identity in instance.added.documents}
    return [
        replace(
            one,
            companions=tuple(c for c in one.companions if (one.workload.path, c.owner[1], c.identity) not in needed),
        )
        for one in removals
    ]


def plan_whole_removal(
    first: Document, companions: Sequence[Document], workload: Workload, record: Record, names: Sequence[str]
) -> Removal:
    """Plan the removal of instances with their companions."""
    owned = {name: split_owned(first, companions, workload, record.instances[name]) for name in names}
    found = {name: listed for name, (listed, _) in owned.items()}
    left_behind = [
        (name, identity)
        for name in names
        for identity in record.instances[name].added.documents
        if len(found[name]) < len(record.instances[name].added.documents)
        and identity not in [each.identity for each in found[name]]
    ]
    return replace(
        plan_removal(workload, record, names),
        companions=tuple(each for name in names for each in found[name]),
        left_behind=tuple(left_behind),
        unlisted=tuple(each for _, others in owned.values() for each in others),
    )


def left_behind_findings(removal: Removal) -> Iterator[Finding]:
    """Yield a warning for each companion that is in no input file, and for each object that only says to be one."""
    for instance, identity in removal.left_behind:
        yield _left_behind_finding(removal.workload, instance, identity)
    for companion in removal.unlisted:
        yield _unlisted_finding(removal.workload, companion)


def apply_removals(
    documents: tuple[Document, ...], removals: Sequence[Removal], following: str | None
) -> tuple[Document, ...]:
    """Apply removals to the workload's document, to its List, and to the companions behind it."""
    if not removals:
        return documents
    edits: list[Edit] = [edit for one in removals for edit in one.edits]
    gone = [companion for one in removals for companion in one.companions]
    listed = dict.fromkeys(each.path for each in gone if each.path)
    edits += [Remove(path, "companion", keep_comments=True) for path in listed]
    # In the reverse order of `add`: the line break before the companions must not become part of a value.
    first, *others = drop_documents(documents, {each.index: None for each in gone if not each.path}, following)
    if edits:
        root = first.root
        assert root is not None
        done = splice(first.text, root, edits, keep_json=first.is_json_file)
        first = first.with_text(done.text, done.root)
    return (first, *others)


def drop_documents(
    documents: tuple[Document, ...], changed: Mapping[int, Document | None], following: str | None
) -> tuple[Document, ...]:
    """Return documents with the changed ones (None drops one). A file without a final line break stays without one.

    Except after a block scalar, which the line break is part of. The comments around a dropped document stay.
    """
    source = find_source_comment(documents[0].text)
    after = [
        changed.get(index, each) or _comments_around(each, source, joined=_follows_yaml(documents, index))
        for index, each in enumerate(documents)
    ]
    kept = [each for each in after if each is not None]
    last = documents[-1]
    dropped = after[-1] is None and kept[-1].file == last.file
    bare = following is None and last.text and not last.text.endswith("\n")
    if dropped and bare and kept[-1].text.endswith("\n") and not has_final_break(kept[-1].text, kept[-1].root):
        kept[-1] = kept[-1].with_text(kept[-1].text[:-1].removesuffix("\r"))
    return tuple(kept)


def _follows_yaml(documents: Sequence[Document], index: int) -> bool:
    """Return whether the documents before one are the workload and companions, none of them JSON: comments can follow."""
    first = documents[0]
    return all(
        (each.file, each.index) == (first.file, first.index + number) and not each.text.lstrip().startswith("{")
        for number, each in enumerate(documents[: index + 1])
    )


def _comments_around(document: Document, source: str, *, joined: bool) -> Document | None:
    """Return a dropped document with only the comment lines before and after its content, None without any.

    They are of a person: companions are written without comments, except for the `source` comment of the workload, which
    `post-render` copies. `joined`: they become a part of the document before.
    """
    if "#" not in document.head + document.text or document.root is None:
        return None
    text, root = document.text, document.root
    before = _without_line(text[: root.start], source)
    around = (document.head if joined else "") + before + text[next_line(text, root.end) :]
    comments = "".join(map(_comment_of, around.splitlines(keepends=True)))
    if joined:
        return replace(document.with_text(comments), head="") if comments else None
    return document.with_text(comments) if comments or "#" in document.head else None


def _without_line(text: str, line: str) -> str:
    """Return a text without the first line that equals another one, apart from blanks at its end."""
    lines = text.splitlines(keepends=True)
    equal = (number for number, each in enumerate(lines) if line and each.rstrip() == line.rstrip())
    first = next(equal, len(lines))
    return "".join(lines[:first] + lines[first + 1 :])


def _comment_of(line: str) -> str:
    """Return the comment of a line around a document, which can follow its separator."""
    rest = line.lstrip("\ufeff \t")
    if rest.startswith(("---", "...")):
        rest = rest[3:].lstrip(" \t")
    return rest if rest.startswith("#") else ""


def _left_behind_finding(workload: Workload, instance: str, identity: str) -> Finding:
    """Return the finding for a companion that no input file has, so that it is not removed."""
    name = identity.replace("/", " ")
    return Finding(
        LEFT_BEHIND_RULE,
        f"{name} of {instance} is not in the input or belongs to another workload, so it is not removed",
        Severity.WARNING,
        workload.template_path,
        on_key=True,
        help="name the file that has it too, or delete it by hand",
        workload=workload.label,
    )


def _unlisted_finding(workload: Workload, companion: Companion) -> Finding:
    """Return the finding for an object that has the owner annotation of an instance whose record does not list it."""
    name = companion.identity.replace("/", " ")
    return Finding(
        UNLISTED_RULE,
        f"{name} names {companion.owner[1]} as its owner, but the record does not list it, so it is not removed",
        Severity.WARNING,
        workload.template_path,
        on_key=True,
        help=f"delete the object by hand, or its annotation {OWNER_ANNOTATION} if it belongs to something else",
        workload=workload.label,
    )


def concerns_removal(document: Document, names: Sequence[str] | None) -> bool:
    """Return True if a document has a record, or may have lost it; False for one that cannot be parsed and has none."""
    if may_hold(document.text, RECORD_ANNOTATION):
        return True
    try:
        return may_have_instance(document.text, names) and document.value is not None
    except InputError:
        return False


def may_have_instance(text: str, names: Sequence[str] | None) -> bool:
    """Return False if a text certainly has neither a record nor containers with the names of instances."""
    return may_hold(text, RECORD_ANNOTATION) or (
        "ontainers" in text and (names is None or any(name in text for name in names))
    )
