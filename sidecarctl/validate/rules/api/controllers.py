"""Rules about controllers: replica counts, update strategies, and restrictions on their pods."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.quantity import check_count_or_percentage, parse_count_or_percentage, parse_percentage
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    RUNS_FOREVER_KINDS,
    STATEFUL_SET,
)
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView, PodView, View

_JOB_NUMBERS = (
    "activeDeadlineSeconds",
    "backoffLimit",
    "backoffLimitPerIndex",
    "completions",
    "maxFailedIndexes",
    "parallelism",
    "ttlSecondsAfterFinished",
)
# Fields of the spec that must not be negative, by kind; dots separate levels.
_NOT_NEGATIVE: dict[GroupKind, tuple[tuple[str, ...], ...]] = {
    kind: tuple(tuple(path.split(".")) for path in paths)
    for kind, paths in {
        DEPLOYMENT: ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"),
        REPLICA_SET: ("replicas", "minReadySeconds"),
        REPLICATION_CONTROLLER: ("replicas", "minReadySeconds"),
        STATEFUL_SET: ("replicas", "minReadySeconds", "ordinals.start", "updateStrategy.rollingUpdate.partition"),
        DAEMON_SET: ("minReadySeconds", "revisionHistoryLimit"),
        JOB: _JOB_NUMBERS,
        CRON_JOB: (
            "startingDeadlineSeconds",
            "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit",
            *(f"jobTemplate.spec.{name}" for name in _JOB_NUMBERS),
        ),
    }.items()
}

_CONTROLLERS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController")
_UPDATING = ("Deployment", "DaemonSet", "StatefulSet")
_STRATEGY: dict[GroupKind, str] = {
    DEPLOYMENT: "strategy",
    DAEMON_SET: "updateStrategy",
    STATEFUL_SET: "updateStrategy",
}
# Defaults of the API server.
_DEFAULTS: dict[GroupKind, dict[str, int | str]] = {
    DEPLOYMENT: {"maxSurge": "25%", "maxUnavailable": "25%"},
    DAEMON_SET: {"maxSurge": 0, "maxUnavailable": 1},
    STATEFUL_SET: {"maxUnavailable": 1},
}


@rule(
    "negative-number",
    Severity.ERROR,
    scope="object",
    kinds=(*_CONTROLLERS, "Job", "CronJob"),
    fix="Use zero or a positive number.",
)
def negative_number(obj: ObjectView, ctx: Context) -> Problems:
    """A count or duration of a controller is negative.

    The API server rejects negative replicas, seconds, and retries. Zero is valid.
    """
    for steps in _NOT_NEGATIVE.get((obj.group, obj.kind), ()):
        if steps[0] in obj.spec:
            number = obj.number("spec", *steps)
            if number is not None and number < 0:
                yield problem(obj.at("spec", *steps), f"invalid {steps[-1]} {number}: must not be negative")


@rule(
    "invalid-progress-deadline",
    Severity.ERROR,
    scope="object",
    kinds=("Deployment",),
    fix="Set progressDeadlineSeconds to more than minReadySeconds.",
)
def invalid_progress_deadline(obj: ObjectView, ctx: Context) -> Problems:
    """The progress deadline of a Deployment is not longer than minReadySeconds.

    A new pod is available after `minReadySeconds`. If `progressDeadlineSeconds` (default: 600) is not longer, every
    rollout would fail, so the API server rejects the Deployment.
    """
    if "minReadySeconds" not in obj.spec and "progressDeadlineSeconds" not in obj.spec:
        return
    if (obj.group, obj.kind) != DEPLOYMENT:
        return
    ready, deadline = obj.number("spec", "minReadySeconds") or 0, obj.number("spec", "progressDeadlineSeconds")
    given = obj.get("spec", "progressDeadlineSeconds") is not None
    limit = deadline if given else 600
    if limit is not None and 0 <= limit <= ready:
        setting = f"progressDeadlineSeconds {limit}{'' if given else ' (default)'}"
        where = obj.at("spec", "progressDeadlineSeconds" if given else "minReadySeconds")
        yield problem(where, f"{setting} must be more than minReadySeconds {ready}")


@rule(
    "invalid-rolling-update-value",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Use a number of pods, such as 1, or a percentage, such as 25%.",
)
def invalid_rolling_update_value(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid maxUnavailable or maxSurge of a rolling update.

    The API server requires a whole number that is not negative, or a percentage in whole numbers. At most 100% can be
    unavailable.
    """
    kind, strategy = (obj.group, obj.kind), _rolling(obj)
    if strategy is None or strategy.value.get("type") not in (None, "", "RollingUpdate"):
        return
    for name in ("maxUnavailable", "maxSurge"):
        value = strategy.get("rollingUpdate", name)
        if value is None or name not in _DEFAULTS[kind] or not _is_supported(kind, ctx):
            continue
        where = strategy.at("rollingUpdate", name)
        if fault := check_count_or_percentage(value):
            yield problem(where, f"invalid {name} {quote(value)}: {fault}")
        elif (parse_percentage(value) or 0) > 100 and (name, kind) != ("maxSurge", DEPLOYMENT):
            yield problem(where, f"invalid {name} {quote(value)}: at most 100%", help="Use at most 100%.")


