"""Keep secret parameters that are not recorded: an upgrade that does not give one leaves its value in the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.instance_edits import build_config_hashes
from sidecarctl.inject.merge import OVERWRITE, Merge
from sidecarctl.inject.upgrade_base import Rendering, is_unedited, plan_instance, render_base, render_plan
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record.annotation import Record, config_hash_annotation
from sidecarctl.yamltext.edits import apply


@dataclass(frozen=True)
class KeptSecrets:
    """What a new version writes, with secrets that the manifest has.

    lost  True if one may be lost: no library has the version that wrote it, or its field changes
    """

    rendering: Rendering
    lost: bool = False


def keep_secrets(
    workload: Workload,
    bare: Workload,
    record: Record,
    request: Request,
    kube_version: str,
    found: Sequence[Companion],
    new: Rendering,
) -> KeptSecrets:
    """Return what a new version writes, with secrets that were given earlier and are not given now.

    `bare` is the workload without the instance. The digest says whether what the recorded version wrote was edited. If that
    version writes other fields without secrets, those have one, and stay unless the new version changes them.
    """
    instance = record.instances[request.instance]
    if not is_unedited(workload, instance, found):
        return KeptSecrets(new)
    recorded = request.recorded(instance)
    if recorded is None:
        return KeptSecrets(new, lost=True)
    if render_base(bare, record, request, kube_version, found) is not None:  # none was given
        return KeptSecrets(new)
    try:
        planned = plan_instance(bare, record, recorded, kube_version, found)
    except SidecarctlError:  # the template needs one
        return KeptSecrets(new)
    return (
        KeptSecrets(new) if planned.refused else _merge(workload, found, render_plan(bare, planned), new, instance.name)
    )


def _merge(workload: Workload, found: Sequence[Companion], plain: Rendering, new: Rendering, name: str) -> KeptSecrets:
    """Merge what the recorded version writes without secrets, what is there, and what the new version writes."""
    present = {each.identity: each.value for each in found}
    merge = Merge(OVERWRITE)
    companions: dict[str, Any] = dict(new.companions)
    for identity in companions.keys() & present.keys() & plain.companions.keys():
        own = (_without_metadata(each[identity]) for each in (plain.companions, present, companions))
        companions[identity] = {**_merge_values(merge, (), *own), "metadata": companions[identity].get("metadata")}
    # The hash of companions differs with the secrets in them.
    key = config_hash_annotation(name)
    before = {key: workload.annotations[key]} if key in workload.annotations else {}
    base = _with_annotations(plain.template, before)
    template = _merge_values(merge, workload.template_path, base, workload.template, new.template)
    template = _with_annotations(template, build_config_hashes(name, tuple(companions.values())))
    return KeptSecrets(replace(new, template=template, companions=companions), bool(merge.conflicts))


def _merge_values(merge: Merge, path: PathTuple, base: Any, current: Any, new: Any) -> Any:
    """Return the current value with what changed from the base to the new one."""
    known = len(merge.edits)
    merge.add(path, base, current, new)
    return apply(current, [replace(edit, path=edit.path[len(path) :]) for edit in merge.edits[known:]])


def _without_metadata(companion: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in companion.items() if key != "metadata"}


def _with_annotations(template: Any, annotations: Mapping[str, str]) -> Any:
    if not annotations:
        return template
    metadata = as_mapping(template.get("metadata"))
    return {
        **template,
        "metadata": {**metadata, "annotations": {**as_mapping(metadata.get("annotations")), **annotations}},
    }
