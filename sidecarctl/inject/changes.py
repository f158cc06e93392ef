"""Collect the changes of each workload for reports: instances, their parts, and the pod's resources before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.inject.document import DocumentResult, number_workloads
from sidecarctl.inject.plan import Plan
from sidecarctl.inject.record_edits import keep_present
from sidecarctl.inject.removal import Removal
from sidecarctl.kube import quantity
from sidecarctl.kube.fronts import find_chain
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.pod_resources import PodResources, compute_pod_resources
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Added, Instance, Record
from sidecarctl.results import SERVICE_STEP, InstanceChange, PodFacts, WorkloadChange
from sidecarctl.yamltext.stream import Document


def collect_changes(
    originals: Sequence[Document],
    result: DocumentResult,
    kube_version: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    facts: bool = True,
) -> list[WorkloadChange]:
    """Return the changes of a document's workloads, in document order; `facts` adds the pods' resources.

    `originals` are the document and its companions before the run.
    """
    before = originals[0]
    plans: dict[tuple[object, ...], dict[str, Plan]] = {}
    for plan in result.plans:
        plans.setdefault(_key(plan.workload), {})[plan.instance.name] = plan
    skipped = {_key(workload): reason for workload, reason in result.skipped}
    removed = {_key(one.workload): _removed_companions(one) for one in result.removals}
    out = []
    kept = None if _texts(result.documents) == _texts(originals) else result.kept
    # Both sides have the same workloads in the same order, without companions.
    for (_, workload), (_, after) in zip(number_workloads(before, kinds), number_workloads(result.documents[0], kinds)):
        line = before.locate(workload.path).line
        if _key(workload) in skipped:
            out.append(_change(workload, before.file, line, skipped=skipped[_key(workload)]))
        elif _key(workload) in plans or _key(workload) in removed:
            own, gone = plans.get(_key(workload), {}), removed.get(_key(workload), {})
            change = _compare(workload, after, before, line, own, kept, gone)
            out.append(_with_facts(change, workload, after, kube_version) if facts else change)
    return out


def _texts(documents: Sequence[Document]) -> list[str]:
    return [document.text for document in documents]


def _removed_companions(removal: Removal) -> dict[str, tuple[str, ...]]:
    """Map the instances of a removal to their companions that are removed, under the names that they have."""
    return {
        name: tuple(each.identity for each in removal.companions if each.owner[1] == name) for name in removal.names
    }


def _key(workload: Workload) -> tuple[object, ...]:
    """Return what tells a workload from others, also from other pod templates of its object; edits can move it in its List."""
    return (workload.label, *workload.template_path[len(workload.path) :])


def _change(workload: Workload, file: str, line: int, **more: Any) -> WorkloadChange:
    return WorkloadChange(workload.kind, workload.name, workload.namespace, file, line, **more)


def _with_facts(change: WorkloadChange, old: Workload, new: Workload, kube_version: str) -> WorkloadChange:
    first = get_pod_facts(old, kube_version)
    if new.value is old.value:
        return replace(change, before=first, after=first)
    return replace(change, before=first, after=get_pod_facts(new, kube_version), cost=_cost(old, new, kube_version))


def _compare(
    old: Workload,
    new: Workload,
    before: Document,
    line: int,
    touched: Mapping[str, Plan],
    kept: frozenset[tuple[str, str]] | None,
    gone: Mapping[str, tuple[str, ...]],
) -> WorkloadChange:
    """Return the change of a workload by its plans, by instance.

    `kept` are (label, instance) that stay, None for all; `gone` has the removed companions by instance.
    """
    was, now = records.read(old), records.read(new)
    names = [*now.instances, *(name for name in was.instances if name not in now.instances)]
    instances = tuple(
        _instance(name, was, now, kept is None or (old.label, name) in kept, touched.get(name), old, gone.get(name, ()))
        for name in names
        if name in touched or name not in now.instances
    )
    return _change(old, before.file, line, instances=instances, replicas=old.replicas)


def _instance(
    name: str,
    was: Record,
    now: Record,
    unchanged: bool,
    plan: Plan | None,
    workload: Workload,
    gone: tuple[str, ...],
) -> InstanceChange:
    old, new = was.instances.get(name), now.instances.get(name)
    present = new or old
    assert present is not None
    if new is None:  # a person may have removed a part of the instance
        present = replace(present, added=replace(keep_present(workload, present.added), documents=gone))
    action = "removed" if new is None else "added" if old is None else "unchanged" if unchanged else "updated"
    previous = old.version if action == "updated" and old and old.version != present.version else ""
    return InstanceChange(
        action,
        name,
        present.sidecar,
        present.version,
        previous,
        present.mode,
        _parts(action, present, now, plan),
        "adopted unchanged" if plan and plan.adopting else "",
        _next_steps(plan, now) if plan and action == "added" else "",
        *((plan.parameters, plan.fields, plan.changelog) if plan and action == "updated" else ((), (), ())),
        tuple(map(_identity, plan.documents)) if plan and action in ("added", "updated") else (),
    )


def _identity(companion: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = as_mapping(companion.get("metadata"))
    return str(companion.get("kind")), str(metadata.get("name")), str(metadata.get("namespace") or "")


def _parts(action: str, instance: Instance, now: Record, plan: Plan | None) -> tuple[str, ...]:
    """Return what an instance consists of, or what of it is gone: others can inherit a volume, and need the same label."""
    if action == "unchanged":
        return ()
    parts = list_parts(instance, plan.adopted if plan else {})
    stay = {part for each in now.instances.values() for part in list_parts(each, {})} if action == "removed" else ()
    return tuple(part for part in parts if part not in stay)


def _next_steps(plan: Plan, record: Record) -> str:
    """Return what to do after adding an instance; for a front, also which port clients must connect to."""
    chains = (find_chain(record.fronts, front.upstream) for front in plan.instance.fronts)
    ports = [chain[-1].port for chain in chains if chain]
    steps = [f"{SERVICE_STEP} {' and '.join(map(str, ports))}."] if ports else []
    return "\n".join([*steps, plan.next_steps] if plan.next_steps else steps)


_WORDS = (("init_containers", "init container"), ("containers", "container"), ("volumes", "volume"))


def list_parts(instance: Instance, adopted: Mapping[str, str]) -> list[str]:
    """Return what an instance consists of, as phrases such as "mount /var/log/app in web"."""
    added: Added = instance.added
    out = []
    for attribute, word in _WORDS:
        for name in getattr(added, attribute):
            native = attribute == "init_containers" and instance.mode == "native" and name == instance.name
            out.append(f"{'container' if native else word} {name}")
    out += [f"adopted volume {volume}" for volume in adopted.values()]
    out += [
        f"mount {path} in {container or '(no name)'}"
        for container, paths in added.volume_mounts.items()
        for path in paths
    ]
    out += [
        f"variable {name} in {container or '(no name)'}" for container, names in added.env.items() for name in names
    ]
    out += [f"annotation {key}" for key in added.annotations]
    out += [f"label {key}" for key in added.labels]
    out += [text.replace("/", ".") for text in added.pod]
    out += [document.replace("/", " ") for document in added.documents]
    return out


def get_pod_facts(workload: Workload, kube_version: str) -> PodFacts:
    """Return a pod's effective requests and limits, formatted, and its QoS class."""
    return format_resources(compute_pod_resources(workload.pod, kube_version))


def format_resources(resources: PodResources) -> PodFacts:
    """Return a pod's resources as quantities that people write, such as 150m."""
    return PodFacts(_format_quantities(resources.requests), _format_quantities(resources.limits), resources.qos)


def _format_quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    return {name: quantity.format_readable(amount, name) for name, amount in amounts.items()}


def _cost(old: Workload, new: Workload, kube_version: str) -> dict[str, str]:
    """Return what the change adds to the requests of all replicas."""
    before = compute_pod_resources(old.pod, kube_version).requests
    after = compute_pod_resources(new.pod, kube_version).requests
    return {
        name: quantity.format_readable((amount - before.get(name, 0)) * old.replicas, name)
        for name, amount in after.items()
        if amount > before.get(name, 0)
    }
