"""Schema checks and rules for documents of plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sidecarctl.findings import Finding, PathTuple, Place, Related, Severity
from sidecarctl.kube.kinds import BUILT_IN, DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping, is_partial, workloads
from sidecarctl.lazy_dataclass import replace
from sidecarctl.validate.custom_templates import is_allowed, refers_to_template
from sidecarctl.validate.registry import Check, Context, Problem, Rule, help_line, rules
from sidecarctl.validate.schema import check_object
from sidecarctl.validate.schema.checker import object_checks
from sidecarctl.validate.schema.data import schemas
from sidecarctl.validate.schema.messages import schema_finding
from sidecarctl.validate.views import ContainerView, Data, ObjectView, PodView, StreamView

# Rules by roles and needs, so that rules with the same ones are selected together.
_Groups = dict[tuple[tuple[str, ...], tuple[str, ...]], list[Rule]]

_MAX_CACHED_SELECTIONS = 1024

# A function that returns the place of a path: document number, path, and True to locate the key instead of the value.
Locate = Callable[[int, PathTuple, bool], "Place | None"]


def no_place(number: int, path: PathTuple, on_key: bool) -> Place | None:
    """Return None: the `Locate` function of documents without text."""
    return None


def check_documents(
    documents: Sequence[object],
    rules: Iterable[Rule],
    ctx: Context,
    locate: Locate = no_place,
    kinds: Kinds = DEFAULT_KINDS,
    files: Sequence[str] | None = None,
) -> Iterator[tuple[int, Finding]]:
    """Yield the findings of rules about documents of plain data, each with the number of its document, from 0.

    Paths start at the root of the document. `locate` returns the places, also of related paths. `files` are the files
    of the documents; without them, all documents are in one file. Rules without a check and rules for other Kubernetes
    versions are skipped.
    """
    stream = StreamView(documents, kinds, files)
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
                help_line(problem.help or rule.fix),
                _label(owner),
                container.name if container else "",
                container.role if container else "",
                related=tuple(_related(one, locate) for one in problem.related),
                place=locate(number, path, problem.on_key),
                expected=problem.expected,
            ),
        )


def _problems(
    stream: StreamView, rules: Iterable[Rule], ctx: Context
) -> Iterator[tuple[Rule, Problem, PodView | ObjectView | None]]:
    """Yield each problem with its rule and the pod or object that it belongs to."""
    rules_for = _Scopes.of(tuple(rules), ctx.kube_version).rules_for
    for pod in stream.pods:
        for rule, check in rules_for("pod", pod.value):
            for problem in check(pod, ctx):
                yield rule, problem, pod
        for container in pod.containers:
            for rule, check in rules_for("container", container.value, role=container.role):
                for problem in check(container, ctx):
                    yield rule, problem, pod
    for view in stream.objects:
        for rule, check in rules_for("object", view.value, view.kind):
            for problem in check(view, ctx):
                yield rule, problem, stream.owner_of(problem.path) or view
    for rule, check in rules_for("stream", {}):
        for problem in check(stream, ctx):
            yield rule, problem, stream.owner_of(problem.path)


class _Scopes:
    """Rules for one Kubernetes version by scope, cached because a run applies the same rules to every document."""

    def __init__(self, rules: tuple[Rule, ...], kube_version: str) -> None:
        ctx = Context(kube_version)
        self._rules = [rule for rule in rules if rule.checks and rule.applies(ctx)]
        self._kinds = frozenset(kind for rule in self._rules for kind in rule.kinds)
        self._groups: dict[tuple[str, str], _Groups] = {}
        self._selections: dict[tuple[Any, ...], list[tuple[Rule, Check]]] = {}

    @staticmethod
    @lru_cache(maxsize=8)
    def of(rules: tuple[Rule, ...], kube_version: str) -> _Scopes:
        """Return the cached scopes of rules for a Kubernetes version."""
        return _Scopes(rules, kube_version)

    def of_scope(self, scope: str, kind: str = "") -> _Groups:
        """Return the rules of a scope, for objects those of a kind, by roles and needs."""
        key = (scope, kind if kind in self._kinds else "")
        if key not in self._groups:
            groups = self._groups[key] = {}
            for rule in self._rules:
                if rule.scope == scope and (not rule.kinds or kind in rule.kinds):
                    groups.setdefault((rule.roles, rule.needs), []).append(rule)
        return self._groups[key]

    def rules_for(self, scope: str, value: Data, kind: str = "", role: str = "") -> list[tuple[Rule, Check]]:
        """Return the rules that can have findings in a mapping or, with `role`, in a container.

        The result depends only on the keys of the mapping, and many mappings have the same keys.
        """
        key = (scope, kind, role, *value)
        found = self._selections.get(key)
        if found is None:
            if len(self._selections) >= _MAX_CACHED_SELECTIONS:
                self._selections.clear()
            found = self._selections[key] = [
                (rule, check)
                for (roles, needs), rules in self.of_scope(scope, kind).items()
                if (not needs or not value.keys().isdisjoint(needs)) and (not roles or not role or role in roles)
                for rule in rules
                if (check := rule.check)  # imports its module
            ]
        return found


def _label(owner: PodView | ObjectView | None) -> str:
    return owner.object.label if isinstance(owner, PodView) else owner.label if owner else ""


def _container(owner: PodView | ObjectView | None, path: PathTuple) -> ContainerView | None:
    return owner.container_of(path) if isinstance(owner, PodView) else None


def _document(path: PathTuple) -> tuple[int, PathTuple]:
    """Split the path of a view into document number and path in the document."""
    return (path[0], path[1:]) if path and isinstance(path[0], int) else (0, path)


def _related(related: Related, locate: Locate) -> Related:
    number, path = _document(related.path)
    return Related(related.label, path, locate(number, path, False))


LEVELS = ("strict", "warn", "ignore")
_POD_TEMPLATE = "core.v1.PodTemplateSpec"


def check_workloads(value: object, kube_version: str, level: str, kinds: Kinds) -> list[Finding]:
    """Return the schema findings of the workloads in a document.

    `level` is the severity of unknown fields, as in `kubectl --validate`: strict (error), warn, or ignore.
    """
    if value is not None and not isinstance(value, dict):
        return check_object.check_object(value, kube_version)
    seen: set[PathTuple] = set()
    out: list[Finding] = []
    for workload in workloads(value, kinds):
        if (workload.group, workload.kind) in BUILT_IN:
            if workload.path not in seen:
                seen.add(workload.path)
                out += _all_named(check_object.check_object(workload.value, kube_version, workload.path), workload)
        else:
            out += _all_named(check_pod_template(workload, kube_version), workload)
    if any(is_partial(workload) for workload in workloads(value, kinds)):
        # A patch contains only the fields that it changes.
        out = [one for one in out if one.rule != "missing-required"]
    return [graded for one in out if (graded := _graded(one, level)) is not None]


def check_companion(value: object, kube_version: str) -> list[Finding]:
    """Return the schema errors of a companion; none for a kind that Kubernetes does not have, such as PodMonitor."""
    if not isinstance(value, dict):
        return []
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and (api_version, kind) in schemas(kube_version).kinds):
        return []
    label = f"{value['kind']}/{as_mapping(value.get('metadata')).get('name', '')}"
    found = check_object.check_object(value, kube_version)
    return [replace(one, workload=label) for one in found if one.severity is Severity.ERROR]


def check_rules(
    value: object,
    kube_version: str,
    kinds: Kinds,
    before: object = None,
    admin_ports: Mapping[str, tuple[int, ...]] | None = None,
) -> list[Finding]:
    """Return the errors and warnings of the rules for one document; none for a partial document.

    `before` is the document before a change, for rules that compare. `admin_ports` are the ports bound to localhost,
    by container name.
    """
    if any(is_partial(workload) for workload in workloads(value, kinds)):
        return []
    pods = {workload.label: workload.pod for workload in workloads(before, kinds)}
    context = Context(kube_version, options={"qos-downgrade": pods, "probe-on-localhost-server": admin_ports or {}})
    found = check_documents([value], _rules_of_one_document(), context, kinds=kinds)
    return [one for _, one in found if one.severity is not Severity.INFO]


@cache
def _rules_of_one_document() -> tuple[Rule, ...]:
    return tuple(rule for rule in rules().values() if rule.on and rule.checks and rule.scope != "stream")


def is_rejection(found: Finding) -> bool:
    """Return True for an error that makes the API server reject the object, as opposed to advice."""
    return found.severity is Severity.ERROR and rules()[found.rule].layer != "advice"


def check_pod_template(workload: Workload, kube_version: str) -> list[Finding]:
    """Return the schema findings of the pod template of a custom kind, whose other fields are unknown."""
    if refers_to_template(workload):
        return []
    problems = object_checks(kube_version).of(_POD_TEMPLATE)(workload.template) or []
    return [
        schema_finding(problem, _POD_TEMPLATE, schemas(kube_version), workload.template_path)
        for problem in problems
        if not is_allowed(problem, workload)
    ]


def _graded(one: Finding, level: str) -> Finding | None:
    if one.rule != "unknown-field" or level == "strict":
        return one
    return replace(one, severity=Severity.WARNING) if level == "warn" else None


def _all_named(found: list[Finding], workload: Workload) -> list[Finding]:
    return [with_subject(one, workload) for one in found]


def with_subject(one: Finding, workload: Workload | None) -> Finding:
    """Return a finding with the workload, container, and role that its path belongs to."""
    if workload is None:
        return one
    holder = workload.container_of(one.path)
    name, role = (holder.name, holder.role) if holder else ("", "")
    return replace(one, workload=workload.label, container=name, role=role)
