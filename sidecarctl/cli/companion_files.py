"""Companions in other files of a run than their workloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from sidecarctl.cli.delivery import Done, fail_with
from sidecarctl.errors import SidecarctlError
from sidecarctl.files.sources import Read, Source
from sidecarctl.inject.companion_homes import Holder, Homes, read_records
from sidecarctl.inject.companion_search import Beside, Companion, CompanionKey
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.pipeline import Result
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_mapping, may_hold
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.yamltext.nodes import Node
from sidecarctl.yamltext.stream import split_readable

Item = tuple[Source, Read]


@dataclass(frozen=True)
class Group:
    """The other files that have companions of a file's workloads, and the companions in all these that are of other files."""

    files: Sequence[str]
    claimed: frozenset[CompanionKey]
    parsed: dict[str, Node] = field(repr=False)

    def read(self, texts: Mapping[str, str]) -> Beside:
        """Return the group with the current texts of its files."""
        return Beside(tuple((name, texts[name]) for name in self.files), self.claimed, self.parsed)


def find_companion_files(items: Sequence[Item], kinds: Kinds) -> dict[str, Group]:
    """Map each file to its group; files whose companions follow from their own text are left out.

    A companion whose workload several files have belongs to the one in its directory.
    """
    holding = [item for item in items if may_hold(item[1].text, OWNER_ANNOTATION)]
    if len(items) < 2 or not holding:
        return {}
    holders = [
        Holder(workload, record, source.name)
        for source, read in items
        if may_hold(read.text, RECORD_ANNOTATION)
        for document in split_readable(read.text, source.name, [])
        if read_owner(document) is None
        for workload, record in read_records(document, kinds)
    ]
    homes = _Homes(holders)
    files: dict[str, dict[str, None]] = {}  # of each workload's file: the files with its companions
    owners: dict[str, list[tuple[CompanionKey, frozenset[str]]]] = {}  # of each file with companions: whose they can be
    for source, read in holding:
        for document in split_readable(read.text, source.name, []):
            if read_owner(document) is None:
                continue
            companion = Companion(as_mapping(document.value))
            found = homes.find(companion, source.name)
            owners.setdefault(source.name, []).append((companion.key, found))
            if len(found) == 1 and source.name not in found:
                files.setdefault(next(iter(found)), {})[source.name] = None
    groups: dict[str, Group] = {}
    parsed: dict[str, Node] = {}
    for name in {*files, *owners}:
        others = tuple(files.get(name, ()))
        claimed = frozenset(
            key for file in (name, *others) for key, found in owners.get(file, ()) if found and name not in found
        )
        if others or claimed:
            groups[name] = Group(others, claimed, parsed)
    return groups


class _Homes:
    """The workloads of a run that can have companions, of each file, and of each directory."""

    def __init__(self, holders: Sequence[Holder]) -> None:
        by_file: dict[str, list[Holder]] = {}
        by_directory: dict[PurePath, list[Holder]] = {}
        for each in holders:
            by_file.setdefault(each.place, []).append(each)
            by_directory.setdefault(PurePath(each.place).parent, []).append(each)
        self._files = {file: Homes(own) for file, own in by_file.items()}
        self._directories = {directory: Homes(near) for directory, near in by_directory.items()}
        self._all = Homes(holders)

    def find(self, companion: Companion, file: str) -> frozenset[str]:
        """Return the file of the workload that a companion in `file` belongs to; several that are equally likely, or none.

        The workload that it names and that uses it comes first: others can be copies of that.
        """
        own = self._files.get(file, _NONE)
        near = self._directories.get(PurePath(file).parent, _NONE)
        searches: tuple[Callable[[], Sequence[Holder]], ...] = (
            lambda: _find_named_users(own, companion),
            lambda: _find_named_users(near, companion),
            lambda: own.find_users(companion),
            lambda: near.find_users(companion),
            lambda: _find_named_users(self._all, companion),
            lambda: self._all.find_users(companion),
            lambda: _find_named(own, companion),
            lambda: own.find_fitting(companion),
            lambda: _find_named(near, companion),
            lambda: _find_named(self._all, companion),
            lambda: near.find_fitting(companion),
            lambda: self._all.find_fitting(companion),
        )
        for search in searches:
            if among := search():
                return frozenset(each.place for each in among)
        return frozenset()


_NONE = Homes(())


def _find_named(homes: Homes, companion: Companion) -> list[Holder]:
    return [each for each in homes.find_labelled(companion) if companion.owner[1] in each.record.instances]


def _find_named_users(homes: Homes, companion: Companion) -> list[Holder]:
    return [each for each in _find_named(homes, companion) if each.uses(companion)]


@dataclass(frozen=True)
class Together:
    """The results of files that have a group, and the new texts of all files."""

    done: Mapping[str, Done]
    texts: Mapping[str, str]


def transform_together(
    items: Sequence[Item],
    groups: Mapping[str, Group],
    transform: Callable[[str, str, Beside], Result],
) -> Together:
    """Transform the files that have a group."""
    texts = {source.name: read.text for source, read in items}
    done: dict[str, Done] = {}
    for source, read in items:
        if source.name not in groups:
            continue
        try:
            result = transform(texts[source.name], source.name, groups[source.name].read(texts))
        except SidecarctlError as error:
            done[source.name] = Done(source, read, error=error)
            continue
        shares = [] if result.failed else [name for name, text in result.beside.items() if text != texts[name]]
        done[source.name] = Done(source, read, replace(result, original=read.text), shares=shares)
        if not result.failed:
            texts.update(result.beside)
            texts[source.name] = result.text
    # The run over a file can also change one that is done: its companions.
    return Together({name: _with_text(one, texts[name]) for name, one in done.items()}, texts)


def _with_text(done: Done, text: str) -> Done:
    return replace(done, result=replace(done.result, text=text)) if done.result else done


def fail_together(done: Sequence[Done]) -> list[Done]:
    """Return results in which files that share a change all fail if one of them fails: half of a change is not written."""
    linked: dict[str, set[str]] = {}
    for one in done:
        for other in one.shares:
            linked.setdefault(one.source.name, set()).add(other)
            linked.setdefault(other, set()).add(one.source.name)
    causes = {one.source.name: one.source.name for one in done if one.failed}
    waiting = [name for name in causes if name in linked]
    while waiting:
        name = waiting.pop()
        new = linked[name] - causes.keys()
        causes |= dict.fromkeys(new, causes[name])
        waiting += new
    return [
        fail_with(one, causes[one.source.name], "workloads and companions")
        if one.source.name in causes and not one.failed
        else one
        for one in done
    ]
