"""Plan the upgrade of an instance that a workload has: a three-way merge of what was written, what is there, and what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request
from sidecarctl.inject.companion_merge import CompanionEdits, CompanionMerge, LocatedConflict, part_of
from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.digest import compute_digest
from sidecarctl.inject.field_changes import diff_companion, diff_templates, hide_values
from sidecarctl.inject.merge import Merge, Unknown
from sidecarctl.inject.plan import Plan
from sidecarctl.inject.record_edits import apply_at, keep_present, upgrade_record_edits
from sidecarctl.inject.removal import find_heirs, give_volumes, used_volumes, with_volumes, without_volumes
from sidecarctl.inject.reposition import Reposition
from sidecarctl.inject.upgrade_base import (
    Rendering,
    find_base,
    plan_instance,
    render_plan,
    without_instance,
)
from sidecarctl.kube.value_diff import diff_values
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record.annotation import Added, Instance, Record
from sidecarctl.record.paths import find_settings, index_items
from sidecarctl.results import ABSENT, FieldChange
from sidecarctl.yamltext.edits import Replace, apply
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Upgrade:
    """The upgrade of one instance in one workload.

    planned      what the new version writes. Its edits are those of the workload's document, with the record; its
                 documents are companions that are new
    companions   edits of companions that the input has
    fields       fields that change, with old and new values
    parameters   recorded parameters that change
    known        False if what was written last time cannot be determined
    secret       the sidecar has a secret parameter, so values of fields are not shown
    """

    planned: Plan
    companions: tuple[CompanionEdits, ...] = ()
    conflicts: tuple[LocatedConflict, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    parameters: tuple[FieldChange, ...] = ()
    known: bool = True
    secret: bool = False

    @property
    def changes(self) -> bool:
        """True if the upgrade changes anything, the record included."""
        return bool(self.planned.edits or self.companions or self.planned.documents)


def plan_upgrade(
    document: Document,
    workload: Workload,
    record: Record,
    request: Request,
    kube_version: str,
    found: Sequence[Companion],
) -> Upgrade:
    """Plan the upgrade of the requested instance, which the record has; `found` are its companions in the input.

    Raises UsageError for an unknown target, an unsupported mode, or an invalid parameter.
    """
    present = record.instances[request.instance]
    if present.secrets:
        from sidecarctl.inject.missing_secrets import plan_without_secrets

        without = plan_without_secrets(workload, request, present, kube_version)
        if without is not None:
            return Upgrade(without)
    wanted = request.for_instance(present, kube_version)
    secrets = wanted.parameters.secrets  # of this version: recorded values can be among them
    bare = around = without_instance(workload, record, request.instance)
    planned = plan_instance(bare, record, wanted, kube_version, found)
    kept: list[str] = []
    if present.inherited and not planned.refused:
        # What the sidecar adds to a workload that has no longer the volumes that it inherited.
        alone = without_instance(workload, record, request.instance, ())
        own = plan_instance(alone, record, wanted, kube_version, found).instance.added
        kept = _kept_volumes(workload, bare, record, planned, own)
    heirs = {} if planned.refused else _find_heirs(workload, bare, record, planned, kept)
    left = replace(record, instances=_hand_over(workload, record, request.instance, heirs)) if heirs else record
    if heirs or (not planned.refused and len(kept) < len(present.inherited)):
        around = without_instance(workload, record, request.instance, (*kept, *heirs))
        planned = plan_instance(around, left, wanted, kube_version, found)
    if planned.refused:
        return Upgrade(replace(planned, workload=workload, secrets=secrets))
    rendered = new = render_plan(around, planned)
    base = find_base(workload, bare, record, request, kube_version, found, new)
    merge = Merge(request.on_conflict)
    merge.add(workload.template_path, part_of(base, None), workload.template, new.template)
    beside = CompanionMerge(request.on_conflict, base, present.added.documents)
    beside.merge({each.identity: each for each in found}, new.companions)
    recorded = present.parameters
    reposition = Reposition(
        workload=workload,
        bare=bare,
        record=record,
        request=wanted,
        planned=planned.instance,
        template=rendered.template,
    )
    own_edits = reposition.add_moves(merge.edits)
    after = apply_at(workload, own_edits)
    additions = [each.added for each in _others(left, request.instance).values()]
    written = _with_former_settings(replace(bare, template=new.template), base, planned.instance.added, additions)
    digest = compute_digest(written, without_volumes(written, planned.instance.added, kept), planned.documents)
    instance = replace(planned.instance, digest=digest)
    former = without_volumes(workload, present.added, kept)
    instance = replace(instance, added=_with_kept(after, instance.added, former, additions))
    if beside.kept:
        documents = (*instance.added.documents, *beside.kept)
        instance = replace(instance, added=replace(instance.added, documents=documents))
    instance = with_volumes(after, instance, kept, present.added)
    instance = replace(instance, added=keep_present(after, instance.added))
    unchanged = base == Rendering(written.template, new.companions)
    if present.digest and unchanged and (instance.added, instance.inherited) == (present.added, present.inherited):
        instance = replace(instance, digest=present.digest)  # it can count mounts that are inherited now
    edits = upgrade_record_edits(document, workload, left, instance, own_edits)
    secret = request.has_secrets(present)
    fields = tuple(_describe_changes(workload, after, beside.edits)) if own_edits or beside.edits else ()
    return Upgrade(
        replace(
            planned,
            workload=workload,
            secrets=secrets,
            instance=instance,
            edits=tuple(edits),
            documents=tuple(beside.added),
            upgrades=bool(edits or beside.edits or beside.added),
            hands_over=bool(heirs),
            gives_up=_gives_up(_shareable(workload, present.added), _shareable(after, instance.added)),
        ),
        tuple(beside.edits),
        (*(LocatedConflict(each) for each in merge.conflicts), *beside.conflicts),
        tuple(hide_values(fields)) if secret else fields,
        tuple(diff_values(_without_new_secrets(recorded, request.sidecar), instance.parameters)),
        not isinstance(base, Unknown),
        secret,
    )


def _without_new_secrets(recorded: Mapping[str, Any], sidecar: Sidecar) -> Mapping[str, Any]:
    """Return recorded parameters without those that this version of the sidecar makes secret: their values are not shown."""
    if not has_secrets(sidecar.parameters):
        return recorded
    from sidecarctl.catalog.renamed_parameters import carry_over
    from sidecarctl.catalog.secret_parameters import hide_secrets, remove_secrets

    carried = carry_over(recorded, sidecar.renamed_parameters)
    public = remove_secrets(carried, sidecar.parameters)
    # A value in place of a mapping that has secrets now is likely one of them.
    hidden = hide_secrets(public, sidecar.parameters)
    public = {name: value for name, value in public.items() if hidden.get(name) == value}
    return recorded if public == carried else public


def _with_kept(after: Workload, new: Added, former: Added, others: Sequence[Added]) -> Added:
    """Return what an instance adds, with what it added before and a conflict keeps, or kept before: `remove` must find it.

    What other instances added too is theirs.
    """
    left = keep_present(after, former)

    def join(attribute: str) -> tuple[str, ...]:
        theirs = {name for other in others for name in getattr(other, attribute)}
        own = (name for name in getattr(left, attribute) if name not in theirs)
        return tuple(dict.fromkeys((*getattr(new, attribute), *own)))

    def join_by_container(attribute: str) -> dict[str, tuple[str, ...]]:
        theirs = {(c, name) for other in others for c, names in getattr(other, attribute).items() for name in names}
        own: dict[str, tuple[str, ...]] = dict(getattr(new, attribute))
        for container, names in getattr(left, attribute).items():
            more = (name for name in names if (container, name) not in theirs)
            own[container] = tuple(dict.fromkeys((*own.get(container, ()), *more)))
        return {container: names for container, names in own.items() if names}

    lists = ("containers", "init_containers", "volumes", "annotations", "labels", "pod")
    parts: dict[str, Any] = {name: join(name) for name in lists}
    parts.update((name, join_by_container(name)) for name in ("volume_mounts", "env"))
    return replace(new, **parts)


def _others(record: Record, name: str) -> dict[str, Instance]:
    return {other: each for other, each in record.instances.items() if other != name}


def _kept_volumes(workload: Workload, bare: Workload, record: Record, planned: Plan, own: Added) -> list[str]:
    """Return the inherited volumes that stay: the planned containers mount them, or the app at a path that the sidecar needs.

    `own` is what the sidecar adds without them. A volume that it brings is its own again, unless others use it.
    """
    name = planned.instance.name
    used = used_volumes(apply_at(bare, planned.edits), planned.instance.added)
    needed = {
        workload.mounted_volumes.get((container, path))
        for container, paths in own.volume_mounts.items()
        for path in paths
    }
    kept = tuple(each for each in record.instances[name].inherited if each in used or each in needed)
    shared = find_heirs(workload, Added(volumes=kept), _others(record, name))
    return [each for each in kept if each in shared or each not in own.volumes]


def _find_heirs(
    workload: Workload, bare: Workload, record: Record, planned: Plan, kept: Sequence[str]
) -> dict[str, str]:
    """Return the instances that inherit volumes of the upgraded one: they use them, and the plan has no longer all of them.

    A volume is complete with the app's mounts of it.
    """
    name = planned.instance.name
    former = record.instances[name].added
    others = _others(record, name)
    if not former.volumes or not others:
        return {}
    after = apply_at(bare, planned.edits)
    there = index_items(after.pod.get("volumes"), "name")
    incomplete = {
        workload.mounted_volumes.get((container, path))
        for container, paths in former.volume_mounts.items()
        for path in paths
        if after.mounted_volumes.get((container, path)) != workload.mounted_volumes.get((container, path))
    }
    inherited = record.instances[name].inherited
    lost = [
        volume
        for volume in former.volumes
        if volume not in kept and (volume in inherited or volume in incomplete or volume not in there)
    ]
    return find_heirs(workload, replace(former, volumes=tuple(lost)), others) if lost else {}


def _hand_over(workload: Workload, record: Record, name: str, heirs: Mapping[str, str]) -> dict[str, Instance]:
    """Return the instances of a record after those of `heirs` inherited volumes of another one."""
    given = give_volumes(workload, record.instances[name].added, _others(record, name), heirs)
    return {each: given.get(each, instance) for each, instance in record.instances.items()}


def _with_former_settings(
    written: Workload, base: Rendering | Unknown, added: Added, others: Sequence[Added]
) -> Workload:
    """Return a workload with the pod settings that others need too as they were last written.

    A person's change of such a setting stays an edit: if only this instance were left, it would be kept.
    """
    shared = {text for other in others for text in other.pod}.intersection(added.pod)
    if not shared or isinstance(base, Unknown):
        return written
    former = find_settings(replace(written, template=base.template).pod, shared)
    now = find_settings(written.pod, former)
    edits = [Replace((*written.pod_path, *path), former[text][1]) for text, (path, _) in now.items()]
    return apply_at(written, edits)


def _shareable(workload: Workload, added: Added) -> dict[tuple[str, ...], Any]:
    """Return what an instance adds and others can use: the pod settings, the volumes, and the volumes at the app's mounts."""
    at = ((container, path) for container, paths in added.volume_mounts.items() for path in paths)
    found: dict[tuple[str, ...], Any] = {("volumeMounts", *each): workload.mounted_volumes.get(each) for each in at}
    found |= {("pod", text): value for text, (_, value) in find_settings(workload.pod, added.pod).items()}
    return found | {("volumes", name): True for name in added.volumes}


def _gives_up(before: Mapping[tuple[str, ...], Any], after: Mapping[tuple[str, ...], Any]) -> bool:
    return any(after.get(key) != value for key, value in before.items())


def _describe_changes(before: Workload, after: Workload, companions: Sequence[CompanionEdits]) -> Iterator[FieldChange]:
    """Yield the fields that change."""
    yield from diff_templates(before, before.template, after.template)
    for each in companions:
        old = each.companion.value
        yield from diff_companion(each.companion.identity, old, ABSENT if each.removed else apply(old, each.edits))
