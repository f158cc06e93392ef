"""Rules about controllers: their numbers, how they update their pods, and what their pods can't be."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.quantity import amount, amount_fault, percentage
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    ENDLESS,
    JOB,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
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
# What in the spec may be zero and not less, by kind; a dot goes one level deeper.
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
# What the server assumes where nothing is said.
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
    fix="Use zero or more.",
)
def negative_number(one: ObjectView, ctx: Context) -> Problems:
    """A number of a controller is negative that counts pods, seconds or tries.

    The API server refuses it. Zero is taken, and means none, or at once.
    """
    for steps in _NOT_NEGATIVE.get((one.group, one.kind), ()):
        if steps[0] in one.spec:
            number = one.number("spec", *steps)
            if number is not None and number < 0:
                yield problem(one.at("spec", *steps), f"{steps[-1]} is {number}, and can't be less than zero")


@rule(
    "invalid-progress-deadline",
    Severity.ERROR,
    scope="object",
    kinds=("Deployment",),
    fix="Raise progressDeadlineSeconds above minReadySeconds.",
)
def invalid_progress_deadline(one: ObjectView, ctx: Context) -> Problems:
    """A Deployment gives up before a pod can count as ready.

    A new pod counts after `minReadySeconds`. When that is no less than `progressDeadlineSeconds` (600 where it is not
    given) every rollout would fail, so the API server refuses it.
    """
    if "minReadySeconds" not in one.spec and "progressDeadlineSeconds" not in one.spec:
        return
    if (one.group, one.kind) != DEPLOYMENT:
        return
    ready, deadline = one.number("spec", "minReadySeconds") or 0, one.number("spec", "progressDeadlineSeconds")
    given = one.get("spec", "progressDeadlineSeconds") is not None
    limit = deadline if given else 600
    if limit is not None and 0 <= limit <= ready:
        said = f"progressDeadlineSeconds is {limit}{'' if given else ' by default'}"
        where = one.at("spec", "progressDeadlineSeconds" if given else "minReadySeconds")
        yield problem(where, f"{said}, and minReadySeconds is {ready}")


@rule(
    "invalid-rolling-update-value",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Use a whole number of pods, like 1, or of percent, like 25%.",
)
def invalid_rolling_update_value(one: ObjectView, ctx: Context) -> Problems:
    """How many pods an update takes at a time is no number and no percentage.

    The API server wants a whole number, not negative, or a percentage in whole numbers; more pods than there are,
    above 100%, can't be unavailable.
    """
    kind, strategy = (one.group, one.kind), _rolling(one)
    if strategy is None or strategy.value.get("type") not in (None, "", "RollingUpdate"):
        return
    for name in ("maxUnavailable", "maxSurge"):
        value = strategy.get("rollingUpdate", name)
        if value is None or name not in _DEFAULTS[kind] or not _counts(kind, ctx):
            continue
        where = strategy.at("rollingUpdate", name)
        if fault := amount_fault(value):
            yield problem(where, f"{name} {fault}")
        elif (percentage(value) or 0) > 100 and (name, kind) != ("maxSurge", DEPLOYMENT):
            yield problem(where, f"{name} is {value}, and can't be more than 100%", help="Use at most 100%.")


def _rolling(one: ObjectView) -> View | None:
    """Return the strategy of an object that has a mapping rollingUpdate in it."""
    field = _STRATEGY.get((one.group, one.kind))
    strategy = one.spec.get(field) if field else None
    if field and isinstance(strategy, dict) and isinstance(strategy.get("rollingUpdate"), dict):
        return View(strategy, one.at("spec", field))
    return None


def _counts(kind: GroupKind, ctx: Context) -> bool:
    """A StatefulSet's maxUnavailable is dropped where its feature is off."""
    return kind != STATEFUL_SET or enabled("max-unavailable-statefulset", ctx.kube_version)


@rule(
    "stuck-rolling-update",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Allow one pod more (maxSurge: 1) or one pod less (maxUnavailable: 1) during updates.",
)
def stuck_rolling_update(one: ObjectView, ctx: Context) -> Problems:
    """An update may neither add a pod nor take one away, or in a DaemonSet both.

    With `maxSurge` and `maxUnavailable` both zero no update could ever begin. A DaemonSet updates in one way or the
    other, so exactly one of them has to be above zero: its `maxUnavailable` is 1 where it is not given.
    """
    kind, strategy = (one.group, one.kind), _rolling(one)
    if strategy is None or strategy.value.get("type") not in (None, "", "RollingUpdate") or not _counts(kind, ctx):
        return
    update = strategy.value["rollingUpdate"]
    if not update:
        return
    amounts = {
        name: amount(default if update.get(name) is None else update[name]) for name, default in _DEFAULTS[kind].items()
    }
    unavailable, surge = amounts["maxUnavailable"], amounts.get("maxSurge", 0)
    if unavailable == 0 and surge == 0:
        where = strategy.at("rollingUpdate", "maxUnavailable")
        also = "" if kind == STATEFUL_SET else " and maxSurge"
        yield problem(where, f"maxUnavailable{also} can't be zero: no pod could be replaced")
    elif kind == DAEMON_SET and unavailable and surge:
        said = "is 1 by default" if update.get("maxUnavailable") is None else f"is {update['maxUnavailable']}"
        message = f"a DaemonSet can't have maxSurge while maxUnavailable {said}"
        yield problem(strategy.at("rollingUpdate", "maxSurge"), message, help="Set maxUnavailable: 0.")


