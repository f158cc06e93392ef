"""How the pod templates of custom kinds differ from those of the built-in kinds."""

from __future__ import annotations

from collections.abc import Mapping

from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.validate.schema.checker import SchemaProblem
from sidecarctl.validate.views import PodView

_Fields = frozenset[tuple[str, str]]
KNATIVE: GroupKind = ("serving.knative.dev", "Service")
_POD_SPEC = "core.v1.PodSpec"

# Fields that a kind adds to a definition. Source: RevisionSpec of Knative Serving.
_ADDED: Mapping[GroupKind, _Fields] = {
    KNATIVE: frozenset(
        (_POD_SPEC, field)
        for field in (
            "containerConcurrency",
            "timeoutSeconds",
            "responseStartTimeoutSeconds",
            "idleTimeoutSeconds",
        )
    ),
}
# Required fields that the controller of a kind sets. Source: SetDefaults of RevisionSpec.
_DEFAULTED: Mapping[GroupKind, _Fields] = {
    KNATIVE: frozenset(
        (
            ("core.v1.Container", "name"),
            ("core.v1.HTTPGetAction", "port"),
            ("core.v1.TCPSocketAction", "port"),
            ("core.v1.GRPCAction", "port"),
        )
    ),
}


def is_allowed(problem: SchemaProblem, workload: Workload) -> bool:
    """Return True if the kind of a workload allows what is a schema problem in the pod templates of built-in kinds."""
    kind = (workload.group, workload.kind)
    table = _ADDED if problem.code == "unknown" else _DEFAULTED if problem.code == "missing" else {}
    return (problem.definition, problem.key) in table.get(kind, ())


def refers_to_template(workload: Workload) -> bool:
    """Return True for a Rollout that uses the pod template of another workload."""
    return not workload.template and bool(as_mapping(workload.value.get("spec")).get("workloadRef"))


def sets_probe_ports(pod: PodView) -> bool:
    """Return True if the controller of the kind sets missing handlers and ports of probes."""
    return (pod.object.group, pod.object.kind) == KNATIVE
