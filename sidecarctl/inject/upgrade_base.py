"""What was written last time: the base of the three-way merge of an upgrade, and of the edits that `status` lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.errors import SidecarctlError
from sidecarctl.inject.companion_search import Companion, identify
from sidecarctl.inject.companions import OWNER_ANNOTATION, inherit_hooks
from sidecarctl.inject.digest import compute_digest
from sidecarctl.inject.merge import Unknown
from sidecarctl.inject.plan import Plan, plan_sidecar
from sidecarctl.inject.record_edits import apply_at, prune_record
from sidecarctl.inject.removal import plan_removal, without_volumes
from sidecarctl.inject.rename_companions import in_order, rename_companions
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.record.annotation import Added, Instance, Record
from sidecarctl.record.paths import find_settings
from sidecarctl.yamltext.edits import Remove, Replace

# Of all instances of a workload: each rendering reads the whole pod. The second limits renderings for all Kubernetes versions.
_MOST_RENDERINGS, _MOST_OF_VERSIONS = 200, 3_000
# Former names of a workload or container, and other sidecars whose settings were there; former owners of companions.
_MOST_NAMES, _MOST_OWNERS = 16, 3
# The app's mounts of inherited volumes: each combination of them is tried.
_MOST_MOUNTS = 6


@dataclass(frozen=True)
class Rendering:
    """What one version of a sidecar writes: the pod template of the workload, and the companions by `Kind/name`.

    inherited  the annotations that companions have from the workload
    """

    template: Any
    companions: Mapping[str, Any] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict, compare=False)


def without_instance(workload: Workload, record: Record, name: str, keep: Sequence[str] | None = None) -> Workload:
    """Return the workload without an instance, but with the volumes that it inherited, or with those of `keep`.

    Its record still lists the instance.
    """
    kept = record.instances[name].inherited if keep is None else keep
    return apply_at(workload, plan_removal(workload, record, [name], for_upgrade=True, keep=kept).edits)


def plan_instance(
    bare: Workload, record: Record, request: Request, kube_version: str, found: Sequence[Companion]
) -> Plan:
    """Return the plan that adds an instance to a workload without it."""
    planned = plan_sidecar(bare, request, prune_record(bare, record), kube_version)
    return rename_companions(planned, found)


def render_plan(bare: Workload, planned: Plan) -> Rendering:
    """Return what a plan writes."""
    companions = {identify(each): each for each in planned.documents}
    return Rendering(apply_at(bare, planned.edits).template, companions, inherit_hooks(bare))


def find_base(
    workload: Workload,
    bare: Workload,
    record: Record,
    request: Request,
    kube_version: str,
    found: Sequence[Companion],
    new: Rendering,
) -> Rendering | Unknown:
    """Return what was written last time.

    If the digest of what is there is the recorded one, it was not edited and is the base. Else the recorded version is
    rendered with the recorded parameters; its digest must be the recorded one. Otherwise the base is unknown. The digest does
    not cover metadata of companions: if that differs, the recorded version says what was written.
    """
    instance = record.instances[request.instance]
    if is_unedited(workload, instance, found):
        companions = {each.identity: own_part(each.value, new) for each in found}
        if any(_has_other_metadata(each.value, new.companions.get(each.identity)) for each in found):
            # The digest does not cover metadata: the recorded version, a person, or another tool may have set it.
            written = render_base(bare, record, request, kube_version, found)
            if written is not None:
                companions = {name: written.companions.get(name, each) for name, each in companions.items()}
        return Rendering(workload.template, companions, inherit_hooks(workload))
    rendered = render_base(bare, record, request, kube_version, found)
    if rendered is not None:
        return rendered
    try:
        without = render_plan(
            bare, plan_instance(bare, record, request.without_changes(instance, kube_version), kube_version, found)
        )
    except SidecarctlError:  # a parameter is required now that was not recorded
        without = new
    return Unknown(without)


def is_unedited(workload: Workload, instance: Instance, found: Sequence[Companion]) -> bool:
    """Return True if everything that an instance added is as it was written."""
    if not instance.digest or len(found) != len(instance.added.documents):
        return False
    return any(
        compute_digest(workload, own, values) == instance.digest
        for values in _possible_orders(instance, found)
        for own in _possible_additions(workload, instance)
    )


def _possible_orders(instance: Instance, found: Sequence[Companion]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield companions in the order of the input, then in that of the record, which the digest has.

    An upgrade writes a new companion behind the others, and kustomize sorts them.
    """
    yield [each.value for each in found]
    recorded = in_order(instance.added.documents, found)
    if recorded != [*found]:
        yield [each.value for each in recorded]


