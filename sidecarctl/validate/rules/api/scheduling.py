"""Rules about which nodes a pod can be on: node selectors, node affinity, tolerations."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import POD, blank, entries, label_faults, listed, selector_faults, texts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@rule(
    "invalid-node-selector",
    Severity.ERROR,
    needs=("nodeSelector",),
    fix="Use a label that nodes can have.",
)
def invalid_node_selector(pod: PodView, ctx: Context) -> Problems:
    """A nodeSelector asks for a label that no node can have.

    Its keys and values have the form of labels.
    """
    yield from label_faults(pod.value.get("nodeSelector"), pod.at("nodeSelector"))


@rule(
    "invalid-node-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="In and NotIn take values, Gt and Lt one number, Exists and DoesNotExist none; weights are 1 to 100.",
)
def invalid_node_affinity(pod: PodView, ctx: Context) -> Problems:
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
    "invalid-toleration",
    Severity.ERROR,
    needs=("tolerations",),
    fix="Exists takes no value and needs no key; tolerationSeconds goes with effect NoExecute.",
)
def invalid_toleration(pod: PodView, ctx: Context) -> Problems:
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


_POD_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_POD_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@rule(
    "invalid-pod-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="Use the key of a label of nodes as topologyKey, selectors of labels, and weights from 1 to 100.",
)
def invalid_pod_affinity(pod: PodView, ctx: Context) -> Problems:
    """A term of a pod affinity or anti-affinity can't be met or can't be read.

    `topologyKey` is the key of a node's label; the selectors have the form of label selectors, `namespaces` are names
    of namespaces, and what is preferred has a weight from 1 to 100.
    """
    for term, where, weighted in _terms(pod):
        if weighted:
            yield from weight_fault(term, where)
            term, where = as_mapping(term.get("podAffinityTerm")), (*where, "podAffinityTerm")
        for field in ("labelSelector", "namespaceSelector"):
            if term.get(field):
                yield from selector_faults(term[field], (*where, field))
        for index, name in texts(term, "namespaces"):
            if fault := names.dns_label(name):
                yield problem((*where, "namespaces", index), f"{quote(name)} is no name of a namespace: it {fault}")
        key = term.get("topologyKey")
        if isinstance(key, str) and key and (fault := names.qualified_name(key)):
            yield problem((*where, "topologyKey"), f"{quote(key)} is no key of a label: it {fault}")


def _terms(pod: PodView) -> Iterator[tuple[Data, PathTuple, bool]]:
    """Yield the terms of affinity and anti-affinity, and whether each has a weight around it."""
    affinity = as_mapping(pod.value.get("affinity"))
    for field in ("podAffinity", "podAntiAffinity"):
        own = affinity.get(field)
        if isinstance(own, dict):
            for name in (_POD_REQUIRED, _POD_PREFERRED):
                for index, term in listed(own, name):
                    yield term, pod.at("affinity", field, name, index), name == _POD_PREFERRED


@rule(
    "invalid-match-label-keys",
    Severity.ERROR,
    needs=("affinity", "topologySpreadConstraints"),
    fix="Add a labelSelector, and name each key in one place.",
)
def invalid_match_label_keys(pod: PodView, ctx: Context) -> Problems:
    """Keys of labels whose values come from the pod have no selector to refine, or contradict it.

    `matchLabelKeys` and `mismatchLabelKeys` add to the labelSelector beside them. The API server refuses them without
    one, keys that labels can't have, and a key that both lists name, or matchLabelKeys and the selector.
    """
    for term, where, weighted in _terms(pod) if ctx.since("1.31") else ():
        if weighted:
            term, where = as_mapping(term.get("podAffinityTerm")), (*where, "podAffinityTerm")
        yield from _label_keys(pod, term, where, merged=True)
    for index, one in listed(pod.value, "topologySpreadConstraints") if ctx.since("1.27") else ():
        merged = ctx.since("1.34")
        yield from _label_keys(pod, one, pod.at("topologySpreadConstraints", index), merged=merged)


def _label_keys(pod: PodView, term: Data, where: PathTuple, *, merged: bool) -> Problems:
    """Check the keys of a term. `merged`: the server puts the pod's labels into the selector before it looks."""
    if not term.get("matchLabelKeys") and not term.get("mismatchLabelKeys"):
        return
    other = [key for _, key in texts(term, "mismatchLabelKeys")]
    selector = term.get("labelSelector")
    twice = _twice(pod, as_mapping(selector), [key for _, key in texts(term, "matchLabelKeys")], merged)
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        if as_list(term.get(field)) and selector is None:
            yield problem((*where, field), f"{field} need a labelSelector beside them", on_key=True)
            continue
        for index, key in texts(term, field):
            if fault := names.qualified_name(key):
                yield problem((*where, field, index), f"{quote(key)} is no key of a label: it {fault}")
            elif field == "matchLabelKeys" and key in twice:
                yield problem((*where, field, index), f"the labelSelector asks for {quote(key)} too")
            elif field == "matchLabelKeys" and key in other:
                yield problem((*where, field, index), f"mismatchLabelKeys name {quote(key)} too")


def _twice(pod: PodView, selector: Data, keys: list[str], merged: bool) -> set[str]:
    """Return which of the keys the selector has too.

    Where the server merges, it notices only a key that the selector has twice after that; it merges into Pods, with
    labels that the Pod has.
    """
    named = [key for key in as_mapping(selector.get("matchLabels")) if isinstance(key, str)]
    named += [key for _, one in listed(selector, "matchExpressions") if isinstance(key := one.get("key"), str)]
    if not merged:
        return {key for key in keys if key in named}
    labels = as_mapping(pod.metadata.value.get("labels"))
    is_pod = (pod.object.group, pod.object.kind) == POD
    added = [key for key in keys if is_pod and key in labels]
    return {key for key in keys if [*named, *added].count(key) > 1}


@rule(
    "invalid-topology-spread",
    Severity.ERROR,
    needs=("topologySpreadConstraints",),
    fix="Use a maxSkew of 1 or more, each pair of topologyKey and whenUnsatisfiable once, minDomains with DoNotSchedule.",
)
def invalid_topology_spread(pod: PodView, ctx: Context) -> Problems:
    """A topology spread constraint can't be met, is there twice or can't be read.

    Pods can differ by one at least, so `maxSkew` and `minDomains` are 1 or more; `minDomains` only goes with
    DoNotSchedule. Two constraints for the same topologyKey must differ in whenUnsatisfiable.
    """
    seen = set()
    for index, one in listed(pod.value, "topologySpreadConstraints"):
        where = pod.at("topologySpreadConstraints", index)
        for field in ("maxSkew", "minDomains"):
            number = one.get(field)
            if isinstance(number, int) and not isinstance(number, bool) and number < 1:
                yield problem((*where, field), f"{field} is {number}, and has to be 1 or more")
        key, otherwise = one.get("topologyKey"), one.get("whenUnsatisfiable")
        if one.get("minDomains") is not None and otherwise == "ScheduleAnyway":
            message = "minDomains needs whenUnsatisfiable: DoNotSchedule"
            yield problem((*where, "minDomains"), message, on_key=True)
        if isinstance(key, str) and isinstance(otherwise, str):
            if (key, otherwise) in seen:
                yield problem(where, f"there is a constraint for {quote(key)} with {otherwise} already")
            seen.add((key, otherwise))
        if one.get("labelSelector") and ctx.since("1.27"):
            yield from selector_faults(one["labelSelector"], (*where, "labelSelector"))
