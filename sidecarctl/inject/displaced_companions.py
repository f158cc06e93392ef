"""Companions that do not follow their workload: Helm and kustomize sort documents by kind, and people move them."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Iterable, Sequence

from sidecarctl.errors import InputError
from sidecarctl.inject.companion_homes import Holder, Homes, read_records
from sidecarctl.inject.companion_search import Companion, CompanionKey
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_mapping, label_of, may_hold
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.scalars import reads_as_itself
from sidecarctl.yamltext.stream import Document

# Documents in block style, as people and programs write nearly all of them.
_KIND = lazy_pattern(r"^kind:[ \t]+([A-Z][A-Za-z]*)[ \t]*\r?$", re.MULTILINE)
_METADATA = lazy_pattern(r"^metadata:[ \t]*\r?\n((?:[ \t]+\S[^\n]*(?:\n|\Z)|[ \t]*\r?\n)+)", re.MULTILINE)
_ENTRY = lazy_pattern(r"""["']?([-A-Za-z0-9_./]+)["']?:(?:[ \t]+(.*))?""")
_PLAIN = lazy_pattern(r"""["']?([A-Za-z0-9][-A-Za-z0-9./]*)["']?""")


# A record lists companions by name, or by the volumes that use them.
_LISTS_COMPANIONS = ("documents", "configMap", "secret")


def has_displaced_companions(documents: Iterable[Document], kinds: Kinds = DEFAULT_KINDS) -> bool:
    """Return True if a companion does not follow the workload that its owner annotation names, or a workload has none behind it.

    Cheap: it parses only documents whose label or owner cannot be read from block style, and workloads without a companion
    behind them whose record can list some.
    """
    holder: Document | None = None
    label = ""
    for document in documents:
        owner = _find_owner(document)
        if owner is None:
            if holder is not None and _lacks_companions(holder, kinds):
                return True
            holder = document
            continue
        if holder is not None:
            label, holder = (_find_label(holder) if may_hold(holder.text, RECORD_ANNOTATION) else ""), None
        if owner.rpartition("/")[0] != label:
            return True
    return holder is not None and _lacks_companions(holder, kinds)


def _lacks_companions(document: Document, kinds: Kinds) -> bool:
    """Return True if a record lists companions that are not in the document. Those of a workload in a List are in it."""
    text = document.text
    if not may_hold(text, RECORD_ANNOTATION) or may_hold(text, OWNER_ANNOTATION):
        return False
    if not any(word in text for word in _LISTS_COMPANIONS):
        return False
    return any(
        each.added.documents for _, record in read_records(document, kinds) for each in record.instances.values()
    )


def _find_label(document: Document) -> str:
    """Return the label of the object in a document, "" if it cannot be parsed."""
    kinds, entries = _KIND.findall(document.text), _metadata(document)
    if len(kinds) == 1 and entries and "name" in entries:
        namespace = _plain(entries["namespace"][0]) if "namespace" in entries else ""
        name = _plain(entries["name"][0])
        if name and namespace is not None:
            return "/".join(each for each in (kinds[0], namespace, name) if each)
    try:
        return label_of(document.value)
    except InputError:
        return ""


def _find_owner(document: Document) -> str | None:
    """Return the owner annotation of a companion, None for any other document."""
    if not may_hold(document.text, OWNER_ANNOTATION):
        return None
    _, lines = (_metadata(document) or {}).get("annotations", ("", []))
    text, _ = (_entries(lines) or {}).get(OWNER_ANNOTATION, ("", []))
    return _plain(text) or read_owner(document)


def _metadata(document: Document) -> dict[str, tuple[str, list[str]]] | None:
    blocks = _METADATA.findall(document.text)
    return _entries(blocks[0].split("\n")) if len(blocks) == 1 else None


def _entries(lines: Iterable[str]) -> dict[str, tuple[str, list[str]]] | None:
    """Return, for each key of a mapping in block style, the text behind it and the lines below it; None for another style."""
    found: dict[str, tuple[str, list[str]]] = {}
    depth, below = -1, list[str]()
    for line in lines:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if bare.count('"') % 2 or bare.count("'") % 2:  # a quoted text of several lines
            return None
        indent = len(line) - len(line.lstrip(" "))
        depth = indent if depth < 0 else depth
        if found and (indent > depth or (indent == depth and bare.startswith("- "))):
            below.append(line)
            continue
        entry = _ENTRY.fullmatch(bare) if indent == depth else None
        if entry is None or entry[1] in found:
            return None
        below = []
        found[entry[1]] = (entry[2] or "", below)
    return found


def _plain(text: str) -> str | None:
    """Return the string that a scalar without escapes is; None for any other text."""
    match = _PLAIN.fullmatch(text)
    return match[1] if match and (text != match[1] or reads_as_itself(text)) else None


def gather_companions(
    documents: Sequence[Document], kinds: Kinds, claimed: Collection[CompanionKey] = ()
) -> list[Document]:
    """Move each companion behind its workload. A companion without a workload stays behind the document before it.

    `claimed` companions belong to workloads of other files, so they come first: behind no workload.
    """
    companions = {
        index: Companion(as_mapping(each.value)) for index, each in enumerate(documents) if read_owner(each) is not None
    }
    if not companions:
        return list(documents)
    foreign = [index for index, companion in companions.items() if companion.key in claimed]
    homes = Homes(
        Holder(workload, record, index)
        for index, document in enumerate(documents)
        if index not in companions and may_hold(document.text, RECORD_ANNOTATION)
        for workload, record in read_records(document, kinds)
    )
    behind: dict[int, list[int]] = {}
    exact = {each.key for each in companions.values()}
    for index, companion in companions.items():
        if companion.key in claimed:
            continue
        own = [each.place for each in homes.find_users(companion) or homes.find_labelled(companion)]
        # Of several workloads with one name, the companion belongs to the one that it follows.
        home = own[max(bisect(own, index) - 1, 0)] if own else _find_home(companion, index, homes, exact)
        if home is not None:
            behind.setdefault(home, []).append(index)
    moved = {*foreign, *(index for indices in behind.values() for index in indices)}
    order = foreign
    for index in range(len(documents)):
        if index not in moved:
            order += (index, *behind.get(index, ()))
    return [documents[index] for index in order]


def _find_home(companion: Companion, index: int, homes: Homes, exact: Collection[CompanionKey]) -> int | None:
    """Return the nearest document that a companion belongs to whose owner is not in the input.

    `exact` has the keys of all companions: an instance has one of each name.
    """
    fitting = [
        each.place for each in homes.find_fitting(companion) if (each.workload.label, *companion.key[1:]) not in exact
    ]
    return min(fitting, key=lambda home: abs(home - index), default=None)


def restore_order(documents: Sequence[Document]) -> list[Document]:
    """Return documents in the order of the input; a new companion stays behind its workload."""
    return sorted(documents, key=lambda document: document.index)