@rule(
    "update-strategy-conflict",
    Severity.ERROR,
    scope="object",
    kinds=_UPDATING,
    fix="Remove rollingUpdate, or make the type RollingUpdate.",
)
def update_strategy_conflict(one: ObjectView, ctx: Context) -> Problems:
    """A strategy that is not rolling has settings for a rolling update.

    A Deployment of type Recreate and a StatefulSet of type OnDelete have no use for `rollingUpdate`. The API server
    refuses it, also in a patch that only changes the type.
    """
    strategy = _rolling(one)
    if strategy is None or (one.group, one.kind) == DAEMON_SET:
        return
    own = strategy.value.get("type")
    if own in ("Recreate", "OnDelete"):
        yield problem(strategy.at("rollingUpdate"), f"the type is {own}, which has no rollingUpdate", on_key=True)


@rule(
    "invalid-pod-restart-policy",
    Severity.ERROR,
    fix="Leave it out where pods run for ever; in Jobs use OnFailure, or Never to keep the logs of each try.",
)
def invalid_pod_restart_policy(pod: PodView, ctx: Context) -> Problems:
    """The restartPolicy of a pod is none that its controller can have.

    Pods of a Deployment, ReplicaSet, StatefulSet, DaemonSet or ReplicationController run for ever: only Always is
    taken. Pods of a Job end: it needs OnFailure or Never, and with a podFailurePolicy only Never.
    """
    kind = (pod.object.group, pod.object.kind)
    policy = pod.value.get("restartPolicy")
    if kind in ENDLESS:
        if policy in ("OnFailure", "Never"):
            message = f"the pods of a {pod.object.kind} are always restarted, and can't have {policy}"
            yield problem(pod.at("restartPolicy"), message)
    elif kind in (JOB, CRON_JOB) and pod.template.has("spec"):
        if policy in (None, "", "Always"):
            said = "the restartPolicy is Always" + ("" if policy else " by default")
            yield problem(pod.at("restartPolicy"), f"the pods of a Job have to end, and {said}")
        elif policy == "OnFailure":
            steps = ("spec",) if kind == JOB else ("spec", "jobTemplate", "spec")
            if isinstance(pod.object.get(*steps, "podFailurePolicy"), dict):
                message = "with a podFailurePolicy the restartPolicy must be Never"
                yield problem(pod.at("restartPolicy"), message, help="Use Never.")


@rule(
    "invalid-active-deadline",
    Severity.ERROR,
    needs=("activeDeadlineSeconds",),
    fix="Remove it; a Job or a Pod of its own can have a deadline of one second and more.",
)
def invalid_active_deadline(pod: PodView, ctx: Context) -> Problems:
    """A pod that is to run for ever has a deadline, or the deadline is none.

    After `activeDeadlineSeconds` a pod is killed. The API server refuses that for the pods of controllers that keep
    them running, and everywhere less than one second.
    """
    value = pod.value.get("activeDeadlineSeconds")
    if value is None:
        return
    where = pod.at("activeDeadlineSeconds")
    if (pod.object.group, pod.object.kind) in ENDLESS:
        yield problem(where, f"the pods of a {pod.object.kind} can't have a deadline", on_key=True)
    elif isinstance(value, int) and not isinstance(value, bool) and not 1 <= value < 2**31:
        yield problem(where, f"the deadline of {value} seconds is not from 1 to {2**31 - 1}")


@rule(
    "node-name-with-scheduling-gates",
    Severity.ERROR,
    needs=("nodeName",),
    since="1.27",
    fix="Let the scheduler choose the node, by a nodeSelector for example.",
)
def node_name_with_scheduling_gates(pod: PodView, ctx: Context) -> Problems:
    """A Pod has a node already and scheduling gates at the same time.

    Gates keep a pod from being scheduled; with a `nodeName` it is past that. The API server refuses the Pod; it takes
    a template with it, and then refuses each of the pods.
    """
    if pod.text("nodeName") and pod.get("schedulingGates"):
        if isinstance(pod.value["schedulingGates"], list) and (pod.object.group, pod.object.kind) == POD:
            message = f"the pod is bound to {quote(pod.text('nodeName'))} and has scheduling gates"
            yield problem(pod.at("nodeName"), message)
