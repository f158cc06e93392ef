"""Choose the sidecars of a workload: from the rules of a composition and from the workload's own annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.assignments import merge
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.catalog.parameters import Parameters, resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.annotations import INJECT, NAMED_PARAMETER, InjectAnnotations, read_annotations
from sidecarctl.composition.layers import EVERY_SIDECAR, SidecarEntry
from sidecarctl.composition.model import Composition, Rule, Selector, selector_matches, version_matches
from sidecarctl.composition.request import Request, order_requests
from sidecarctl.composition.workload_filter import namespace_matches, read_inject
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.record.annotation import Record

# A hint for the command line that does not apply to a file.
_SET = lazy_pattern(r"(?:set it with )?--set [a-z0-9-]+\.([^=\s]+)=\S*?(?=:?(?:\s|$))")
_NO_PLACE = Place("", 0, 0, 0, 0)
# An entry with its origin: the label of a rule, or the annotation.
_Originated = tuple[SidecarEntry, str]


@dataclass(frozen=True)
class WorkloadChoice:
    """The choice for one workload: requests in order, the numbers of the rules that select it, and findings."""

    requests: tuple[Request, ...] = ()
    rules: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class NamespaceConflict:
    """Namespaces of one name with different inject annotations: their files, and whether one requests sidecars."""

    files: tuple[str, ...]
    requests: bool


@dataclass(frozen=True, eq=False)
class Selection:
    """A composition resolved for a Kubernetes version and a library.

    namespaces           the inject annotations of the Namespaces of the run, by name
    namespace_conflicts  the Namespaces with different inject annotations, by name
    shared               common parameters for all sidecars
    """

    composition: Composition
    catalog: Catalog
    kube_version: str
    active: tuple[tuple[int, Rule], ...] = ()
    adopt: bool = False
    on_conflict: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    namespace_conflicts: Mapping[str, NamespaceConflict] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict)
    _requests: dict[str, Request] = field(default_factory=dict, repr=False)
    _choices: dict[tuple[Any, ...], tuple[Request, ...]] = field(default_factory=dict, repr=False)

    def choose(self, workload: Workload, record: Record) -> WorkloadChoice:
        """Return the requests of the composition and of the workload's annotations.

        Raises UsageError for conflicting rules, and for Namespaces with different annotations.
        """
        if namespace_matches(workload.namespace, self.composition.exclude_namespaces):
            return WorkloadChoice()
        selecting = tuple((number, rule) for number, rule in self.active if selector_matches(rule.selector, workload))
        numbers = frozenset(number for number, _ in selecting)
        own = read_annotations(workload, record, self._inherited(workload, matters=bool(selecting or record.instances)))
        if own is None:
            key = tuple(number for number, _ in selecting)
            if key not in self._choices:
                wanted = self._entries_by_instance([rule for _, rule in selecting], workload)
                requests = [self._request(*each) for each in wanted.values()]
                self._choices[key] = self._ordered(requests, workload.label)
            return WorkloadChoice(self._choices[key], numbers)
        if own.opts_out:
            return WorkloadChoice(rules=numbers)
        wanted = self._entries_by_instance([rule for _, rule in selecting], workload)
        requests, findings = self._merge_own(wanted, own, record)
        return WorkloadChoice(self._ordered(requests, workload.label), numbers, tuple(findings))

    def _inherited(self, workload: Workload, *, matters: bool) -> str:
        """Return the inject annotation of the namespace of a workload.

        `matters`: sidecars are selected for it or recorded, so that also a value that requests none changes something.
        """
        conflict = self.namespace_conflicts.get(workload.namespace)
        if conflict and (matters or conflict.requests) and not read_inject(workload):
            files = " and ".join(conflict.files)
            raise UsageError(
                f"{workload.label}: conflicting annotations {INJECT} of Namespace {workload.namespace} in {files}",
                hint="set the annotation on the workload, or keep one of the Namespaces"
                if len(conflict.files) == 1
                else "set the annotation on the workload, or render the directory of each Namespace by itself",
            )
        return self.namespaces.get(workload.namespace, "")

    def requests_of(self, rule: Rule) -> tuple[Request, ...]:
        """Return the requests of one rule, in order, regardless of workloads."""
        return self._ordered([self._request(entry, rule.label) for entry in rule.sidecars])

    def _ordered(self, requests: Sequence[Request], workload: str = "") -> tuple[Request, ...]:
        try:
            return tuple(order_requests(requests))
        except UsageError as error:
            error.workload = workload
            error.where = error.where or self.composition.file
            raise

    def _entries_by_instance(self, rules: Sequence[Rule], workload: Workload) -> dict[str, _Originated]:
        """Return the entries by instance, in the order of the rules. Raises UsageError if two conflict."""
        wanting: dict[str, list[tuple[Rule, SidecarEntry]]] = {}
        for rule in rules:
            for entry in rule.sidecars:
                wanting.setdefault(entry.instance, []).append((rule, entry))
        return {instance: self._merge_entries(pairs, workload) for instance, pairs in wanting.items()}

    def _merge_entries(self, pairs: Sequence[tuple[Rule, SidecarEntry]], workload: Workload) -> _Originated:
        """Merge the entries of one instance: equal ones count once, and `override: true` is merged over the others."""
        plain = [pair for pair in pairs if not pair[1].data.get("override")]
        over = [pair for pair in pairs if pair[1].data.get("override")]
        (first, entry), *others = plain or over[:1]
        for rule, other in others:
            if other.data != entry.data and self._request(other, rule.label) != self._request(entry, first.label):
                from sidecarctl.composition.rule_conflicts import conflict_of

                hint = "set `override: true` in one of them"
                raise conflict_of(workload, (first, entry), (rule, other), hint, self._public_parameters)
        top: tuple[Rule, SidecarEntry] | None = None
        for rule, other in over:
            from sidecarctl.composition.rule_conflicts import agree, conflict_of

            if top is not None and not agree(top[1].data, other.data):
                hint = "remove `override: true` from one of them"
                raise conflict_of(workload, top, (rule, other), hint, self._public_parameters)
            top = (rule, top[1].overlay(other) if top else other)
        if top is None:
            return entry, first.label
        return (entry.overlay(top[1]) if plain else top[1]), top[0].label

    def _merge_own(
        self, wanted: Mapping[str, _Originated], own: InjectAnnotations, record: Record
    ) -> tuple[list[Request], list[Finding]]:
        """Merge the workload's own requests and parameters over the entries of the rules."""
        entries = dict(wanted)
        findings: list[Finding] = []
        for name in own.sidecars:
            try:
                self.catalog.find(name)
            except LibraryError:
                raise
            except UsageError as error:
                findings.append(own.finding(INJECT, "unknown-injected-sidecar", error, {}))
                continue
            entry = SidecarEntry({"name": name}, _NO_PLACE)
            entries.setdefault(entry.instance, (entry, f"the annotation {INJECT}"))
        sidecars = {instance: str(entry.data["name"]).partition("@")[0] for instance, (entry, _) in entries.items()}
        known = [*entries, *self.catalog.names()]
        given, wrong = own.assign_parameters(
            sidecars, record.instances, known, lambda name: self._schema(name, entries)
        )
        requests = []
        for instance, (entry, origin) in entries.items():
            try:
                requests.append(self._request(entry, origin, given.get(instance)))
            except LibraryError:
                raise
            except UsageError as error:
                key = own.find_annotation(instance, sidecars[instance], error)
                if not key and entry.place is not _NO_PLACE:
                    raise
                schema = self._schema(instance, entries)
                findings.append(own.finding(key or INJECT, "invalid-inject-parameter", error, schema))
        findings += wrong
        named = (*entries, *(own.parameters or ()))
        if findings and any(has_secrets(self._schema(name, entries)) for name in named):
            findings = [replace(each, hides_line=True) for each in findings]
        return requests, findings

    def _public_parameters(self, entry: SidecarEntry) -> Mapping[str, Any]:
        """Return the parameters of an entry without secret values and keys. Raises UsageError for an unknown sidecar."""
        from sidecarctl.catalog.secret_parameters import hide_secrets

        hidden = hide_secrets(entry.data.get("parameters") or {}, self._find(self._with_defaults(entry)).parameters)
        return hidden if isinstance(hidden, dict) else {}  # all of them can be secret

    def _schema(self, name: str, entries: Mapping[str, _Originated]) -> Mapping[str, Any]:
        """Return the schema of the parameters of a requested instance or of a sidecar, empty for an unknown one."""
        entry = entries[name][0] if name in entries else SidecarEntry({"name": name}, _NO_PLACE)
        try:
            return self._find(self._with_defaults(entry)).parameters
        except UsageError:
            return {}

    def validate(self) -> None:
        """Find every sidecar and validate every parameter of active rules and defaults. Required parameters may be missing.

        Raises UsageError with file and line.
        """
        named = (entry for name, entry in self.composition.defaults.items() if name != EVERY_SIDECAR)
        for entry in (*named, *(w for _, rule in self.active for w in rule.sidecars)):
            whole = self._with_defaults(entry)
            sidecar = self._find(whole)
            lenient = replace(sidecar, parameters={**sidecar.parameters, "required": []})
            self._resolved(lenient, whole, whole.data.get("parameters", {}))

    def _with_defaults(self, entry: SidecarEntry) -> SidecarEntry:
        """Return an entry merged over the composition's defaults for its sidecar."""
        default = self.composition.defaults.get(str(entry.data["name"]).partition("@")[0])
        return replace(default.overlay(entry), place=entry.place) if default else entry

    def _find(self, entry: SidecarEntry) -> Sidecar:
        name = str(entry.data["name"])
        if "@" not in name and entry.data.get("version"):
            name = f"{name}@{entry.data['version']}"
        try:
            return self.catalog.find(name)
        except UsageError as error:
            error.where = error.where or _where(entry)
            raise

    def _request(self, entry: SidecarEntry, origin: str, more: Mapping[str, Any] | None = None) -> Request:
        """Return the request of an entry; validated once per entry."""
        key = json.dumps(entry.data, default=str, sort_keys=True)
        found = None if more else self._requests.get(key)
        if found is not None:
            return found
        entry, where = self._with_defaults(entry), _where(entry)
        sidecar = self._find(entry)
        given = dict(entry.data.get("parameters", {}))
        if "position" in entry.data:
            given.setdefault("position", entry.data["position"])
        parameters = self._resolved(sidecar, entry, merge(given, more or {}), more or {})
        request = Request(
            sidecar,
            parameters,
            entry.instance,
            str(entry.data.get("mode", "")),
            tuple(entry.data.get("containers", ())),
            self.composition.name,
            origin,
            where,
            self.adopt,
            on_conflict=self.on_conflict or self.composition.on_conflict,
            catalog=self.catalog,
        )
        if not more:
            self._requests[key] = request
        return request

    def _resolved(
        self, sidecar: Sidecar, entry: SidecarEntry, given: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> Parameters:
        try:
            origins = {key: str(place) for key, place in entry.keys.items() if key not in (more or {})}
            return resolve(sidecar, given, _where(entry), origins, self.shared)
        except LibraryError:
            raise
        except UsageError as error:
            named = NAMED_PARAMETER.search(error.message)
            if named and named[1] in entry.keys and named[1] not in (more or {}):
                error.where = str(entry.keys[named[1]])
            error.hint = _SET.sub(r"set \1 under `parameters`", error.hint)
            raise

    def find_unused(self, selected: Iterable[int]) -> list[Finding]:
        """Return a warning for each active rule that selected no workload."""
        used = set(selected)
        return [
            Finding(
                "rule-selects-nothing",
                f"{rule.label} of composition {self.composition.name} selects no workload",
                Severity.WARNING,
                help=_nothing_hint(rule.selector),
                place=rule.place,
            )
            for number, rule in self.active
            if number not in used
        ]


def resolve_selection(
    composition: Composition,
    catalog: Catalog,
    kube_version: str,
    *,
    adopt: bool = False,
    on_conflict: str = "",
    shared: Mapping[str, Any] | None = None,
) -> Selection:
    """Resolve a composition. `on_conflict` and `shared`, the parameters for all sidecars, rank above it.

    Raises UsageError with file and line for unknown sidecars and invalid parameters."""
    active = tuple(
        (number, rule)
        for number, rule in enumerate(composition.rules)
        if not rule.when or version_matches(rule.when, kube_version)
    )
    everywhere = composition.defaults.get(EVERY_SIDECAR)
    common = merge(everywhere.data.get("parameters", {}) if everywhere else {}, shared or {})
    ready = Selection(composition, catalog, kube_version, active, adopt, on_conflict, shared=common)
    ready.validate()
    return ready


def _where(entry: SidecarEntry) -> str:
    return "" if entry.place is _NO_PLACE else str(entry.place)


def _nothing_hint(selector: Selector) -> str:
    if selector.namespaces:
        return "check that the manifests set the namespace: a workload without one matches no namespace of a rule"
    return "fix its `select`, or remove the rule"


def find_unused_rules(chosen: Selection, used: Iterable[int]) -> list[Finding]:
    """Return warnings for unused rules if no rule of the composition selected any workload, else none."""
    used = set(used)
    return [] if used else chosen.find_unused(used)