def _rolling(obj: ObjectView) -> View | None:
    """Return an object's update strategy if it contains a rollingUpdate mapping."""
    field = _STRATEGY.get((obj.group, obj.kind))
    strategy = obj.spec.get(field) if field else None
    if field and isinstance(strategy, dict) and isinstance(strategy.get("rollingUpdate"), dict):
        return View(strategy, obj.at("spec", field))
    return None


def _is_supported(kind: GroupKind, ctx: Context) -> bool:
    """Return whether the API server keeps maxUnavailable; a StatefulSet needs a feature gate for it."""
    return kind != STATEFUL_SET or enabled("max-unavailable-statefulset", ctx.kube_version)


@rule(
    "stuck-rolling-update",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Allow one pod more (`maxSurge: 1`) or one pod fewer (`maxUnavailable: 1`) during updates.",
)
def stuck_rolling_update(obj: ObjectView, ctx: Context) -> Problems:
    """A rolling update can't replace any pod.

    If `maxSurge` and `maxUnavailable` are both zero, an update can't start. A DaemonSet supports only one of them above
    zero, and its `maxUnavailable` is 1 by default.
    """
    kind, strategy = (obj.group, obj.kind), _rolling(obj)
    if (
        strategy is None
        or strategy.value.get("type") not in (None, "", "RollingUpdate")
        or not _is_supported(kind, ctx)
    ):
        return
    update = strategy.value["rollingUpdate"]
    if not update:
        return
    amounts = {
        name: parse_count_or_percentage(default if update.get(name) is None else update[name])
        for name, default in _DEFAULTS[kind].items()
    }
    unavailable, surge = amounts["maxUnavailable"], amounts.get("maxSurge", 0)
    if unavailable == 0 and surge == 0:
        where = strategy.at("rollingUpdate", "maxUnavailable")
        subject = "maxUnavailable is" if kind == STATEFUL_SET else "maxUnavailable and maxSurge are"
        yield problem(where, f"{subject} 0: the update can't replace any pod")
    elif kind == DAEMON_SET and unavailable and surge:
        setting = "1 (default)" if update.get("maxUnavailable") is None else str(update["maxUnavailable"])
        message = f"maxSurge in a DaemonSet conflicts with maxUnavailable {setting}"
        yield problem(strategy.at("rollingUpdate", "maxSurge"), message, help="Set `maxUnavailable: 0`.")


