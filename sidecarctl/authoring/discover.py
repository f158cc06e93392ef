"""Find sidecars that were pasted by hand into several workloads.

Containers are grouped by image and mode. A container that occurs in one workload only is reported, not converted. Values
that look like secrets are masked, so that no file that is written has them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count
from types import MappingProxyType
from typing import Any

from sidecarctl.authoring.candidate import MODES, Candidate, add_shared_parts
from sidecarctl.catalog.merge_patch import make_patch
from sidecarctl.errors import InputError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.targets import choose_targets
from sidecarctl.kube import names
from sidecarctl.kube.kinds import DEFAULT_KINDS, has_no_workload
from sidecarctl.kube.workload import DEFAULT_CONTAINER_ANNOTATION, Container, Workload, as_mapping, workloads
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document, split

# Labels whose value is often the name of the main container.
_NAME_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app", "k8s-app", "name", "component")
_LONGEST_STEM = 50  # with "custom-" and a number, at most 63 characters
_GLOB_CHARACTERS = frozenset("*?[")
_SELECTED_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


@dataclass(frozen=True)
class Group:
    """One sidecar: its library name, the member that the template is based on, and all members."""

    name: str
    base: Candidate
    members: tuple[Candidate, ...]

    @property
    def workloads(self) -> int:
        """The number of workloads; one of them can have several members."""
        return len({id(member.workload) for member in self.members})

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The lists that differ between members: `volumes`, `mounts`."""
        return tuple(
            what
            for what in ("volumes", "mounts")
            if not all(identical(list(getattr(m, what)), list(getattr(self.base, what))) for m in self.members)
        )

    def parameters(self, member: Candidate) -> dict[str, Any]:
        """Return the parameters that turn the template into the container of a member."""
        given: dict[str, Any] = {}
        if member.image != self.base.image:
            given["image"] = member.image
        patch = make_patch({**self.base.shape, "image": ""}, {**member.shape, "image": ""})
        if patch:
            given["patch"] = patch
        for what in self.varying:
            value, usual = list(getattr(member, what)), list(getattr(self.base, what))
            given.update({} if identical(value, usual) else {what: value})
        return given


@dataclass(frozen=True)
class Discovery:
    """The result of a search.

    groups     sidecars to convert
    unmatched  containers that occur in one workload only
    workloads  number of workloads
    partial    number of partial workloads, such as kustomize patches, which are left out
    errors     documents that cannot be read
    """

    groups: tuple[Group, ...] = ()
    unmatched: tuple[Candidate, ...] = ()
    workloads: int = 0
    partial: int = 0
    errors: tuple[InputError, ...] = ()


@dataclass
class _Candidates:
    candidates: list[Candidate] = field(default_factory=list)
    listed_first: list[Candidate] = field(default_factory=list)
    workloads: int = 0
    partial: int = 0
    errors: list[InputError] = field(default_factory=list)


# Containers that a composition adopts, by file and workload label.
Adopted = Mapping[tuple[str, str], Set[str]]


def discover(
    texts: Iterable[tuple[str, str]], taken: Iterable[str] = (), adopted: Adopted = MappingProxyType({})
) -> Discovery:
    """Search manifests, given as (file, text). A document that cannot be read does not hide the others.

    `taken` are the names of sidecars that libraries have already. Containers in `adopted` are no pasted sidecars.
    """
    candidates = _Candidates()
    for file, text in texts:
        for document in _documents(text, file, candidates.errors):
            for workload in workloads(document.value):
                candidates.workloads += 1
                if _is_patch(workload):
                    candidates.partial += 1
                else:
                    _collect_candidates(workload, document, adopted.get((file, workload.label), set()), candidates)
    by_image: dict[tuple[str, str], list[Candidate]] = {}
    for one in candidates.candidates:
        by_image.setdefault(_group_key(one), []).append(one)
    # In some workloads, the sidecar is listed before the app.
    for one in candidates.listed_first:
        group = by_image.get(_group_key(one), [])
        if any(other.container.name == one.container.name for other in group):
            group.append(one)
    groups: list[Group] = []
    unmatched: list[Candidate] = []
    for members in by_image.values():
        if len({id(member.workload) for member in members}) < 2:
            unmatched += members
            continue
        groups.append(
            _build_group([add_shared_parts(member) for member in members], {*taken, *(group.name for group in groups)})
        )
    return Discovery(
        tuple(groups), tuple(unmatched), candidates.workloads, candidates.partial, tuple(candidates.errors)
    )