def _possible_additions(workload: Workload, instance: Instance) -> Iterator[Added]:
    """Yield what an instance may have added: without volumes that it inherited, and the app's mounts of them.

    It can have mounts of its own of such a volume, which the record does not tell from inherited ones.
    """
    own = without_volumes(workload, instance.added, instance.inherited)
    yield from _with_mounts(own, _inherited_mounts(workload, instance))


def _inherited_mounts(workload: Workload, instance: Instance) -> list[tuple[str, str]]:
    """Return container and path of the app's mounts of inherited volumes."""
    return [
        (container, path)
        for container, paths in instance.added.volume_mounts.items()
        for path in paths
        if workload.mounted_volumes.get((container, path)) in instance.inherited
    ]


def _with_mounts(added: Added, mounts: Sequence[tuple[str, str]]) -> Iterator[Added]:
    """Yield an addition, then with each combination of more mounts."""
    yield added
    more = [each for each in mounts if each[1] not in added.volume_mounts.get(each[0], ())]
    for count in range(1, len(more) + 1) if len(more) <= _MOST_MOUNTS else ():
        for chosen in combinations(more, count):
            joined = dict(added.volume_mounts)
            for container, path in chosen:
                joined[container] = (*joined.get(container, ()), path)
            yield replace(added, volume_mounts=joined)


def render_base(
    bare: Workload, record: Record, request: Request, kube_version: str, found: Sequence[Companion]
) -> Rendering | None:
    """Render the recorded version with the recorded parameters; None if that is not what was written.

    kustomize may have renamed the workload since, the target Kubernetes version may have changed, and a person may have
    changed a pod setting that others need too. Records of format 1 have no digest: the first rendering counts. The number of
    tries is limited.
    """
    instance = record.instances[request.instance]
    base_request = request.recorded(instance)
    if base_request is None:
        return None
    versions = (kube_version, *(each for each in reversed(SUPPORTED) if each != kube_version))
    candidates = [(former, version) for former in (*_former_identities(bare, found), bare) for version in versions]
    others = islice(_with_former_settings(bare, record, request, kube_version), _MOST_NAMES)
    candidates += ((former, kube_version) for former in others)
    candidates += ((replace(bare, name=name), kube_version) for name in _guess_names(bare, bare.name))
    inherited = _inherited_mounts(bare, instance)
    tried: list[Rendering] = []
    for former, version in candidates[: _max_renderings(record)]:
        try:
            planned = plan_instance(former, record, base_request, version, found)
        except SidecarctlError:
            continue
        if planned.refused:
            continue
        rendering = render_plan(former, planned)
        if rendering in tried:
            continue
        tried.append(rendering)
        after = replace(bare, template=rendering.template)
        if instance.digest in ("", *_digests(after, planned, inherited)):
            return rendering
    return None


