"""Companions in other files of a run than their workloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath

from sidecarctl.cli.delivery import Done
from sidecarctl.errors import SidecarctlError
from sidecarctl.files.sources import Read, Source
from sidecarctl.inject.companion_search import Companion, Holder, Homes, read_records
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.pipeline import Result
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_mapping, may_hold
from sidecarctl.lazy_dataclass import replace
from sidecarctl.yamltext.stream import split_readable

Item = tuple[Source, Read]


def find_companion_files(items: Sequence[Item], kinds: Kinds) -> dict[str, tuple[str, ...]]:
    """Map each file to the other files that have companions of its workloads; files without such companions are left out.

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
    by_file: dict[str, list[Holder]] = {}
    for each in holders:
        by_file.setdefault(each.place, []).append(each)
    homes, own_homes = Homes(holders), {file: Homes(own) for file, own in by_file.items()}
    found: dict[str, dict[str, None]] = {}
    for source, read in holding:
        for document in split_readable(read.text, source.name, []):
            if read_owner(document) is not None:
                companion = Companion(as_mapping(document.value))
                own = own_homes.get(source.name)
                home = (_find_home(companion, source.name, own) if own else "") or _find_home(
                    companion, source.name, homes
                )
                if home and home != source.name:
                    found.setdefault(home, {})[source.name] = None
    return {file: tuple(others) for file, others in found.items()}


def _find_home(companion: Companion, file: str, homes: Homes) -> str:
    """Return the file of the workload that a companion belongs to, "" if there is none or more than one."""
    named = [each for each in homes.find_labelled(companion) if companion.owner[1] in each.record.instances]
    fitting = [each.place for each in named or homes.find_fitting(companion)]
    if file in fitting:
        return file
    near = [each for each in fitting if PurePath(each).parent == PurePath(file).parent] or fitting
    return near[0] if len(set(near)) == 1 else ""


def transform_together(
    items: Sequence[Item],
    groups: dict[str, tuple[str, ...]],
    transform: Callable[[str, str, Sequence[tuple[str, str]]], Result],
) -> tuple[dict[str, Done], dict[str, str]]:
    """Transform the files that have companions elsewhere; return their results, and the new texts of the other files."""
    texts = {source.name: read.text for source, read in items}
    done: dict[str, Done] = {}
    for source, read in items:
        if source.name not in groups:
            continue
        others = [(name, texts[name]) for name in groups[source.name]]
        try:
            result = transform(texts[source.name], source.name, others)
        except SidecarctlError as error:
            done[source.name] = Done(source, read, error=error)
            continue
        done[source.name] = Done(source, read, replace(result, original=read.text))
        if not result.failed:
            texts.update(result.beside)
    return done, texts
