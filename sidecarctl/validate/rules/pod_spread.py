"""Rules about where pods are in relation to other pods: pod affinity and topology spread constraints."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.controllers import POD
from sidecarctl.validate.labels import selector_faults
from sidecarctl.validate.parts import listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.node_choice import weight_fault
from sidecarctl.validate.views import Data, PodView

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@rule(
    "pod-affinity",
    Severity.ERROR,
    needs=("affinity",),
    fix="Use the key of a label of nodes as topologyKey, selectors of labels, and weights from 1 to 100.",
)
def pod_affinity(pod: PodView, ctx: Context) -> Problems:
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
            for name in (_REQUIRED, _PREFERRED):
                for index, term in listed(own, name):
                    yield term, pod.at("affinity", field, name, index), name == _PREFERRED


@rule(
    "match-label-keys",
    Severity.ERROR,
    needs=("affinity", "topologySpreadConstraints"),
    fix="Add a labelSelector, and name each key in one place.",
)
def match_label_keys(pod: PodView, ctx: Context) -> Problems:
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
    "topology-spread",
    Severity.ERROR,
    needs=("topologySpreadConstraints",),
    fix="Use a maxSkew of 1 or more, each pair of topologyKey and whenUnsatisfiable once, minDomains with DoNotSchedule.",
)
def topology_spread(pod: PodView, ctx: Context) -> Problems:
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
