"""Export a composition as admission policies in CEL: Kubernetes MutatingAdmissionPolicy or Kyverno MutatingPolicy.

Each rule becomes one policy per pod template path, with one mutation per sidecar. Each mutation sees the result of
the previous one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.composition.annotations import INJECT, OPT_OUT
from sidecarctl.composition.model import CORE, Composition, Expression, Rule, Selector
from sidecarctl.composition.select import Selection
from sidecarctl.errors import UsageError
from sidecarctl.integrations.exports import cel
from sidecarctl.integrations.exports.injection import (
    ExportFile,
    Injection,
    RuleInjections,
    collect_injections,
    make_distinct,
    name_for,
    render_companions,
    render_header,
    render_stream,
)
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import BUILT_IN, RUN_TO_COMPLETION, GroupKind, Steps

_POD: GroupKind = ("", "Pod")
_ONLY_CREATED = frozenset({_POD, ("batch", "Job")})
_GONE_GROUPS = ("extensions",)


@dataclass(frozen=True)
class Engine:
    """A policy engine. `served` lists apiVersions with the first Kubernetes minor version that serves them, newest
    first.
    """

    title: str
    kind: str
    served: tuple[tuple[int, str], ...]
    binding: bool
    use: str


ADMISSION = Engine(
    "the API server (MutatingAdmissionPolicy)",
    "MutatingAdmissionPolicy",
    (
        (36, "admissionregistration.k8s.io/v1"),
        (34, "admissionregistration.k8s.io/v1beta1"),
        (32, "admissionregistration.k8s.io/v1alpha1"),
    ),
    True,
    "Apply it with kubectl. Before Kubernetes 1.36, enable the feature gate MutatingAdmissionPolicy and its API version.",
)
KYVERNO = Engine(
    "Kyverno (MutatingPolicy)",
    "MutatingPolicy",
    ((0, "policies.kyverno.io/v1"),),
    False,
    "Apply it with kubectl. It requires Kyverno 1.17 or later.",
)


def export(engine: Engine, selection: Selection) -> list[ExportFile]:
    """Return the policies of a composition as one YAML stream. Raise UsageError for what they cannot express."""
    version = _api_version(engine, selection.kube_version)
    policies: list[tuple[str, Mapping[str, Any]]] = []
    differences = list(_DIFFERENCES)
    companions: dict[str, Mapping[str, Any]] = {}
    earlier: list[Injection] = []
    for each in collect_injections(selection):
        for steps, every in _kinds_by_template_path(each.rule, selection.composition):
            for injections, kinds in _by_injections(each, every, differences):
                one = replace(each, injections=injections)
                policy = _build_policy(engine, one, earlier, steps, kinds, selection.composition, differences)
                policies += [policy] if policy else ()
        earlier += each.injections
        for injection in each.injections:
            companions |= {f"{d['kind']}/{d['metadata']['name']}": d for d in injection.companions}
    if not policies:
        reason = next((one for one in differences if " is skipped by " in one), "no rule selects a supported kind")
        raise UsageError(
            f"cannot export composition {selection.composition.name}: {reason.removesuffix('.')}",
            where=selection.composition.file,
        )
    if companions:
        differences.append(
            "Companions are shared by all workloads of a namespace, and policies do not create them: "
            f"{', '.join(companions)} (at the end) must exist in each namespace with selected workloads."
        )
    names = make_distinct([name for name, _ in policies])
    objects = [one for name, (_, spec) in zip(names, policies) for one in _objects(engine, version, name, spec)]
    comment = render_header(engine.title, selection.composition.name, differences, engine.use)
    main = ExportFile("policy.yaml", render_stream(comment, objects))
    return [main, *render_companions(selection.composition.name, list(companions.values()))]


_DIFFERENCES = (
    "No record is written: `status`, `remove`, and `upgrade` do not see sidecars that a policy added.",
    "A workload that already has a container, volume, variable, or mount of a sidecar does not get that sidecar; "
    "`render` adopts the volume, keeps equal items, or reports an error.",
    "The engine decides the order of policies: sidecars of different rules may have a different order.",
    "A changed policy affects a workload the next time that the workload is applied.",
    'A workload can opt out with the annotation sidecarctl.dev/inject: "false", but cannot request sidecars or set parameters.',
    f"A workload with a target container after the first {cel.MAX_TARGET_CONTAINERS} containers does not get a sidecar "
    "that mounts volumes or sets variables.",
    "A Pod without a workload is changed only when it is created. The API server has set its defaults before, and the volume "
    "and mounts of its service account token come before those of sidecars.",
    "In a cluster, every object has a namespace: the default namespace is `default`, not empty.",
    "Objects owned by a workload of another known kind (the Pods of a Deployment) are skipped.",
    "Manifests are not validated before the API server validates them.",
)


def _api_version(engine: Engine, kube_version: str) -> str:
    minor = versions.minor(kube_version)
    for since, version in engine.served:
        if minor >= since:
            return version
    oldest = engine.served[-1][0]
    raise UsageError(
        f"{engine.kind} requires Kubernetes 1.{oldest} or later, got {kube_version}",
        hint=f"set --kube-version to 1.{oldest} or later, or use --to kyverno",
    )


def _kinds_by_template_path(rule: Rule, composition: Composition) -> Iterator[tuple[Steps, list[GroupKind]]]:
    """Yield the kinds that a rule selects, grouped by pod template path. Custom kinds must be selected by kind or
    group.
    """
    shapes: dict[Steps, list[GroupKind]] = {}
    selector = rule.selector
    for (group, kind), paths in composition.kinds.templates.items():
        named = bool(selector.kinds) or bool(selector.groups)
        if group in _GONE_GROUPS or ((group, kind) not in BUILT_IN and not named):
            continue
        if _matches_any(kind, selector.kinds) and _matches_any(group or CORE, selector.groups):
            shapes.setdefault(paths[0] if len(paths) == 1 else ("*",), []).append((group, kind))
    yield from shapes.items()


def _by_injections(
    each: RuleInjections, kinds: list[GroupKind], differences: list[str]
) -> Iterator[tuple[tuple[Injection, ...], list[GroupKind]]]:
    """Yield the injections of a rule with the kinds that get them: Jobs can get others, or none."""
    jobs = [kind for kind in kinds if kind in RUN_TO_COMPLETION]
    others = [kind for kind in kinds if kind not in RUN_TO_COMPLETION]
    if not each.jobs_refused and each.of_jobs == each.injections:
        yield each.injections, kinds
        return
    if others:
        yield each.injections, others
    if jobs and each.jobs_refused:
        names = ", ".join(kind for _, kind in jobs)
        differences.append(f"{names} is skipped by {each.rule.label}: {each.jobs_refused}.")
    elif jobs:
        yield each.of_jobs, jobs


def _matches_any(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _build_policy(
    engine: Engine,
    each: RuleInjections,
    earlier: Sequence[Injection],
    steps: Steps,
    kinds: list[GroupKind],
    composition: Composition,
    differences: list[str],
) -> tuple[str, Mapping[str, Any]] | None:
    """Return the name and the spec of a policy, None if no kind is left."""
    if "*" in steps:
        differences.append(
            f"{', '.join(f'{kind} ({group})' for group, kind in kinds)} has several pod templates and is not supported "
            "by policies."
        )
        return None
    classic = [one.name for one in each.injections if one.mode == "classic" and one.containers]
    if classic:
        jobs = [kind for kind in kinds if kind in RUN_TO_COMPLETION]
        kinds = [kind for kind in kinds if kind not in RUN_TO_COMPLETION]
        if jobs:
            differences.append(
                f"{', '.join(kind for _, kind in jobs)} is skipped by {each.rule.label}: the classic sidecar "
                f"{classic[0]} would prevent completion. `render` reports an error."
            )
        if not kinds:
            return None
    pod = cel.PodTemplate(steps)
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": list(_resource_rules(kinds))},
        "matchConditions": list(_conditions(each.rule.selector, pod, composition)),
        "mutations": [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {"expression": cel.patch_expression(one, pod, [*earlier, *each.injections[:number]])},
            }
            for number, one in enumerate(each.injections)
        ],
    }
    if engine.binding:
        spec["reinvocationPolicy"] = "Never"
    else:  # each kind has its own policy, so Kyverno must not derive policies for pod controllers
        spec["autogen"] = {"podControllers": {"controllers": []}}
    shape = kinds[0][1].lower() if len(kinds) == 1 else "workloads"
    return f"{name_for(composition.name, each.rule)}-{shape}", spec


def _objects(engine: Engine, version: str, name: str, spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a policy, and its binding if the engine needs one."""
    yield {"apiVersion": version, "kind": engine.kind, "metadata": {"name": name}, "spec": spec}
    if engine.binding:
        kind = f"{engine.kind}Binding"
        yield {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {"policyName": name}}


