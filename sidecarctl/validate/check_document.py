"""Rules applied to documents: each sees what its scope asks for; what it says becomes a finding with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from sidecarctl.findings import Finding, PathTuple, Place, Related, Severity
from sidecarctl.kube.kinds import BUILT_IN, DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.validate.registry import Check, Context, Problem, Rule, rules
from sidecarctl.validate.schema import check_object
from sidecarctl.validate.schema.checker import shapes
from sidecarctl.validate.schema.data import schemas
from sidecarctl.validate.schema.messages import finding
from sidecarctl.validate.views import ContainerView, Data, ObjectView, PodView, StreamView

# Rules with the same roles and needs, which are asked or passed over together.
_Groups = dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[Rule, Check]]]

_MAX_ASKED = 1024  # sets of keys that are remembered

# Number of the document, path in it, whether the key is meant: the place, None where there is none.
Locate = Callable[[int, PathTuple, bool], "Place | None"]


def nowhere(number: int, path: PathTuple, on_key: bool) -> Place | None:
    """The `Locate` of documents that have no text."""
    return None


def check_documents(
    documents: Sequence[object],
    rules: Iterable[Rule],
    ctx: Context,
    locate: Locate = nowhere,
    kinds: Kinds = DEFAULT_KINDS,
) -> Iterator[tuple[int, Finding]]:
    """Yield what the rules say about documents (plain data), each finding with its document's number, from 0.

    A finding's path runs from its document's root; places, those of related paths too, come from `locate`. A rule
    without a check or not for this Kubernetes version is passed over.
    """
    stream = StreamView(documents, kinds)
    for rule, problem, owner in _problems(stream, rules, ctx):
        number, path = _document(problem.path)
        container = _container(owner, problem.path)
        yield (
            number,
            Finding(
                rule.name,
                problem.message,
                problem.severity or rule.severity,
                path,
                problem.on_key,
                rule.reason,
                problem.help or rule.fix,
                _label(owner),
                container.name if container else "",
                container.role if container else "",
                related=tuple(_related(one, locate) for one in problem.related),
                place=locate(number, path, problem.on_key),
                wants=problem.wants,
            ),
        )


def _problems(
    stream: StreamView, rules: Iterable[Rule], ctx: Context
) -> Iterator[tuple[Rule, Problem, PodView | ObjectView | None]]:
    """Yield each problem with its rule and with whom it is about."""
    asked = _Scopes.of(tuple(rules), ctx.kube_version).asked
    for pod in stream.pods:
        for rule, check in asked("pod", pod.value):
            for problem in check(pod, ctx):
                yield rule, problem, pod
        for container in pod.containers:
            for rule, check in asked("container", container.value, role=container.role):
                for problem in check(container, ctx):
                    yield rule, problem, pod
    for view in stream.objects:
        for rule, check in asked("object", view.value, view.kind):
            for problem in check(view, ctx):
                yield rule, problem, _owner(stream, problem.path) or view
    for rule, check in asked("stream", {}):
        for problem in check(stream, ctx):
            yield rule, problem, _owner(stream, problem.path)


class _Scopes:
    """The rules for one Kubernetes version by what they look at. A run asks the same ones of every document."""

    def __init__(self, rules: tuple[Rule, ...], kube_version: str) -> None:
        ctx = Context(kube_version)
        self._rules = [rule for rule in rules if rule.check and rule.applies(ctx)]
        self._kinds = frozenset(kind for rule in self._rules for kind in rule.kinds)
        self._groups: dict[tuple[str, str], _Groups] = {}
        self._asked: dict[tuple[Any, ...], list[tuple[Rule, Check]]] = {}

    @staticmethod
    @lru_cache(maxsize=8)
    def of(rules: tuple[Rule, ...], kube_version: str) -> _Scopes:
        """Return the scopes of these rules, sorted once."""
        return _Scopes(rules, kube_version)

    def of_scope(self, scope: str, kind: str = "") -> _Groups:
        """Return the rules of a scope, and for objects of a kind, in groups."""
        key = (scope, kind if kind in self._kinds else "")
        if key not in self._groups:
            groups = self._groups[key] = {}
            for rule in self._rules:
                if rule.check and rule.scope == scope and (not rule.kinds or kind in rule.kinds):
                    groups.setdefault((rule.roles, rule.needs), []).append((rule, rule.check))
        return self._groups[key]

    def asked(self, scope: str, value: Data, kind: str = "", role: str = "") -> list[tuple[Rule, Check]]:
        """Return the rules that have something to look at in a mapping, and in a container of that role.

        Only its keys matter, and many mappings have the same ones.
        """
        key = (scope, kind, role, *value)
        found = self._asked.get(key)
        if found is None:
            if len(self._asked) >= _MAX_ASKED:
                self._asked.clear()
            found = self._asked[key] = [
                one
                for (roles, needs), rules in self.of_scope(scope, kind).items()
                if (not needs or not value.keys().isdisjoint(needs)) and (not roles or not role or role in roles)
                for one in rules
            ]
        return found


def _owner(stream: StreamView, path: PathTuple) -> PodView | ObjectView | None:
    """Return whom a path leads into: a workload before any object, for its containers."""
    owners: tuple[PodView | ObjectView, ...] = (*stream.pods, *stream.objects)
    for owner in owners:
        root = owner.object.path if isinstance(owner, PodView) else owner.path
        if path[: len(root)] == root:
            return owner
    return None


def _label(owner: PodView | ObjectView | None) -> str:
    return owner.object.label if isinstance(owner, PodView) else owner.label if owner else ""


def _container(owner: PodView | ObjectView | None, path: PathTuple) -> ContainerView | None:
    containers = owner.containers if isinstance(owner, PodView) else ()
    return next((one for one in containers if path[: len(one.path)] == one.path), None)


def _document(path: PathTuple) -> tuple[int, PathTuple]:
    """Split a path of a view into the document's number and the path in the document."""
    return (path[0], path[1:]) if path and isinstance(path[0], int) else (0, path)


