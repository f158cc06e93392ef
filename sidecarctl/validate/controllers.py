"""Where the built-in workload kinds keep their spec, their job and their pod template. Judges nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator

from sidecarctl.kube.kinds import DEFAULT_KINDS, GroupKind
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.views import ObjectView, View

DEPLOYMENT: GroupKind = ("apps", "Deployment")
REPLICA_SET: GroupKind = ("apps", "ReplicaSet")
STATEFUL_SET: GroupKind = ("apps", "StatefulSet")
DAEMON_SET: GroupKind = ("apps", "DaemonSet")
REPLICATION_CONTROLLER: GroupKind = ("", "ReplicationController")
JOB: GroupKind = ("batch", "Job")
CRON_JOB: GroupKind = ("batch", "CronJob")
POD: GroupKind = ("", "Pod")

# Their pods run for ever.
ENDLESS = frozenset((DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET, REPLICATION_CONTROLLER))


def is_one_of(one: ObjectView, kinds: Container[GroupKind]) -> bool:
    """True for an object of one of the kinds."""
    return (one.group, one.kind) in kinds


def job_spec(one: ObjectView) -> View | None:
    """Return the spec of a Job, or of the Jobs that a CronJob makes; None for other kinds."""
    if one.group != "batch":
        return None
    if one.kind == "Job":
        return View(one.spec, one.at("spec"))
    return one.child("spec", "jobTemplate", "spec") if one.kind == "CronJob" else None


def completions_of(one: ObjectView, spec: View) -> int | None:
    """Return the completions of a Job's spec: one in a Job that says nothing, None where it is not known."""
    if one.kind == "Job" and spec.value.get("completions") is None and spec.value.get("parallelism") is None:
        return 1
    return spec.number("completions")


def all_metadata(one: ObjectView) -> list[View]:
    """Return the metadata of an object, and those of its pod templates where it has some."""
    found: list[View] | None = one.memo.get("all_metadata")
    if found is None:
        steps = DEFAULT_KINDS.templates.get((one.group, one.kind))
        found = one.memo["all_metadata"] = [View(one.metadata, one.at("metadata"))]
        if steps:
            found += _metadata(one, steps)
    return found


def _metadata(view: View, steps: tuple[str, ...]) -> Iterator[View]:
    """Follow the steps; `*` fans out over a list."""
    if "*" not in steps:
        yield view.child(*steps, "metadata")
        return
    star = steps.index("*")
    before, after = steps[:star], steps[star + 1 :]
    for index, item in enumerate(as_list(view.get(*before))):
        yield from _metadata(View(as_mapping(item), (*view.path, *before, index)), after)
