"""Rules about the selector of a controller: that it selects something, and the pods of its own template."""

from __future__ import annotations

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    ENDLESS,
    JOB,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    is_one_of,
    label_faults,
    selector_faults,
)
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_CONTROLLERS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController")
_SELECTING_OTHERS = ("PodDisruptionBudget", "NetworkPolicy")
_SELECTING = frozenset((DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET))
_JOBS = frozenset((JOB, CRON_JOB))
# Labels that the controller of Jobs gives to its pods.
_JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name-too-long")
_JOB_UIDS = ("batch.kubernetes.io/controller-uid", "controller-uid")


@rule(
    "empty-selector",
    Severity.ERROR,
    scope="object",
    kinds=_CONTROLLERS,
    fix="Select by a label that the template's pods have and no other pods.",
)
def empty_selector(one: ObjectView, ctx: Context) -> Problems:
    """A controller's selector selects all pods.

    An empty selector matches every pod of the namespace, also those of others, so the API server refuses it.
    """
    if not is_one_of(one, ENDLESS):
        return
    if not one.spec:
        return
    selector = one.spec.get("selector")
    if (one.group, one.kind) == REPLICATION_CONTROLLER:
        if not selector and not one.get("spec", "template", "metadata", "labels"):
            message = "there is no selector, and the template has no labels to make one of"
            yield problem(one.at("spec", "selector"), message)
    elif isinstance(selector, dict) and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield problem(one.at("spec", "selector"), "the selector is empty, so it selects all pods", on_key=True)


@rule(
    "selector-mismatch",
    Severity.ERROR,
    scope="object",
    kinds=(*_CONTROLLERS, "Job"),
    fix="Give the template's metadata the labels that the selector asks for.",
)
def selector_mismatch(one: ObjectView, ctx: Context) -> Problems:
    """A controller's selector does not match the pods of its own template.

    The controller finds its pods by the selector. It would never find those it makes and make ever more, so the API
    server refuses it.
    """
    if is_one_of(one, _SELECTING) or ((one.group, one.kind) == JOB and one.spec.get("manualSelector") is True):
        selector = one.spec.get("selector")
    elif (one.group, one.kind) == REPLICATION_CONTROLLER:
        selector = {"matchLabels": one.spec.get("selector")}
    else:
        return
    template = one.spec.get("template")
    if not isinstance(selector, dict) or not isinstance(template, dict):
        return
    labels = as_mapping(template.get("metadata")).get("labels")
    fault = _mismatch(selector, as_mapping(labels))
    # A selector that can't be read matches nothing to compare with, but that of old is not read so closely.
    if fault and ((one.group, one.kind) == REPLICATION_CONTROLLER or not any(selector_faults(selector, ()))):
        yield problem(
            one.at("spec", "template", "metadata", "labels"),
            f"the selector does not match the labels of the template: {fault}",
            on_key=True,
            related=(Related("the selector", one.at("spec", "selector")),),
        )


def _mismatch(selector: Data, labels: Data) -> str:
    """Say the first thing that a selector asks for and labels do not have, "" where they match."""
    asked = as_mapping(selector.get("matchLabels"))
    if not selector.get("matchExpressions") and asked.items() <= labels.items():
        return ""
    if not all(isinstance(text, (str, type(None))) for text in (*asked.values(), *labels.values())):
        return ""  # wrong types are the structural layer's
    for key, value in asked.items():
        wanted = value or ""
        if key not in labels:
            return f"it asks for {key}: {wanted}"
        if (labels[key] or "") != wanted:
            return f"it asks for {key}: {wanted}, and there is {key}: {labels[key]}"
    for one in as_list(selector.get("matchExpressions")):
        expression = as_mapping(one)
        name, operator, values = expression.get("key"), expression.get("operator"), as_list(expression.get("values"))
        if not isinstance(name, str) or not isinstance(operator, str):
            continue
        there = name in labels
        listed = there and (labels[name] or "") in values
        matches = {"In": listed, "NotIn": not listed, "Exists": there, "DoesNotExist": not there}
        if not matches.get(operator, True):
            return f"it asks for {name} {operator} {', '.join(map(str, values))}".rstrip()
    return ""


