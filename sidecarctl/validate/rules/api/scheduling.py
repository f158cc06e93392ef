"""Rules about scheduling: node selectors, affinity, tolerations, and topology spread constraints."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import POD, blank, check_labels, check_selector, entries, listed, texts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@rule(
    "invalid-node-selector",
    Severity.ERROR,
    needs=("nodeSelector",),
    fix="Use valid label keys and values.",
)
def invalid_node_selector(pod: PodView, ctx: Context) -> Problems:
    """Invalid label in a nodeSelector.

    Keys and values of a nodeSelector have the form of label keys and values. The API server rejects others.
    """
    yield from check_labels(pod.value.get("nodeSelector"), pod.at("nodeSelector"))


@rule(
    "invalid-node-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="Use values with In and NotIn, one number with Gt and Lt, no values with Exists and DoesNotExist, and weights 1 to 100.",
)
def invalid_node_affinity(pod: PodView, ctx: Context) -> Problems:
    """Invalid node affinity term.

    Keys are label keys, and each operator takes its own number of values. matchFields supports only metadata.name, with
    one value. Required affinity needs at least one term, and preferred affinity a weight from 1 to 100.
    """
    affinity = as_mapping(as_mapping(pod.value.get("affinity")).get("nodeAffinity"))
    if not affinity:
        return
    where = pod.at("affinity", "nodeAffinity")
    required = affinity.get(_REQUIRED)
    if isinstance(required, dict):
        at = (*where, _REQUIRED, "nodeSelectorTerms")
        if required.get("nodeSelectorTerms") == []:
            yield problem(at, "no node selector terms")
        for index, term in enumerate(as_list(required.get("nodeSelectorTerms"))):
            yield from _check_term(as_mapping(term), (*at, index), check_values=ctx.since("1.33"))
    for index, preferred in listed(affinity, _PREFERRED):
        at = (*where, _PREFERRED, index)
        yield from check_weight(preferred, at)
        yield from _check_term(as_mapping(preferred.get("preference")), (*at, "preference"), check_values=False)


def check_weight(data: Data, where: PathTuple) -> Problems:
    """Yield a weight that is not from 1 to 100."""
    weight = data.get("weight")
    if isinstance(weight, int) and not isinstance(weight, bool) and not 1 <= weight <= 100:
        yield problem((*where, "weight"), f"invalid weight {weight}: use a number from 1 to 100")


def _check_term(term: Data, where: PathTuple, *, check_values: bool) -> Problems:
    for index, item in listed(term, "matchExpressions"):
        yield from _check_expression(item, (*where, "matchExpressions", index), check_values)
    for index, item in listed(term, "matchFields"):
        yield from _check_field(item, (*where, "matchFields", index))


def _check_expression(requirement: Data, where: PathTuple, check_values: bool) -> Problems:
    key, operator, values = requirement.get("key"), requirement.get("operator"), as_list(requirement.get("values"))
    if isinstance(key, str) and key and (fault := names.check_qualified_name(key)):
        yield problem((*where, "key"), f"invalid label key {quote(key)}: {fault}")
    if fault := _check_value_count(operator, len(values)):
        yield problem((*where, "values"), fault)
    for index, value in texts(requirement, "values") if check_values else ():
        if fault := names.check_label_value(value):
            yield problem((*where, "values", index), f"invalid label value {quote(value)}: {fault}")


def _check_value_count(operator: object, count: int) -> str | None:
    if operator in ("In", "NotIn") and not count:
        return f"operator {operator} requires values"
    if operator in ("Exists", "DoesNotExist") and count:
        return f"operator {operator} takes no values"
    if operator in ("Gt", "Lt") and count != 1:
        return f"operator {operator} requires one value, got {count}"
    return None


def _check_field(requirement: Data, where: PathTuple) -> Problems:
    key, operator, values = requirement.get("key"), requirement.get("operator"), as_list(requirement.get("values"))
    if operator in ("In", "NotIn") and len(values) != 1:
        yield problem((*where, "values"), f"operator {operator} requires one value in matchFields, got {len(values)}")
    elif operator in ("Exists", "DoesNotExist", "Gt", "Lt"):
        yield problem(
            (*where, "operator"), f"operator {operator} is not supported in matchFields, expected In or NotIn"
        )
    if isinstance(key, str) and key and key != "metadata.name":
        yield problem((*where, "key"), f"unsupported node field {quote(key)}, expected metadata.name")
    elif key == "metadata.name":
        for index, value in texts(requirement, "values"):
            if fault := names.check_dns_subdomain(value):
                yield problem((*where, "values", index), f"invalid node name {quote(value)}: {fault}")


@rule(
    "invalid-toleration",
    Severity.ERROR,
    needs=("tolerations",),
    fix="Use Exists without a value, and tolerationSeconds only with `effect: NoExecute`.",
)
def invalid_toleration(pod: PodView, ctx: Context) -> Problems:
    """Invalid toleration.

    A toleration without a key matches all taints and requires the operator Exists, which takes no value.
    tolerationSeconds applies only to the effect NoExecute. Keys and values have the form of label keys and values.
    """
    for index, item in entries(pod.value, "tolerations"):
        where = pod.at("tolerations", index)
        key, operator, value = item.get("key"), item.get("operator"), item.get("value")
        if isinstance(key, str) and key and (fault := names.check_qualified_name(key)):
            yield problem((*where, "key"), f"invalid taint key {quote(key)}: {fault}")
        if blank(key) and (blank(operator) or operator == "Equal"):
            yield problem((*where, "operator"), "a toleration without a key requires operator Exists")
        if item.get("tolerationSeconds") is not None and item.get("effect") in (None, "", *_SCHEDULING_EFFECTS):
            yield problem((*where, "effect"), "tolerationSeconds requires effect NoExecute")
        if value_problem := _check_toleration_value(operator, value, where):
            yield value_problem
        if operator in ("Lt", "Gt") and not enabled("taint-comparison", ctx.kube_version):
            yield problem(
                (*where, "operator"), f"operator {operator} requires a feature gate that is disabled by default"
            )


_SCHEDULING_EFFECTS = ("NoSchedule", "PreferNoSchedule")


def _check_toleration_value(operator: object, value: object, where: PathTuple) -> Problem | None:
    """Return the problem with a toleration's value; the API server reports it at the operator."""
    if not isinstance(value, str) or not value:
        return None
    if operator == "Exists":
        return problem((*where, "operator"), "operator Exists takes no value")
    if (blank(operator) or operator == "Equal") and (fault := names.check_label_value(value)):
        return problem((*where, "operator"), f"invalid taint value {quote(value)}: {fault}")
    return None


