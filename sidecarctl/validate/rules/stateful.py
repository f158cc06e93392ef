"""Rules about what only StatefulSets have: the Service that names their pods, and the claims they make."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.controllers import STATEFUL_SET
from sidecarctl.validate.parts import entries
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.claims import claim_faults
from sidecarctl.validate.views import ObjectView


@rule(
    "stateful-service-name",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    since="1.33",
    fix="Name a headless Service of the same namespace, without its domain.",
)
def stateful_service_name(one: ObjectView, ctx: Context) -> Problems:
    """The Service of a StatefulSet has a name that no Service can have.

    It becomes the domain of the pods' host names, so it has to be a DNS label. Since Kubernetes 1.33 the API server
    refuses others; before, the pods would never start.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    name = one.spec.get("serviceName")
    if name and isinstance(name, str) and (fault := names.dns_label(name)):
        yield problem(one.at("spec", "serviceName"), f"{quote(name)} is no name of a Service: it {fault}")


@rule(
    "claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    fix="Give each claim a name, its access modes and a request of storage.",
)
def claim_template(one: ObjectView, ctx: Context) -> Problems:
    """The claims that a StatefulSet makes can't be made.

    Each pod gets a claim from each of the volumeClaimTemplates, and a volume of the same name. Since Kubernetes 1.34
    the API server refuses the StatefulSet; before, it refuses the claims, and no pod starts.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    for index, template in entries(one.spec, "volumeClaimTemplates"):
        where = one.at("spec", "volumeClaimTemplates", index)
        name = as_mapping(template.get("metadata")).get("name")
        if name is None or name == "":
            yield problem((*where, "metadata", "name"), "the claim has no name")
        elif isinstance(name, str) and (fault := names.dns_label(name)):
            yield problem((*where, "metadata", "name"), f"{quote(name)} is no name for a volume: it {fault}")
        own = template.get("spec")
        if own is None or isinstance(own, dict):
            yield from claim_faults(as_mapping(own), (*where, "spec"))


@rule(
    "duplicate-claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    layer="advice",
    fix="Give each claim a name of its own.",
)
def duplicate_claim_template(one: ObjectView, ctx: Context) -> Problems:
    """Two claims of a StatefulSet have the same name.

    The API server takes it, but a pod can have only one volume of a name: which of the claims it gets is left to
    chance.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    seen = set()
    for index, template in enumerate(as_list(one.get("spec", "volumeClaimTemplates"))):
        name = as_mapping(as_mapping(template).get("metadata")).get("name")
        if isinstance(name, str) and name and name in seen:
            where = one.at("spec", "volumeClaimTemplates", index, "metadata", "name")
            yield problem(where, f"another claim is called {quote(name)} too")
        elif isinstance(name, str):
            seen.add(name)