@rule(
    "invalid-label-selector",
    Severity.ERROR,
    scope="object",
    kinds=("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service", *_SELECTING_OTHERS),
    fix="Use keys and values that labels can have; In and NotIn need values, Exists and DoesNotExist take none.",
)
def invalid_label_selector(one: ObjectView, ctx: Context) -> Problems:
    """A selector asks for what no label can be.

    Keys and values of a selector have the form of those of labels; In and NotIn compare with values, Exists and
    DoesNotExist do not.
    """
    spec = one.spec
    if is_one_of(one, _SELECTING) or is_one_of(one, _LABEL_SELECTORS):
        for field in ("selector", "podSelector"):
            if spec.get(field):
                yield from selector_faults(spec[field], one.at("spec", field))
    elif (one.group, one.kind) == JOB and spec.get("selector"):
        yield from selector_faults(spec["selector"], one.at("spec", "selector"))
    elif is_one_of(one, _PLAIN_SELECTORS) and spec.get("selector"):
        yield from label_faults(spec["selector"], one.at("spec", "selector"))


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
    fix="Remove the selector; the API server makes one that fits this Job alone.",
)
def invalid_job_selector(one: ObjectView, ctx: Context) -> Problems:
    """A Job has a selector of its own without `manualSelector`, or the other way round.

    The API server makes the selector of a Job, by a label with the Job's own uid. It refuses another one unless
    `manualSelector: true` says that it is meant, and in a CronJob always. For the same reason the template can't have
    another Job's name in the label job-name.
    """
    if not is_one_of(one, _JOBS):
        return
    steps = ("spec",) if one.kind == "Job" else ("spec", "jobTemplate", "spec")
    spec = one.child(*steps)
    selector, manual = spec.get("selector"), spec.get("manualSelector")
    if one.kind == "CronJob":
        if isinstance(selector, dict):
            yield problem(spec.at("selector"), "a CronJob's Jobs can't have a selector of their own", on_key=True)
        if manual is True:
            message = "the Jobs of a CronJob can't have a manualSelector"
            yield problem(spec.at("manualSelector"), message, help="Remove it.")
    elif manual is True:
        if selector is None:
            message = "with manualSelector the Job needs a selector"
            yield problem(spec.at("selector"), message, help="Write the selector, or remove manualSelector.")
    else:
        if _selects_more(selector, one.name):
            message = "the Job has a selector, and does not say that it is meant"
            yield problem(spec.at("selector"), message, on_key=True)
        yield from _job_labels(one)


def _selects_more(selector: object, name: str) -> bool:
    """True for a selector that asks for more than the labels that the controller gives."""
    data = as_mapping(selector)
    own = {key: value for key, value in as_mapping(data.get("matchLabels")).items() if key not in _JOB_UIDS}
    given = dict.fromkeys(_JOB_NAMES, name)
    return bool(_mismatch({"matchLabels": own, "matchExpressions": data.get("matchExpressions")}, given))


def _job_labels(one: ObjectView) -> Problems:
    labels = as_mapping(one.get("spec", "template", "metadata", "labels"))
    name = one.text("metadata", "name")
    for key in _JOB_NAMES:
        value = labels.get(key, name) or ""
        if isinstance(value, str) and name and value != name:
            message = f"the label {key} is {quote(value)}, and the Job is called {quote(name)}"
            where = one.at("spec", "template", "metadata", "labels", key)
            yield problem(where, message, help="Remove the label; the API server sets it.")
    for key in _JOB_UIDS:
        if isinstance(labels.get(key, 0), (str, type(None))):
            where = one.at("spec", "template", "metadata", "labels", key)
            message = f"the label {key} is for the Job's uid, which nobody knows before there is one"
            yield problem(where, message, help="Remove the label; the API server sets it.", on_key=True)