def _max_renderings(record: Record) -> int:
    """Return how many renderings may be tried for each instance: those for all Kubernetes versions, with two names, or more.

    Fewer for more than a hundred instances, which would take minutes together.
    """
    count = len(record.instances)
    return min(max(2 * len(SUPPORTED), _MOST_RENDERINGS // count), max(2, _MOST_OF_VERSIONS // count))


def _digests(after: Workload, planned: Plan, inherited: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the digest of a rendering, those with inherited mounts that may be its own, and those with former names of the
    container that gets mounts and variables.
    """
    added = planned.instance.added
    yield from (compute_digest(after, each, planned.documents) for each in _with_mounts(added, inherited))
    holders = list({**added.volume_mounts, **added.env})
    if len(holders) != 1:
        return
    for name in _guess_names(after, holders[0]):
        mounts, env = ({name: values for values in each.values()} for each in (added.volume_mounts, added.env))  # noqa: B035
        renamed = replace(added, volume_mounts=mounts, env=env)
        yield compute_digest(_rename_container(after, holders[0], name), renamed, planned.documents)


def _rename_container(workload: Workload, before: str, after: str) -> Workload:
    path = next(each.path for each in workload.containers if each.name == before)
    return apply_at(workload, [Replace((*path, "name"), after)])


def _former_identities(bare: Workload, found: Sequence[Companion]) -> Iterator[Workload]:
    """Yield the workload with each name that its companions know it by."""
    labels = dict.fromkeys(each.owner[0] for each in found if each.owner[0] != bare.label)
    for parts in islice((label.split("/") for label in labels), _MOST_OWNERS):
        if parts[0] == bare.kind and len(parts) in (2, 3):
            yield replace(bare, name=parts[-1], namespace=parts[1] if len(parts) == 3 else "")


def _with_former_settings(bare: Workload, record: Record, request: Request, kube_version: str) -> Iterator[Workload]:
    """Yield the workload without the pod settings that others added or need too, then with the values that each of them sets.

    They may have come later than the instance.
    """
    others = [(other, other.added.pod) for name, other in record.instances.items() if name != request.instance]
    shared = find_settings(bare.pod, frozenset[str]().union(*(settings for _, settings in others)))
    if not shared:
        return
    alone = apply_at(bare, [Remove((*bare.pod_path, *path)) for path, _ in shared.values()])
    yield alone
    for other, settings in others:
        recorded = request.recorded(other) if settings else None
        if recorded is None:
            continue
        try:
            planned = plan_instance(alone, record, recorded, kube_version, ())
        except SidecarctlError:
            continue
        paths = {(*bare.pod_path, *shared[text][0]) for text in settings if text in shared}
        yield apply_at(alone, [edit for edit in planned.edits if edit.path in paths])


def _guess_names(workload: Workload, *known: str) -> Iterator[str]:
    """Yield names that the workload or its container may have had before a person renamed it: other parts still have them.

    Each costs a rendering or a digest, so a pod with many labels or containers yields only the first ones.
    """
    labels = as_mapping(workload.metadata.get("labels")).values()
    words = [each for each in labels if isinstance(each, str)]
    names = dict.fromkeys((workload.name, *words, *(each.name for each in workload.containers)))
    yield from islice((name for name in names if name and name not in known), _MOST_NAMES)


def own_part(value: Mapping[str, Any], other: Rendering) -> dict[str, Any]:
    """Return a companion without the metadata that another rendering of it does not have: people and other tools set it."""
    own = as_mapping(value.get("metadata"))
    made = as_mapping(as_mapping(other.companions.get(identify(value))).get("metadata"))
    metadata = {key: part for key, part in own.items() if not made or key in made}
    for name in ("labels", "annotations"):
        if name in metadata:
            metadata[name] = {k: v for k, v in as_mapping(metadata[name]).items() if k in as_mapping(made.get(name))}
    return {**value, "metadata": metadata}


def _has_other_metadata(companion: Mapping[str, Any], made: Mapping[str, Any] | None) -> bool:
    """Return whether a companion differs from a rendering in metadata, other than the owner, which is renamed with the workload."""
    return made is not None and _without_owner(companion) != _without_owner(made)


def _without_owner(companion: Mapping[str, Any]) -> dict[str, Any]:
    metadata = as_mapping(companion.get("metadata"))
    annotations = {k: v for k, v in as_mapping(metadata.get("annotations")).items() if k != OWNER_ANNOTATION}
    return {**metadata, "annotations": annotations}
