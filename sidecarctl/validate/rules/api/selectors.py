"""Rules about selectors: empty, invalid, or not matching the pod template."""

from __future__ import annotations

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    RUNS_FOREVER_KINDS,
    STATEFUL_SET,
    check_labels,
    check_selector,
    is_one_of,
)
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_CONTROLLERS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController")
_SELECTING_OTHERS = ("PodDisruptionBudget", "NetworkPolicy")
_SELECTING = frozenset((DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET))
_JOBS = frozenset((JOB, CRON_JOB))
# Labels that the Job controller sets on its pods.
_JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name")
_JOB_UIDS = ("batch.kubernetes.io/controller-uid", "controller-uid")
# The UID is generated for a new Job, so no manifest can select it.
_NEW_UID = "(generated)"


@rule(
    "empty-selector",
    Severity.ERROR,
    scope="object",
    kinds=_CONTROLLERS,
    fix="Select by a label that only the pods of this template have.",
)
def empty_selector(obj: ObjectView, ctx: Context) -> Problems:
    """A controller has an empty selector.

    An empty selector matches every pod of the namespace, including pods of other controllers, so the API server rejects
    it.
    """
    if not is_one_of(obj, RUNS_FOREVER_KINDS):
        return
    if not obj.spec:
        return
    selector = obj.spec.get("selector")
    if (obj.group, obj.kind) == REPLICATION_CONTROLLER:
        if not selector and not obj.get("spec", "template", "metadata", "labels"):
            message = "no selector, and no template labels to default it from"
            yield problem(obj.at("spec", "selector"), message)
    elif isinstance(selector, dict) and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield problem(obj.at("spec", "selector"), "empty selector matches all pods", on_key=True)


@rule(
    "selector-mismatch",
    Severity.ERROR,
    scope="object",
    kinds=(*_CONTROLLERS, "Job"),
    fix="Add the labels of the selector to the metadata of the template.",
)
def selector_mismatch(obj: ObjectView, ctx: Context) -> Problems:
    """A selector does not match the labels of the pod template.

    A controller finds its pods by the selector. If it does not match its own pods, the controller creates more and more
    pods, so the API server rejects it.
    """
    if is_one_of(obj, _SELECTING) or ((obj.group, obj.kind) == JOB and obj.spec.get("manualSelector") is True):
        selector = obj.spec.get("selector")
    elif (obj.group, obj.kind) == REPLICATION_CONTROLLER:
        selector = {"matchLabels": obj.spec.get("selector")}
    else:
        return
    template = obj.spec.get("template")
    if not isinstance(selector, dict) or not isinstance(template, dict):
        return
    labels = as_mapping(template.get("metadata")).get("labels")
    fault = _describe_mismatch(selector, as_mapping(labels))
    # Another rule reports invalid selectors; the API server does not validate those of ReplicationControllers.
    if fault and ((obj.group, obj.kind) == REPLICATION_CONTROLLER or not any(check_selector(selector, ()))):
        yield problem(
            obj.at("spec", "template", "metadata", "labels"),
            f"selector does not match the template labels: {fault}",
            on_key=True,
            related=(Related("selector defined here", obj.at("spec", "selector")),),
        )


def _describe_mismatch(selector: Data, labels: Data) -> str:
    """Return the first requirement of a selector that labels do not meet, "" if they match."""
    required = as_mapping(selector.get("matchLabels"))
    if not selector.get("matchExpressions") and required.items() <= labels.items():
        return ""
    if not all(isinstance(text, (str, type(None))) for text in (*required.values(), *labels.values())):
        return ""  # the schema reports wrong types
    for key, value in required.items():
        wanted = value or ""
        if key not in labels:
            return f"missing {key}: {wanted}"
        if (labels[key] or "") != wanted:
            return f"expected {key}: {wanted}, got {labels[key]}"
    for item in as_list(selector.get("matchExpressions")):
        expression = as_mapping(item)
        name, operator, values = expression.get("key"), expression.get("operator"), as_list(expression.get("values"))
        if not isinstance(name, str) or not isinstance(operator, str):
            continue
        exists = name in labels
        in_values = exists and (labels[name] or "") in values
        matches = {"In": in_values, "NotIn": not in_values, "Exists": exists, "DoesNotExist": not exists}
        if not matches.get(operator, True):
            return f"expected {name} {operator} {', '.join(map(str, values))}".rstrip().rstrip()
    return ""


