"""Rules about which nodes a pod can be on: node selectors, node affinity, tolerations."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.labels import label_faults
from sidecarctl.validate.parts import blank, entries, listed, texts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@rule(
    "node-selector",
    Severity.ERROR,
    needs=("nodeSelector",),
    fix="Use a label that nodes can have.",
)
def node_selector(pod: PodView, ctx: Context) -> Problems:
    """A nodeSelector asks for a label that no node can have.

    Its keys and values have the form of labels.
    """
    yield from label_faults(pod.value.get("nodeSelector"), pod.at("nodeSelector"))


@rule(
    "node-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="In and NotIn take values, Gt and Lt one number, Exists and DoesNotExist none; weights are 1 to 100.",
)
def node_affinity(pod: PodView, ctx: Context) -> Problems:
    """A term of a node affinity can't be met by any node, or can't be read.

    Keys are keys of labels; each operator takes the number of values that it compares with. By field, only
    metadata.name can be asked for, with one value. What is required needs a term, what is preferred a weight from 1
    to 100.
    """
    affinity = as_mapping(as_mapping(pod.value.get("affinity")).get("nodeAffinity"))
    if not affinity:
        return
    where = pod.at("affinity", "nodeAffinity")
    required = affinity.get(_REQUIRED)
    if isinstance(required, dict):
        at = (*where, _REQUIRED, "nodeSelectorTerms")
        if required.get("nodeSelectorTerms") == []:
            yield problem(at, "there is no term that a node could meet")
        for index, term in enumerate(as_list(required.get("nodeSelectorTerms"))):
            yield from _term(as_mapping(term), (*at, index), check_values=ctx.since("1.33"))
    for index, preferred in listed(affinity, _PREFERRED):
        at = (*where, _PREFERRED, index)
        yield from weight_fault(preferred, at)
        yield from _term(as_mapping(preferred.get("preference")), (*at, "preference"), check_values=False)


def weight_fault(data: Data, where: PathTuple) -> Problems:
    """Yield a weight that is not from 1 to 100."""
    weight = data.get("weight")
    if isinstance(weight, int) and not isinstance(weight, bool) and not 1 <= weight <= 100:
        yield problem((*where, "weight"), f"the weight is {weight}, and has to be from 1 to 100")


def _term(term: Data, where: PathTuple, *, check_values: bool) -> Problems:
    for index, one in listed(term, "matchExpressions"):
        yield from _expression(one, (*where, "matchExpressions", index), check_values)
    for index, one in listed(term, "matchFields"):
        yield from _field(one, (*where, "matchFields", index))


def _expression(one: Data, where: PathTuple, check_values: bool) -> Problems:
    key, operator, values = one.get("key"), one.get("operator"), as_list(one.get("values"))
    if isinstance(key, str) and key and (fault := names.qualified_name(key)):
        yield problem((*where, "key"), f"{quote(key)} is no key of a label: it {fault}")
    if fault := _values_fault(operator, len(values)):
        yield problem((*where, "values"), fault)
    for index, value in texts(one, "values") if check_values else ():
        if fault := names.label_value(value):
            yield problem((*where, "values", index), f"{quote(value)} is no value of a label: it {fault}")


def _values_fault(operator: object, count: int) -> str | None:
    if operator in ("In", "NotIn") and not count:
        return f"{operator} needs values"
    if operator in ("Exists", "DoesNotExist") and count:
        return f"{operator} takes no values"
    return f"{operator} needs one value, and has {count}" if operator in ("Gt", "Lt") and count != 1 else None


def _field(one: Data, where: PathTuple) -> Problems:
    key, operator, values = one.get("key"), one.get("operator"), as_list(one.get("values"))
    if operator in ("In", "NotIn") and len(values) != 1:
        yield problem((*where, "values"), f"{operator} needs one value for a field, and has {len(values)}")
    elif operator in ("Exists", "DoesNotExist", "Gt", "Lt"):
        yield problem((*where, "operator"), f"a field can be compared by In and NotIn, not by {operator}")
    if isinstance(key, str) and key and key != "metadata.name":
        yield problem((*where, "key"), f"{quote(key)} is no field of a node that can be asked for: use metadata.name")
    elif key == "metadata.name":
        for index, value in texts(one, "values"):
            if fault := names.dns_subdomain(value):
                yield problem((*where, "values", index), f"{quote(value)} is no name of a node: it {fault}")


@rule(
    "toleration",
    Severity.ERROR,
    needs=("tolerations",),
    fix="Exists takes no value and needs no key; tolerationSeconds goes with effect NoExecute.",
)
def toleration(pod: PodView, ctx: Context) -> Problems:
    """A toleration contradicts itself or tolerates what no taint can be.

    Without a key it tolerates all taints, and so needs the operator Exists, which takes no value. Seconds count for the
    effect NoExecute alone. Keys and values have the form of labels.
    """
    for index, one in entries(pod.value, "tolerations"):
        where = pod.at("tolerations", index)
        key, operator, value = one.get("key"), one.get("operator"), one.get("value")
        if isinstance(key, str) and key and (fault := names.qualified_name(key)):
            yield problem((*where, "key"), f"{quote(key)} is no key of a taint: it {fault}")
        if blank(key) and (blank(operator) or operator == "Equal"):
            yield problem((*where, "operator"), "without a key the operator must be Exists")
        if one.get("tolerationSeconds") is not None and one.get("effect") in (None, "", *_OTHER_EFFECTS):
            yield problem((*where, "effect"), "tolerationSeconds needs the effect NoExecute")
        if fault_found := _toleration_value(operator, value, where):
            yield fault_found
        if operator in ("Lt", "Gt") and not enabled("taint-comparison", ctx.kube_version):
            yield problem((*where, "operator"), f"the operator {operator} needs a feature that is off by default")


_OTHER_EFFECTS = ("NoSchedule", "PreferNoSchedule")


def _toleration_value(operator: object, value: object, where: PathTuple) -> Problem | None:
    """Return what is wrong with the value; to the server it is the operator that is wrong."""
    if not isinstance(value, str) or not value:
        return None
    if operator == "Exists":
        return problem((*where, "operator"), "Exists takes no value")
    if (blank(operator) or operator == "Equal") and (fault := names.label_value(value)):
        return problem((*where, "operator"), f"{quote(value)} is no value of a taint: it {fault}")
    return None