@rule(
    "invalid-pod-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="Use a node label key as topologyKey, valid label selectors, and weights from 1 to 100.",
)
def invalid_pod_affinity(pod: PodView, ctx: Context) -> Problems:
    """Invalid pod affinity or anti-affinity term.

    `topologyKey` is a node label key, selectors have the form of label selectors, and `namespaces` are namespace names.
    Preferred terms have a weight from 1 to 100. The API server rejects other terms.
    """
    for term, where, weighted in _terms(pod):
        if weighted:
            yield from check_weight(term, where)
            term, where = as_mapping(term.get("podAffinityTerm")), (*where, "podAffinityTerm")
        for field in ("labelSelector", "namespaceSelector"):
            if term.get(field):
                yield from check_selector(term[field], (*where, field))
        for index, name in texts(term, "namespaces"):
            if fault := names.check_dns_label(name):
                yield problem((*where, "namespaces", index), f"invalid namespace name {quote(name)}: {fault}")
        key = term.get("topologyKey")
        if isinstance(key, str) and key and (fault := names.check_qualified_name(key)):
            yield problem((*where, "topologyKey"), f"invalid topologyKey {quote(key)}: {fault}")


def _terms(pod: PodView) -> Iterator[tuple[Data, PathTuple, bool]]:
    """Yield the pod affinity and anti-affinity terms with their paths and whether they have a weight."""
    affinity = as_mapping(pod.value.get("affinity"))
    for field in ("podAffinity", "podAntiAffinity"):
        own = affinity.get(field)
        if isinstance(own, dict):
            for name in (_REQUIRED, _PREFERRED):
                for index, term in listed(own, name):
                    yield term, pod.at("affinity", field, name, index), name == _PREFERRED


