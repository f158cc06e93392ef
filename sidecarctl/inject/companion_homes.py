"""Find the workload that a companion belongs to, which may be anywhere in a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.inject.companion_search import Companion, belongs_to, find_references
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.names import SUBDOMAIN_LENGTH
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Holder:
    """A workload with a record, and where it is: the number of its document, or the name of its file."""

    workload: Workload
    record: Record
    place: Any

    @cached_property
    def references(self) -> Mapping[str, frozenset[str]]:
        """The objects that each instance uses, see `find_references`."""
        return {name: find_references(self.workload, each) for name, each in self.record.instances.items()}

    @cached_property
    def known(self) -> Mapping[str, frozenset[str]]:
        """The objects that each instance uses or that the record names."""
        return {name: self.references[name].union(each.added.documents) for name, each in self.record.instances.items()}

    def is_near(self, companion: Companion) -> bool:
        """Return True for a companion in the namespace of the workload, or in none, as a ClusterRole."""
        return companion.namespace in ("", self.workload.namespace)

    def uses(self, companion: Companion) -> bool:
        """Return True if the instance that a companion names has it."""
        return self.is_near(companion) and companion.identity in self.known[companion.owner[1]]


class Homes:
    """Workloads that can have companions, found without comparing each of them with each companion."""

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._by_label: dict[str, list[Holder]] = {}
        self._by_name: dict[tuple[str, str], list[Holder]] = {}
        self._by_known: dict[tuple[str, str], list[Holder]] = {}
        for holder in holders:
            self._by_label.setdefault(holder.workload.label, []).append(holder)
            for name, known in holder.known.items():
                self._by_name.setdefault((name, holder.workload.name), []).append(holder)
                for identity in known:
                    self._by_known.setdefault((name, identity), []).append(holder)

    def find_labelled(self, companion: Companion) -> list[Holder]:
        """Return the workloads that the owner annotation of a companion names."""
        return self._by_label.get(companion.owner[0], [])

    def find_users(self, companion: Companion) -> list[Holder]:
        """Return the workloads that have a companion by its name, those first that its owner annotation names."""
        label, name = companion.owner
        users = [each for each in self._by_known.get((name, companion.identity), ()) if each.uses(companion)]
        return [each for each in users if each.workload.label == label] or users

    def find_fitting(self, companion: Companion) -> list[Holder]:
        """Return the workloads that a companion belongs to, although its owner annotation names another one."""
        label, name = companion.owner
        known = self._by_known.get((name, companion.identity))
        identities = (companion.identity,) if known else ()
        names = () if known else _new_names(label.rpartition("/")[2], companion.identity.partition("/")[2])
        among = known or [each for now in names for each in self._by_name.get((name, now), ())]
        return [each for each in among if belongs_to(companion, each.workload, each.record.instances[name], identities)]


def _new_names(before: str, companion: str) -> list[str]:
    """Return the names with which a workload that was called `before` fits a companion, as `belongs_to` checks.

    They have the first `before` of the companion's name, so there are at most as many as it has characters.
    """
    at = companion.find(before) if before and len(companion) <= SUBDOMAIN_LENGTH else -1
    if at < 0:
        return []
    end = at + len(before)
    return sorted(companion[:end] + companion[cut:] for cut in range(end, len(companion) + 1))


def read_records(document: Document, kinds: Kinds) -> Iterator[tuple[Workload, Record]]:
    """Yield the workloads of a document with their records; invalid ones are reported when the document is processed."""
    try:
        for workload in workloads(document.value, kinds):
            yield workload, records.read(workload)
    except SidecarctlError:
        return
