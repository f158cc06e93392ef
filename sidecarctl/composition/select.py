"""Which sidecars a workload gets from a composition: what its rules say, what its own annotations say, and who wins.

Knows workloads and requests; edits nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.catalog.assignments import merge
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.parameters import Parameters, resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.annotations import INJECT, NAMED_PARAMETER, InjectAnnotations, read_annotations
from sidecarctl.composition.layers import SidecarEntry
from sidecarctl.composition.model import Composition, Rule, Selector, selector_matches, version_matches
from sidecarctl.composition.request import Request, order_requests
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.inject.record import Record
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass

# A hint for the command line, which makes no sense in a file.
_SET = re.compile(r"--set [a-z0-9-]+\.([^=\s]+)=\S*")
_NOWHERE = Place("", 0, 0, 0, 0)
# A wish with the words that name who has it: a rule's label, or the annotation.
_Wanted = tuple[SidecarEntry, str]


@dataclass(frozen=True)
class WorkloadChoice:
    """What a workload gets: requests in order, the numbers of the rules that select it, what is to be said."""

    requests: tuple[Request, ...] = ()
    rules: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class Selection:
    """A composition made ready for a Kubernetes version and a library: every sidecar found, every parameter checked."""

    composition: Composition
    catalog: Catalog
    kube_version: str
    active: tuple[tuple[int, Rule], ...] = ()
    adopt: bool = False
    _requests: dict[str, Request] = field(default_factory=dict, repr=False)
    _choices: dict[tuple[Any, ...], tuple[Request, ...]] = field(default_factory=dict, repr=False)

    def choose(self, workload: Workload, record: Record) -> WorkloadChoice:
        """Return what the composition, and the workload by its annotations, ask for. Raises UsageError with the rules that
        contradict each other.
        """
        if any(fnmatchcase(workload.namespace, glob) for glob in self.composition.exclude_namespaces):
            return WorkloadChoice()
        selecting = tuple((number, rule) for number, rule in self.active if selector_matches(rule.selector, workload))
        numbers = frozenset(number for number, _ in selecting)
        own = read_annotations(workload, record)
        if own is None:
            key = tuple(number for number, _ in selecting)
            if key not in self._choices:
                wanted = self._by_rules([rule for _, rule in selecting], workload)
                self._choices[key] = self._ordered([self._request(*each) for each in wanted.values()])
            return WorkloadChoice(self._choices[key], numbers)
        if own.opts_out:
            return WorkloadChoice(rules=numbers)
        wanted = self._by_rules([rule for _, rule in selecting], workload)
        requests, findings = self._with_own(wanted, own, record)
        return WorkloadChoice(self._ordered(requests), numbers, tuple(findings))

    def requests_of(self, rule: Rule) -> tuple[Request, ...]:
        """Return what a rule asks for by itself, in order, whatever workload it selects."""
        return self._ordered([self._request(wish, rule.label) for wish in rule.wishes])

    def _ordered(self, requests: Sequence[Request]) -> tuple[Request, ...]:
        try:
            return tuple(order_requests(requests))
        except UsageError as error:
            error.where = error.where or self.composition.file
            raise

    def _by_rules(self, rules: Sequence[Rule], workload: Workload) -> dict[str, _Wanted]:
        """The wishes by instance, in the order of the rules. Raises UsageError where two differ and neither overrides."""
        wanting: dict[str, list[tuple[Rule, SidecarEntry]]] = {}
        for rule in rules:
            for wish in rule.wishes:
                wanting.setdefault(wish.instance, []).append((rule, wish))
        return {instance: self._one_of(pairs, workload) for instance, pairs in wanting.items()}

    def _one_of(self, pairs: Sequence[tuple[Rule, SidecarEntry]], workload: Workload) -> _Wanted:
        """One wish of several for one instance: equal ones are one; what says `override: true` goes on top."""
        plain = [pair for pair in pairs if not pair[1].data.get("override")]
        over = [pair for pair in pairs if pair[1].data.get("override")]
        (first, wish), *others = plain or over[:1]
        for rule, other in others:
            if other.data != wish.data and self._request(other, rule.label) != self._request(wish, first.label):
                raise _contradiction(workload, (first, wish), (rule, other), "one of them may say `override: true`")
        top: tuple[Rule, SidecarEntry] | None = None
        for rule, other in over:
            if top is not None and not _agree(top[1].data, other.data):
                raise _contradiction(workload, top, (rule, other), "both say `override: true`: only one can win")
            top = (rule, top[1].under(other) if top else other)
        if top is None:
            return wish, first.label
        return (wish.under(top[1]) if plain else top[1]), top[0].label

    def _with_own(
        self, wanted: Mapping[str, _Wanted], own: InjectAnnotations, record: Record
    ) -> tuple[list[Request], list[Finding]]:
        """What the rules want with what the workload says for itself on top."""
        wishes = dict(wanted)
        findings: list[Finding] = []
        for name in own.sidecars:
            try:
                self.catalog.find(name)
            except LibraryError:
                raise
            except UsageError as error:
                findings.append(own.finding(INJECT, "unknown-injected-sidecar", error))
                continue
            wish = SidecarEntry({"name": name}, _NOWHERE)
            wishes.setdefault(wish.instance, (wish, f"the annotation {INJECT}"))
        sidecars = {instance: str(wish.data["name"]).partition("@")[0] for instance, (wish, _) in wishes.items()}
        given, wrong = own.given(sidecars, record.instances, [*wishes, *self.catalog.names()])
        requests = []
        for instance, (wish, origin) in wishes.items():
            try:
                requests.append(self._request(wish, origin, given.get(instance)))
            except LibraryError:
                raise
            except UsageError as error:
                key = own.blamed(instance, sidecars[instance], error)
                if not key and wish.place is not _NOWHERE:
                    raise
                findings.append(own.finding(key or INJECT, "invalid-inject-parameter", error))
        return requests, [*findings, *wrong]

    def prepare(self) -> None:
        """Find every sidecar and check every parameter that an active rule or a default names, be they not complete yet.

        Raises UsageError with file and line.
        """
        for wish in (*self.composition.defaults.values(), *(w for _, rule in self.active for w in rule.wishes)):
            whole = self._full(wish)
            sidecar = self._find(whole)
            lenient = replace(sidecar, parameters={**sidecar.parameters, "required": []})
            self._resolved(lenient, whole, whole.data.get("parameters", {}))

    def _full(self, wish: SidecarEntry) -> SidecarEntry:
        """A wish with the composition's defaults for its sidecar below it."""
        default = self.composition.defaults.get(str(wish.data["name"]).partition("@")[0])
        return replace(default.under(wish), place=wish.place) if default else wish

    def _find(self, wish: SidecarEntry) -> Sidecar:
        name = str(wish.data["name"])
        if "@" not in name and wish.data.get("version"):
            name = f"{name}@{wish.data['version']}"
        try:
            return self.catalog.find(name)
        except UsageError as error:
            error.where = error.where or _where(wish)
            raise

    def _request(self, wish: SidecarEntry, origin: str, more: Mapping[str, Any] | None = None) -> Request:
        """The request that a wish means, checked once for each wish."""
        key = json.dumps(wish.data, default=str, sort_keys=True)
        found = None if more else self._requests.get(key)
        if found is not None:
            return found
        wish, where = self._full(wish), _where(wish)
        sidecar = self._find(wish)
        parameters = self._resolved(sidecar, wish, merge(wish.data.get("parameters", {}), more or {}), more or {})
        request = Request(
            sidecar,
            parameters,
            wish.instance,
            str(wish.data.get("mode", "")),
            tuple(wish.data.get("containers", ())),
            self.composition.name,
            origin,
            where,
            self.adopt,
        )
        if not more:
            self._requests[key] = request
        return request

    def _resolved(
        self, sidecar: Sidecar, wish: SidecarEntry, given: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> Parameters:
        try:
            origins = {key: str(place) for key, place in wish.keys.items() if key not in (more or {})}
            return resolve(sidecar, given, _where(wish), origins)
        except LibraryError:
            raise
        except UsageError as error:
            named = NAMED_PARAMETER.search(error.message)
            if named and named[1] in wish.keys and named[1] not in (more or {}):
                error.where = str(wish.keys[named[1]])
            error.hint = _SET.sub(r"give \1 under `parameters`", error.hint)
            raise

    def unused(self, selected: Iterable[int]) -> list[Finding]:
        """Return a warning for each active rule that no workload was selected by."""
        used = set(selected)
        return [
            Finding(
                "rule-selects-nothing",
                f"{rule.label} of the composition {self.composition.name} selects no workload",
                Severity.WARNING,
                help=_nothing_hint(rule.selector),
                place=rule.place,
            )
            for number, rule in self.active
            if number not in used
        ]


def resolve_selection(composition: Composition, catalog: Catalog, kube_version: str) -> Selection:
    """Return a composition made ready. Raises UsageError, with file and line, for sidecars and parameters that are unknown
    or wrong.
    """
    active = tuple(
        (number, rule)
        for number, rule in enumerate(composition.rules)
        if not rule.when or version_matches(rule.when, kube_version)
    )
    ready = Selection(composition, catalog, kube_version, active)
    ready.prepare()
    return ready


def _where(wish: SidecarEntry) -> str:
    return "" if wish.place is _NOWHERE else str(wish.place)


def _nothing_hint(selector: Selector) -> str:
    if selector.namespaces:
        return "see whether the namespaces stand in the manifests: one without a namespace is in none that a rule could name"
    return "correct its `select`, or drop the rule"


def _agree(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    return merge(one, two) == merge(two, one)


def _contradiction(
    workload: Workload, one: tuple[Rule, SidecarEntry], two: tuple[Rule, SidecarEntry], hint: str
) -> UsageError:
    (first, wish), (second, other) = one, two
    return UsageError(
        f'{first.label} ({wish.place}) and {second.label} want the instance "{wish.instance}" of {workload.label} '
        f"differently: {_difference(wish.data, other.data)}",
        where=str(other.place),
        hint=f"{hint}; or give one of them another name with `as`, or select less",
    )


def _difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    """The first key in which two wishes differ, with both values."""
    for key in dict.fromkeys((*one, *two)):
        old, new = one.get(key), two.get(key)
        if old != new and key != "override":
            if isinstance(old, dict) and isinstance(new, dict):
                return f"{key}.{_difference(old, new)}"
            return f"{key} is {_shown(old)} here and {_shown(new)} there"
    return "one says more than the other"


def _shown(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def find_unused_rules(chosen: Selection, used: Iterable[int]) -> list[Finding]:
    """Return warnings for rules that select nothing, where none of the composition's rules selected anything at all."""
    used = set(used)
    return [] if used else chosen.unused(used)