@rule(
    "update-strategy-conflict",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Remove rollingUpdate, or use `type: RollingUpdate`.",
)
def update_strategy_conflict(obj: ObjectView, ctx: Context) -> Problems:
    """rollingUpdate is set, but the update strategy is not RollingUpdate.

    Only the type RollingUpdate uses these settings. The API server rejects them for Recreate and OnDelete, also when a
    patch only changes the type.
    """
    strategy = _rolling(obj)
    if strategy is None or (obj.group, obj.kind) == DAEMON_SET:
        return
    own = strategy.value.get("type")
    if own in ("Recreate", "OnDelete"):
        yield problem(strategy.at("rollingUpdate"), f"rollingUpdate conflicts with type {own}", on_key=True)


@rule(
    "invalid-pod-restart-policy",
    Severity.ERROR,
    fix="Remove restartPolicy for pods that run permanently. In Jobs use OnFailure, or Never to keep the logs of each retry.",
)
def invalid_pod_restart_policy(pod: PodView, ctx: Context) -> Problems:
    """The controller of the pod does not support its restartPolicy.

    Pods of a Deployment, ReplicaSet, StatefulSet, DaemonSet, or ReplicationController run permanently and support only
    Always. Pods of a Job run to completion and require OnFailure or Never, or only Never with a podFailurePolicy.
    """
    kind = (pod.object.group, pod.object.kind)
    policy = pod.value.get("restartPolicy")
    if kind in RUNS_FOREVER_KINDS:
        if policy in ("OnFailure", "Never"):
            message = f"restartPolicy {policy} is not supported in a {pod.object.kind}"
            yield problem(pod.at("restartPolicy"), message)
    elif kind in (JOB, CRON_JOB) and pod.template.has("spec"):
        if policy in (None, "", "Always"):
            setting = "restartPolicy Always" + ("" if policy else " (default)")
            yield problem(pod.at("restartPolicy"), f"{setting} is not supported in a Job")
        elif policy == "OnFailure":
            steps = ("spec",) if kind == JOB else ("spec", "jobTemplate", "spec")
            if isinstance(pod.object.get(*steps, "podFailurePolicy"), dict):
                message = "podFailurePolicy requires restartPolicy: Never"
                yield problem(pod.at("restartPolicy"), message, help="Use Never.")


@rule(
    "invalid-active-deadline",
    Severity.ERROR,
    needs=("activeDeadlineSeconds",),
    fix="Remove it, or use at least one second in a Job or a standalone Pod.",
)
def invalid_active_deadline(pod: PodView, ctx: Context) -> Problems:
    """Invalid activeDeadlineSeconds of a pod.

    Kubernetes kills a pod after `activeDeadlineSeconds`. The API server rejects the field on pods of controllers that
    keep their pods running, and a deadline below 1 second on any pod.
    """
    value = pod.value.get("activeDeadlineSeconds")
    if value is None:
        return
    where = pod.at("activeDeadlineSeconds")
    if (pod.object.group, pod.object.kind) in RUNS_FOREVER_KINDS:
        yield problem(where, f"activeDeadlineSeconds is not supported in a {pod.object.kind}", on_key=True)
    elif isinstance(value, int) and not isinstance(value, bool) and not 1 <= value < 2**31:
        yield problem(where, f"invalid activeDeadlineSeconds {value}: use a number from 1 to {2**31 - 1}")


@rule(
    "node-name-with-scheduling-gates",
    Severity.ERROR,
    needs=("nodeName",),
    since="1.27",
    fix="Remove nodeName, and select the node with a nodeSelector.",
)
def node_name_with_scheduling_gates(pod: PodView, ctx: Context) -> Problems:
    """A Pod has both a nodeName and scheduling gates.

    Scheduling gates keep a pod from being scheduled, but a pod with a `nodeName` is already scheduled. The API server
    rejects such a Pod. It accepts such a template, and then rejects each of the pods.
    """
    if pod.text("nodeName") and pod.get("schedulingGates"):
        if isinstance(pod.value["schedulingGates"], list) and (pod.object.group, pod.object.kind) == POD:
            message = f"nodeName {quote(pod.text('nodeName'))} conflicts with schedulingGates"
            yield problem(pod.at("nodeName"), message)
