"""Rules about what a pod names: service account, classes, node, claims of devices, gates and conditions."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import nano
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.parts import blank, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.resourcenames import container_resource_fault
from sidecarctl.validate.views import PodView

_NAMED = {
    "serviceAccountName": "a service account",
    "nodeName": "a node",
    "priorityClassName": "a priority class",
    "runtimeClassName": "a runtime class",
}
_CLAIM_FIELDS = frozenset(("name", "resourceClaimName", "resourceClaimTemplateName"))


@rule(
    "pod-reference",
    Severity.ERROR,
    needs=(*_NAMED, "serviceAccount"),
    fix='Name an existing object: at most 253 of a-z, 0-9, "-" and ".".',
)
def pod_reference(pod: PodView, ctx: Context) -> Problems:
    """A pod names a service account, node or class that can't exist.

    Their names are DNS subdomains, so the API server refuses any other.
    """
    for field, what in _NAMED.items():
        name = pod.value.get(field)
        if field == "serviceAccountName" and blank(name):
            field = "serviceAccount"
            name = pod.value.get(field)
        # An empty name is none, but for the one that is a pointer.
        if isinstance(name, str) and (name or field == "runtimeClassName") and (fault := names.dns_subdomain(name)):
            yield problem(pod.at(field), f"{quote(name)} is no name of {what}: it {fault}")


@rule(
    "pod-resource-claim",
    Severity.ERROR,
    needs=("resourceClaims",),
    fix="Give each a name of its own and either resourceClaimName or resourceClaimTemplateName.",
)
def pod_resource_claim(pod: PodView, ctx: Context) -> Problems:
    """A pod's claim of a device says neither which claim nor which template, or both.

    Containers name the entries of `resourceClaims`, which have DNS labels for names, each once. An entry is one claim
    that exists, or a template for a claim of the pod's own.
    """
    seen = set()
    for index, one in listed(pod.value, "resourceClaims"):
        where = pod.at("resourceClaims", index)
        name = one.get("name")
        if isinstance(name, str) and name in seen:
            yield problem((*where, "name"), f"there is a claim {quote(name)} already")
        elif isinstance(name, str) and name:
            seen.add(name)
            if fault := names.dns_label(name):
                yield problem((*where, "name"), f"{quote(name)} is no name for a claim: it {fault}")
        # Before 1.31 both stood in a mapping of their own.
        if not ctx.since("1.31") or not one.keys() <= _CLAIM_FIELDS:
            continue
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if one.get(field) is not None]
        if len(given) != 1:
            said = "both a claim and a template" if given else "neither a claim nor a template"
            yield problem(where, f"the entry names {said}")
        for field in given:
            value = one[field]
            if isinstance(value, str) and (fault := names.dns_subdomain(value)):
                yield problem((*where, field), f"{quote(value)} is no {field}: it {fault}")


@rule(
    "readiness-gate",
    Severity.ERROR,
    needs=("readinessGates",),
    fix="Name the condition that a controller sets, as it does.",
)
def readiness_gate(pod: PodView, ctx: Context) -> Problems:
    """A readiness gate waits for a condition that no pod can have.

    Types of conditions are qualified names, like keys of labels.
    """
    for index, one in listed(pod.value, "readinessGates"):
        name = one.get("conditionType")
        if isinstance(name, str) and name and (fault := names.qualified_name(name)):
            where = pod.at("readinessGates", index, "conditionType")
            yield problem(where, f"{quote(name)} is no type of a condition: it {fault}")


@rule(
    "scheduling-gate",
    Severity.ERROR,
    since="1.27",
    needs=("schedulingGates",),
    fix="Name each gate once, like the key of a label.",
)
def scheduling_gate(pod: PodView, ctx: Context) -> Problems:
    """A scheduling gate is there twice or has no possible name.

    A controller opens a gate by its name, which has the form of a label's key.
    """
    seen = set()
    for index, one in listed(pod.value, "schedulingGates"):
        name = one.get("name")
        if not isinstance(name, str) or not name:
            continue
        if fault := names.qualified_name(name):
            yield problem(pod.at("schedulingGates", index), f"{quote(name)} is no name of a gate: it {fault}")
        elif name in seen:
            yield problem(pod.at("schedulingGates", index), f"the gate {quote(name)} is there already")
        seen.add(name)


@rule(
    "pod-overhead",
    Severity.ERROR,
    needs=("overhead",),
    fix="Leave it out; it comes from the runtime class.",
)
def pod_overhead(pod: PodView, ctx: Context) -> Problems:
    """The overhead of a pod is negative, or of a resource that does not exist.

    It is what the sandbox around the containers takes, and adds to what they ask for.
    """
    for name, value in as_mapping(pod.value.get("overhead")).items():
        if isinstance(name, str) and (fault := container_resource_fault(name)):
            yield problem(pod.at("overhead", name), f"{quote(name)} {fault}", on_key=True)
        amount = nano(value)
        if amount is not None and amount < 0:
            yield problem(pod.at("overhead", name), f"the overhead of {value} {name} is less than zero")