def _related(related: Related, locate: Locate) -> Related:
    number, path = _document(related.path)
    return Related(related.label, path, locate(number, path, False))


LEVELS = ("strict", "warn", "ignore")
_POD_TEMPLATE = "core.v1.PodTemplateSpec"


def workload_findings(value: object, kube_version: str, level: str, kinds: Kinds) -> list[Finding]:
    """Return what is wrong with the workloads of a document.

    `level` says what an unknown field is, as in kubectl: strict an error, warn a warning, ignore nothing.
    """
    if value is not None and not isinstance(value, dict):
        return check_object.check(value, kube_version)
    seen: set[PathTuple] = set()
    out: list[Finding] = []
    for workload in workloads(value, kinds):
        if (workload.group, workload.kind) in BUILT_IN:
            if workload.path not in seen:
                seen.add(workload.path)
                out += _all_named(check_object.check(workload.value, kube_version, workload.path), workload)
        else:
            out += _all_named(of_template(workload, kube_version), workload)
    if any(is_partial(workload) for workload in workloads(value, kinds)):
        # A patch names only what it changes.
        out = [one for one in out if one.rule != "missing-required"]
    return [graded for one in out if (graded := _graded(one, level)) is not None]


def rule_findings(
    value: object,
    kube_version: str,
    kinds: Kinds,
    before: object = None,
    admin_ports: Mapping[str, tuple[int, ...]] | None = None,
) -> list[Finding]:
    """Return what the rules say of one document: what the API server refuses, and advice; no infos.

    `before` is the document as it was, for rules about a change. `admin_ports` are, by container, those on which only
    the pod itself is answered. Nothing is said of a partial document.
    """
    if any(is_partial(workload) for workload in workloads(value, kinds)):
        return []
    pods = {workload.label: workload.pod for workload in workloads(before, kinds)}
    context = Context(kube_version, options={"qos-downgrade": pods, "probe-on-localhost-server": admin_ports or {}})
    found = check_documents([value], _rules_of_one_document(), context, kinds=kinds)
    return [one for _, one in found if one.severity is not Severity.INFO]


@cache
def _rules_of_one_document() -> tuple[Rule, ...]:
    return tuple(rule for rule in rules().values() if rule.on and rule.check and rule.scope != "stream")


def is_partial(workload: Workload) -> bool:
    """True for a document that holds no containers, or none with an image, such as a kustomize patch."""
    containers = workload.pod.get("containers")
    if isinstance(containers, list) and containers:
        return all(isinstance(one, dict) and "name" in one and "image" not in one for one in containers)
    return not containers and not isinstance(containers, dict)


def refused(found: Finding) -> bool:
    """True for an error that is the API server's own: advice about what was there before keeps nobody from adding."""
    return found.severity is Severity.ERROR and rules()[found.rule].layer != "advice"


def of_template(workload: Workload, kube_version: str) -> list[Finding]:
    """Return what is wrong with the shape of a pod template: of a custom kind nothing else is known."""
    problems = shapes(kube_version).of(_POD_TEMPLATE)(workload.template) or []
    return [finding(problem, _POD_TEMPLATE, schemas(kube_version), workload.template_path) for problem in problems]


def _graded(one: Finding, level: str) -> Finding | None:
    if one.rule != "unknown-field" or level == "strict":
        return one
    return replace(one, severity=Severity.WARNING) if level == "warn" else None


def _all_named(found: list[Finding], workload: Workload) -> list[Finding]:
    return [named(one, workload) for one in found]


def named(one: Finding, workload: Workload | None) -> Finding:
    """Say whose field it is: workload, container and role."""
    if workload is None:
        return one
    holder = next((c for c in workload.containers if one.path[: len(c.path)] == c.path), None)
    name, role = (holder.name, holder.role) if holder else ("", "")
    return replace(one, workload=workload.label, container=name, role=role)