def _resource_rules(kinds: list[GroupKind]) -> Iterator[dict[str, Any]]:
    by_rule: dict[tuple[str, bool], list[str]] = {}
    for group, kind in kinds:
        by_rule.setdefault((group, (group, kind) in _ONLY_CREATED), []).append(kind.lower() + "s")
    for (group, created), resources in by_rule.items():
        yield {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": ["CREATE"] if created else ["CREATE", "UPDATE"],
            "resources": resources,
        }


def _conditions(selector: Selector, pod: cel.PodTemplate, composition: Composition) -> Iterator[dict[str, str]]:
    """Yield the match conditions: the selector, exclusions, opt-outs, and objects owned by another matched kind."""
    name = 'object.metadata.?name.orValue(object.metadata.?generateName.orValue(""))'
    namespace = 'object.metadata.?namespace.orValue("")'
    if selector.names:
        yield _condition("names", cel.matches(name, selector.names))
    if selector.namespaces:
        yield _condition("namespaces", cel.matches(namespace, selector.namespaces))
    if composition.exclude_namespaces:
        yield _condition("not-excluded", f"!({cel.matches(namespace, composition.exclude_namespaces)})")
    for number, (key, value) in enumerate(selector.labels.items(), 1):
        yield _condition(f"label-{number}", f"{_value_of(pod, 'labels', key)} == {cel.literal(value)}")
    for number, expression in enumerate(selector.expressions, 1):
        yield _condition(f"expression-{number}", _expression_condition(pod, expression))
    for number, (key, glob) in enumerate(selector.annotations.items(), 1):
        present = f"{_has_key(pod, 'annotations', key)} && "
        yield _condition(f"annotation-{number}", present + cel.matches(_value_of(pod, "annotations", key), [glob]))
    for number, glob in enumerate(selector.containers, 1):
        yield _condition(f"container-{number}", f"{pod.spec}.containers.exists(c, {cel.matches('c.name', [glob])})")
    yield _condition("not-opted-out", f"{_value_of(pod, 'annotations', INJECT)} != {cel.literal(OPT_OUT)}")
    owners = cel.strings(sorted({kind for group, kind in BUILT_IN if group not in _GONE_GROUPS}))
    yield _condition(
        "not-owned",
        f"!object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && o.kind in {owners})",
    )
    yield _condition("usable", f"has({pod.spec}.containers) && size({pod.spec}.containers) > 0")


def _condition(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}


def _value_of(pod: cel.PodTemplate, field: str, key: str) -> str:
    """Return the label or annotation value of the pod template, else of the workload, else an empty string."""
    quoted = cel.literal(key)
    own = f"object.metadata.?{field}[?{quoted}]"
    return f'{pod.optional("metadata", field)}[?{quoted}].or({own}).orValue("")'


def _has_key(pod: cel.PodTemplate, field: str, key: str) -> str:
    quoted = cel.literal(key)
    return f"{pod.optional('metadata', field)}[?{quoted}].or(object.metadata.?{field}[?{quoted}]).hasValue()"


def _expression_condition(pod: cel.PodTemplate, expression: Expression) -> str:
    present = _has_key(pod, "labels", expression.key)
    value_listed = f"{_value_of(pod, 'labels', expression.key)} in {cel.strings(expression.values)}"
    return {
        "In": f"{present} && {value_listed}",
        "NotIn": f"!({present}) || !({value_listed})",
        "Exists": present,
        "DoesNotExist": f"!({present})",
    }[expression.operator]
