"""Rules about what the default admission plugins of the API server reject."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.fields import blank
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView

# The priority of the classes that every cluster has.
_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


@rule(
    "overhead-without-class",
    Severity.ERROR,
    needs=("overhead",),
    fix="Remove overhead. The admission plugin sets it from the runtime class.",
)
def overhead_without_class(pod: PodView, ctx: Context) -> Problems:
    """A pod sets an overhead without a runtime class.

    The admission plugin RuntimeClass sets the overhead of a Pod from its runtime class, and rejects any other one.

    In other workloads it is a warning: the API server accepts them, but none of their pods is created.
    """
    if pod.value.get("overhead") and blank(pod.get("runtimeClassName")):
        severity = None if pod.object.kind == "Pod" else Severity.WARNING
        yield problem(pod.at("overhead"), "overhead requires runtimeClassName", on_key=True, severity=severity)


@rule(
    "priority-without-class",
    Severity.ERROR,
    needs=("priority",),
    fix="Remove priority, and set priorityClassName.",
)
def priority_without_class(pod: PodView, ctx: Context) -> Problems:
    """A pod sets a priority that its priority class does not have.

    The admission plugin Priority computes the priority from the class and rejects a Pod with another value. Without a
    class the priority is 0, unless the cluster has a default class.

    In other workloads it is a warning: the API server accepts them, but none of their pods is created.
    """
    priority, name = pod.number("priority"), pod.get("priorityClassName")
    expected = 0 if blank(name) else _CLASSES.get(name) if isinstance(name, str) else None
    if priority is not None and expected is not None and priority != expected:
        origin = f"of class {name}" if name else "without a priority class"
        severity = None if pod.object.kind == "Pod" else Severity.WARNING
        yield problem(
            pod.at("priority"), f"priority {priority} differs from {expected}, the priority {origin}", severity=severity
        )