@rule(
    "invalid-label-selector",
    Severity.ERROR,
    scope="object",
    kinds=("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service", *_SELECTING_OTHERS),
    fix="Use valid label keys and values. Set values only for In and NotIn, not for Exists and DoesNotExist.",
)
def invalid_label_selector(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid label selector.

    Keys and values of a selector have the form of label keys and values. In and NotIn require values. Exists and
    DoesNotExist take none.
    """
    spec = obj.spec
    if is_one_of(obj, _SELECTING) or is_one_of(obj, _LABEL_SELECTORS):
        for field in ("selector", "podSelector"):
            if spec.get(field):
                yield from check_selector(spec[field], obj.at("spec", field))
    elif (obj.group, obj.kind) == JOB and spec.get("selector"):
        yield from check_selector(spec["selector"], obj.at("spec", "selector"))
    elif is_one_of(obj, _PLAIN_SELECTORS) and spec.get("selector"):
        yield from check_labels(spec["selector"], obj.at("spec", "selector"))


_LABEL_SELECTORS = frozenset(
    (
        ("policy", "PodDisruptionBudget"),
        ("networking.k8s.io", "NetworkPolicy"),
    )
)
_PLAIN_SELECTORS = frozenset((("", "Service"),))


@rule(
    "invalid-job-selector",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    fix="Remove the selector. The API server generates one for the Job.",
)
def invalid_job_selector(obj: ObjectView, ctx: Context) -> Problems:
    """A Job sets a selector without manualSelector, or manualSelector without a selector.

    The API server generates the selector of a Job from a label with the Job's UID. It rejects other selectors unless
    `manualSelector: true` is set, and rejects all selectors in a CronJob. For the same reason the job-name label of the
    template can't have the name of another Job.
    """
    if not is_one_of(obj, _JOBS):
        return
    steps = ("spec",) if obj.kind == "Job" else ("spec", "jobTemplate", "spec")
    spec = obj.child(*steps)
    selector, manual = spec.get("selector"), spec.get("manualSelector")
    if obj.kind == "CronJob":
        if isinstance(selector, dict):
            yield problem(spec.at("selector"), "selector is not supported in a CronJob", on_key=True)
        if manual is True:
            message = "manualSelector is not supported in a CronJob"
            yield problem(spec.at("manualSelector"), message, help="Remove manualSelector.")
    elif manual is True:
        if selector is None:
            message = "manualSelector: true requires selector"
            yield problem(spec.at("selector"), message, help="Add a selector, or remove manualSelector.")
    else:
        if _selects_other_labels(selector, obj.name):
            message = "selector requires manualSelector: true"
            yield problem(spec.at("selector"), message, on_key=True)
        yield from _check_job_labels(obj)


def _selects_other_labels(selector: object, name: str) -> bool:
    """Return True if a selector requires labels that the Job controller does not set."""
    given = {**dict.fromkeys(_JOB_NAMES, name), **dict.fromkeys(_JOB_UIDS, _NEW_UID)}
    return bool(_describe_mismatch(as_mapping(selector), given))


def _check_job_labels(obj: ObjectView) -> Problems:
    labels = as_mapping(obj.get("spec", "template", "metadata", "labels"))
    name = obj.text("metadata", "name")
    for key in _JOB_NAMES:
        value = labels.get(key, name) or ""
        if isinstance(value, str) and name and value != name:
            message = f"label {key} is {quote(value)}, but the Job name is {quote(name)}"
            where = obj.at("spec", "template", "metadata", "labels", key)
            yield problem(where, message, help="Remove the label. The API server sets it.")
    for key in _JOB_UIDS:
        if isinstance(labels.get(key, 0), (str, type(None))):
            where = obj.at("spec", "template", "metadata", "labels", key)
            message = f"label {key} is reserved for the UID of the Job"
            yield problem(where, message, help="Remove the label. The API server sets it.", on_key=True)