def _documents(text: str, file: str, errors: list[InputError]) -> Iterator[Document]:
    """Yield the documents that can have workloads, and collect the errors of the others."""
    try:
        for document in split(text, file):
            if has_no_workload(document.text, DEFAULT_KINDS):
                continue
            try:
                document.root  # noqa: B018
            except InputError as error:
                errors.append(error)
            else:
                yield document
    except InputError as error:
        errors.append(error)


def _is_patch(workload: Workload) -> bool:
    """Return True for a partial workload, which a tool such as kustomize merges into another one."""
    apps = [c for c in workload.containers if c.role in ("app", "classic")]
    without_selector = workload.kind in _SELECTED_KINDS and "selector" not in as_mapping(workload.value.get("spec"))
    return not apps or without_selector or any("image" not in c.value for c in apps)


def find_main_container(workload: Workload) -> Container | None:
    """Return the container that the workload is about, None if nothing names one.

    The annotation kubectl.kubernetes.io/default-container names it, or it has the name of the workload or of its labels,
    as its own name or as that of its image.
    """
    apps = [c for c in workload.containers if c.role == "app"]
    if DEFAULT_CONTAINER_ANNOTATION in workload.annotations:
        return next(iter(choose_targets(workload, (), "default")), None)
    labels = as_mapping(workload.metadata.get("labels"))
    for wanted in (workload.name, *(str(labels[key]) for key in _NAME_LABELS if key in labels)):
        for container in apps:
            image = names.parse_image(str(container.value.get("image", ""))).repository.rpartition("/")[2]
            if wanted and wanted in (container.name, image):
                return container
    return None


def _collect_candidates(workload: Workload, document: Document, adopted: Set[str], candidates: _Candidates) -> None:
    try:
        record = records.read(workload)
    except RecordError:
        return
    owned = find_owned(record) | adopted
    apps = [c for c in workload.containers if c.role == "app" and c.name not in owned]
    main = find_main_container(replace(workload, classic=workload.classic | owned))
    for container in workload.containers:
        if container.role not in MODES or container.name in owned or not container.name or container == main:
            continue
        unselectable = _find_unselectable(workload)
        if unselectable:
            path, problem = unselectable
            candidates.errors.append(InputError(f"no rule can select {problem}", where=str(document.locate(path))))
            break
        invalid = names.check_dns_label(container.name)
        if invalid:  # the name of a sidecar is that of its directory
            where = str(document.locate((*container.path, "name")))
            candidates.errors.append(InputError(f'invalid container name "{container.name}": {invalid}', where=where))
            continue
        found = Candidate(document.file, workload, container)
        if container.role == "sidecar" or main or container != apps[0]:
            candidates.candidates.append(found)
        elif len(apps) > 1:
            candidates.listed_first.append(found)


def find_owned(record: Record) -> set[str]:
    """Return the names of the containers that a record lists."""
    return {n for i in record.instances.values() for n in (*i.added.containers, *i.added.init_containers)}


def _find_unselectable(workload: Workload) -> tuple[PathTuple, str] | None:
    """Return the path of a name that a rule cannot have, because a rule reads it as a glob, and what has it."""
    metadata = (*workload.path, "metadata")
    named = [((*metadata, "name"), "a workload with the name", workload.name)]
    named += (
        [((*metadata, "namespace"), "a workload in the namespace", workload.namespace)] if workload.namespace else []
    )
    named += [((*c.path, "name"), "a container with the name", c.name) for c in workload.containers if c.role == "app"]
    for path, what, name in named:
        if not name:
            return path, f"{what.removesuffix(' with the name')} with a name that is not text"
        if _GLOB_CHARACTERS.intersection(name):
            return path, f'{what} "{name}"'
    return None


def _group_key(found: Candidate) -> tuple[str, str]:
    return names.parse_image(found.image).repository, found.mode


def _build_group(members: list[Candidate], taken: Set[str]) -> Group:
    name = Counter(member.container.name for member in members).most_common(1)[0][0]
    stem = f"custom-{name[:_LONGEST_STEM].rstrip('-')}"
    possible = chain([name, stem], (f"{stem}-{number}" for number in count(2)))
    free = next(each for each in possible if each not in taken)
    usual = Counter(_comparable(member) for member in members).most_common(1)[0][0]
    base = next(member for member in members if _comparable(member) == usual)
    return Group(free, base, tuple(members))


def _comparable(member: Candidate) -> str:
    parts = (member.shape, list(member.volumes), list(member.mounts), member.after_init)
    return json.dumps(parts, sort_keys=True, default=str)