@rule(
    "invalid-match-label-keys",
    Severity.ERROR,
    needs=("affinity", "topologySpreadConstraints"),
    fix="Add a labelSelector, and use each key in only one place.",
)
def invalid_match_label_keys(pod: PodView, ctx: Context) -> Problems:
    """Invalid matchLabelKeys or mismatchLabelKeys.

    These keys extend the labelSelector with labels of the pod. The API server rejects them without a labelSelector. It
    also rejects invalid label keys, and matchLabelKeys that are also in mismatchLabelKeys or in the selector.
    """
    for term, where, weighted in _terms(pod) if ctx.since("1.31") else ():
        if weighted:
            term, where = as_mapping(term.get("podAffinityTerm")), (*where, "podAffinityTerm")
        yield from _check_label_keys(pod, term, where, merged=True)
    for index, item in listed(pod.value, "topologySpreadConstraints") if ctx.since("1.27") else ():
        merged = ctx.since("1.34")
        yield from _check_label_keys(pod, item, pod.at("topologySpreadConstraints", index), merged=merged)


def _check_label_keys(pod: PodView, term: Data, where: PathTuple, *, merged: bool) -> Problems:
    """Check the label keys of a term; `merged` if the API server first merges pod labels into the selector."""
    if not term.get("matchLabelKeys") and not term.get("mismatchLabelKeys"):
        return
    other = [key for _, key in texts(term, "mismatchLabelKeys")]
    selector = term.get("labelSelector")
    duplicates = _find_duplicates(pod, as_mapping(selector), [key for _, key in texts(term, "matchLabelKeys")], merged)
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        if as_list(term.get(field)) and selector is None:
            yield problem((*where, field), f"{field} requires labelSelector", on_key=True)
            continue
        for index, key in texts(term, field):
            if fault := names.check_qualified_name(key):
                yield problem((*where, field, index), f"invalid label key {quote(key)}: {fault}")
            elif field == "matchLabelKeys" and key in duplicates:
                yield problem((*where, field, index), f"key {quote(key)} is also in labelSelector")
            elif field == "matchLabelKeys" and key in other:
                yield problem((*where, field, index), f"key {quote(key)} is also in mismatchLabelKeys")


def _find_duplicates(pod: PodView, selector: Data, keys: list[str], merged: bool) -> set[str]:
    """Return the keys that the selector also contains.

    If the API server merges, it only sees keys that occur twice after the merge. It merges only in Pods, and only
    labels that the Pod has.
    """
    named = [key for key in as_mapping(selector.get("matchLabels")) if isinstance(key, str)]
    named += [key for _, item in listed(selector, "matchExpressions") if isinstance(key := item.get("key"), str)]
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
    fix="Use a maxSkew of 1 or more, and each topologyKey and whenUnsatisfiable pair once. Use minDomains with DoNotSchedule.",
)
def invalid_topology_spread(pod: PodView, ctx: Context) -> Problems:
    """Invalid or duplicate topology spread constraint.

    `maxSkew` and `minDomains` are 1 or more, and `minDomains` requires DoNotSchedule. Two constraints with the same
    topologyKey must differ in whenUnsatisfiable.
    """
    seen = set()
    for index, item in listed(pod.value, "topologySpreadConstraints"):
        where = pod.at("topologySpreadConstraints", index)
        for field in ("maxSkew", "minDomains"):
            number = item.get(field)
            if isinstance(number, int) and not isinstance(number, bool) and number < 1:
                yield problem((*where, field), f"invalid {field} {number}: must be 1 or more")
        key, when_unsatisfiable = item.get("topologyKey"), item.get("whenUnsatisfiable")
        if item.get("minDomains") is not None and when_unsatisfiable == "ScheduleAnyway":
            message = "minDomains requires whenUnsatisfiable: DoNotSchedule"
            yield problem((*where, "minDomains"), message, on_key=True)
        if isinstance(key, str) and isinstance(when_unsatisfiable, str):
            if (key, when_unsatisfiable) in seen:
                yield problem(
                    where,
                    f"duplicate constraint for topologyKey {quote(key)} and whenUnsatisfiable {when_unsatisfiable}",
                )
            seen.add((key, when_unsatisfiable))
        if item.get("labelSelector") and ctx.since("1.27"):
            yield from check_selector(item["labelSelector"], (*where, "labelSelector"))
