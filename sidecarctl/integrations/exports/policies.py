"""A composition as admission policies in CEL: MutatingAdmissionPolicy of Kubernetes, MutatingPolicy of Kyverno.

One policy per rule and shape of workload (where the pod template stands), one mutation per sidecar: each sees what the one before
it has made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.composition.annotations import INJECT, OPT_OUT
from sidecarctl.composition.model import CORE, Composition, Expression, Rule, Selector
from sidecarctl.composition.select import Selection
from sidecarctl.errors import UsageError
from sidecarctl.inject.pod_settings import DEFAULT_GRACE_SECONDS
from sidecarctl.integrations.exports import cel
from sidecarctl.integrations.exports.injection import (
    COMPANIONS,
    File,
    Injection,
    RuleInjections,
    head,
    injections,
    stream,
)
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import BUILT_IN, RUN_TO_COMPLETION, GroupKind, Steps
from sidecarctl.kube.names import to_dns_label
from sidecarctl.kube.workload import DEFAULT_CONTAINER_ANNOTATION, RECORD_ANNOTATION

# How many of a pod's containers are looked at for targets: CEL has no index in its loops.
_CONTAINERS = 16
_POD: GroupKind = ("", "Pod")
_ONLY_CREATED = frozenset({_POD, ("batch", "Job")})
_GONE_GROUPS = ("extensions",)


@dataclass(frozen=True)
class Engine:
    """What one of the two engines calls things. `served` is the apiVersion by the oldest Kubernetes minor that serves it."""

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
    "Apply it with kubectl; before Kubernetes 1.36 the feature gate MutatingAdmissionPolicy and its API must be switched on.",
)
KYVERNO = Engine(
    "Kyverno (MutatingPolicy)",
    "MutatingPolicy",
    ((0, "policies.kyverno.io/v1"),),
    False,
    "Apply it with kubectl; it needs Kyverno 1.17 or newer.",
)


def export(engine: Engine, chosen: Selection) -> list[File]:
    """Return the policies of a composition as one stream. Raises UsageError for what they can't say."""
    version = _api_version(engine, chosen.kube_version)
    objects: list[Mapping[str, Any]] = []
    differences = list(_DIFFERENCES)
    companions: dict[str, Mapping[str, Any]] = {}
    earlier: list[Injection] = []
    for each in injections(chosen):
        for steps, kinds in _shapes(each.rule, chosen.composition):
            policy = _policy(engine, version, each, earlier, steps, kinds, chosen.composition, differences)
            if policy is not None:
                objects += policy
        earlier += each.injections
        for injection in each.injections:
            companions |= {f"{d['kind']}/{d['metadata']['name']}": d for d in injection.companions}
    if not objects:
        raise UsageError(
            "this can't be exported: no rule selects a kind that a policy can see", where=chosen.composition.file
        )
    if companions:
        differences.append(
            "Companions are one per namespace, not one per workload, and no policy makes them: "
            f"{', '.join(companions)} (behind it) must be in every namespace where a workload is selected."
        )
    comment = head(engine.title, chosen.composition.name, differences, engine.use)
    files = [File("policy.yaml", stream(comment, objects))]
    return [*files, File(COMPANIONS, stream("", list(companions.values())))] if companions else files


_DIFFERENCES = (
    "No record is written: `status`, `remove` and upgrades in place do not see what a policy added.",
    "A workload that already has a container, volume, variable or mount that a sidecar brings is left without that sidecar; "
    "`render` adopts the volume, keeps what is equal, or ends with an error.",
    "Which policy comes first is the engine's affair: sidecars of different rules may stand in another order.",
    "A changed policy changes a workload when it is next applied, not before.",
    'A workload may opt out by the annotation sidecarctl.dev/inject: "false"; it can\'t ask for sidecars or set parameters.',
    f"Targets are looked for among the first {_CONTAINERS} containers.",
    "In a cluster every object has a namespace: rules that name none see the default one as `default`.",
    "What a workload of another known kind owns (the Pods of a Deployment) is left to its owner.",
    "Nothing is validated: what the API server refuses, it refuses.",
)


def _api_version(engine: Engine, kube_version: str) -> str:
    minor = versions.minor(kube_version)
    for since, version in engine.served:
        if minor >= since:
            return version
    oldest = engine.served[-1][0]
    raise UsageError(
        f"Kubernetes {kube_version} has no {engine.kind}: it came with 1.{oldest}",
        hint="name a newer --kube-version, or export to kyverno",
    )


def _shapes(rule: Rule, composition: Composition) -> Iterator[tuple[Steps, list[GroupKind]]]:
    """The kinds that a rule selects, by where their pod template stands. Kinds that are not built in must be named."""
    shapes: dict[Steps, list[GroupKind]] = {}
    selector = rule.selector
    for (group, kind), steps in composition.kinds.templates.items():
        named = bool(selector.kinds) or bool(selector.groups)
        if group in _GONE_GROUPS or ((group, kind) not in BUILT_IN and not named):
            continue
        if _any(kind, selector.kinds) and _any(group or CORE, selector.groups):
            shapes.setdefault(steps, []).append((group, kind))
    yield from shapes.items()


def _any(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _policy(
    engine: Engine,
    version: str,
    each: RuleInjections,
    earlier: Sequence[Injection],
    steps: Steps,
    kinds: list[GroupKind],
    composition: Composition,
    differences: list[str],
) -> list[Mapping[str, Any]] | None:
    if "*" in steps:
        differences.append(
            f"{', '.join(kind for _, kind in kinds)} has several pod templates: policies leave it alone."
        )
        return None
    classic = [one.name for one in each.injections if one.mode == "classic" and one.containers]
    if classic:
        jobs = [kind for kind in kinds if kind in RUN_TO_COMPLETION]
        kinds = [kind for kind in kinds if kind not in RUN_TO_COMPLETION]
        if jobs:
            differences.append(
                f"{', '.join(kind for _, kind in jobs)} is left alone by {each.rule.label}: the classic sidecar "
                f"{classic[0]} would keep it from finishing, and `render` ends with an error there."
            )
        if not kinds:
            return None
    pod = _Pod(steps)
    name = _name(composition.name, each.rule, kinds)
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": list(_resource_rules(kinds))},
        "matchConditions": list(_conditions(each.rule.selector, pod, composition)),
        "mutations": [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {"expression": _mutation(one, pod, [*earlier, *each.injections[:number]])},
            }
            for number, one in enumerate(each.injections)
        ],
    }
    if engine.binding:
        spec["reinvocationPolicy"] = "Never"
        binding = {
            "apiVersion": version,
            "kind": f"{engine.kind}Binding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        }
        return [{"apiVersion": version, "kind": engine.kind, "metadata": {"name": name}, "spec": spec}, binding]
    # Kyverno would make rules for the Pods of these kinds out of one for Pods; each kind has its own here.
    spec["autogen"] = {"podControllers": {"controllers": []}}
    return [{"apiVersion": version, "kind": engine.kind, "metadata": {"name": name}, "spec": spec}]


def _name(composition: str, rule: Rule, kinds: list[GroupKind]) -> str:
    label = to_dns_label(rule.label.removeprefix("rule ").strip('"').lower()) or "rule"
    shape = kinds[0][1].lower() if len(kinds) == 1 else "workloads"
    return f"{composition}-{label}-{shape}"


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


@dataclass(frozen=True)
class _Pod:
    """Where a pod template's parts stand, in CEL and as a JSON pointer."""

    steps: Steps

    @property
    def spec(self) -> str:
        return ".".join(("object", *self.steps, "spec"))

    def maybe(self, *fields: str) -> str:
        """A field that may be absent, as an optional value."""
        return ".".join(("object", *self.steps)) + "".join(f".?{each}" for each in fields)

    def path(self, *fields: str) -> str:
        return cel.pointer(*self.steps, *fields)


def _conditions(selector: Selector, pod: _Pod, composition: Composition) -> Iterator[dict[str, str]]:
    """The selector, what is excluded, who opted out, and what has an owner that is seen itself."""
    name = 'object.metadata.?name.orValue(object.metadata.?generateName.orValue(""))'
    namespace = 'object.metadata.?namespace.orValue("")'
    if selector.names:
        yield _condition("names", cel.matches(name, selector.names))
    if selector.namespaces:
        yield _condition("namespaces", cel.matches(namespace, selector.namespaces))
    if composition.exclude_namespaces:
        yield _condition("not-excluded", f"!({cel.matches(namespace, composition.exclude_namespaces)})")
    for number, (key, value) in enumerate(selector.labels.items(), 1):
        yield _condition(f"label-{number}", f"{_noted(pod, 'labels', key)} == {cel.literal(value)}")
    for number, expression in enumerate(selector.expressions, 1):
        yield _condition(f"expression-{number}", _expressed(pod, expression))
    for number, (key, glob) in enumerate(selector.annotations.items(), 1):
        there = f"{_there(pod, 'annotations', key)} && "
        yield _condition(f"annotation-{number}", there + cel.matches(_noted(pod, "annotations", key), [glob]))
    for number, glob in enumerate(selector.containers, 1):
        yield _condition(f"container-{number}", f"{pod.spec}.containers.exists(c, {cel.matches('c.name', [glob])})")
    yield _condition("not-opted-out", f"{_noted(pod, 'annotations', INJECT)} != {cel.literal(OPT_OUT)}")
    owners = cel.strings(sorted({kind for group, kind in BUILT_IN if group not in _GONE_GROUPS}))
    yield _condition(
        "not-owned",
        f"!object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && o.kind in {owners})",
    )
    yield _condition("usable", f"has({pod.spec}.containers) && size({pod.spec}.containers) > 0")


def _condition(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}


def _noted(pod: _Pod, field: str, key: str) -> str:
    """A label or annotation of the pods, else of the workload, else the empty text."""
    quoted = cel.literal(key)
    own = f"object.metadata.?{field}[?{quoted}]"
    return f'{pod.maybe("metadata", field)}[?{quoted}].or({own}).orValue("")'


def _there(pod: _Pod, field: str, key: str) -> str:
    quoted = cel.literal(key)
    return f"{pod.maybe('metadata', field)}[?{quoted}].or(object.metadata.?{field}[?{quoted}]).hasValue()"


def _expressed(pod: _Pod, expression: Expression) -> str:
    there = _there(pod, "labels", expression.key)
    among = f"{_noted(pod, 'labels', expression.key)} in {cel.strings(expression.values)}"
    return {
        "In": f"{there} && {among}",
        "NotIn": f"!({there}) || !({among})",
        "Exists": there,
        "DoesNotExist": f"!({there})",
    }[expression.operator]


# ---- mutations ---------------------------------------------------------------------------------------------------


def _mutation(injection: Injection, pod: _Pod, earlier: Sequence[Injection]) -> str:
    """The patches of one sidecar, none where something that it brings is there already."""
    patches = [
        *_metadata(pod, "labels", injection.fragment.labels),
        *_metadata(pod, "annotations", injection.annotations),
        *_wishes(injection, pod),
        *_init(injection, pod, earlier),
        *_listed(pod, "containers", injection.containers),
        *_listed(pod, "volumes", injection.fragment.volumes),
        *_shared(injection, pod, "env", injection.fragment.env),
        *_shared(injection, pod, "volumeMounts", injection.fragment.volume_mounts),
    ]
    return f"{_free(injection, pod)}\n? ({_joined(patches)})\n: []\n"


def _joined(patches: Sequence[str]) -> str:
    return "\n+ ".join(patches) if patches else "[]"


def _add(path: str, value: str) -> str:
    return f'JSONPatch{{op: "add", path: {path}, value: {value}}}'


def _free(injection: Injection, pod: _Pod) -> str:
    """That nothing of what the sidecar brings is there."""
    names = cel.strings(injection.container_names)
    spec, fragment = pod.spec, injection.fragment
    conditions = []
    if injection.container_names:
        conditions += [
            f"!{spec}.containers.exists(c, c.name in {names})",
            f"!{spec}.?initContainers.orValue([]).exists(c, c.name in {names})",
        ]
    if fragment.volumes:
        volumes = cel.strings(str(each["name"]) for each in fragment.volumes)
        conditions.append(f"!{spec}.?volumes.orValue([]).exists(v, v.name in {volumes})")
    ports = sorted(
        {p["containerPort"] for c in fragment.containers for p in c.get("ports", ()) if "containerPort" in p}
    )
    if ports:
        used = f"c.?ports.orValue([]).exists(p, p.containerPort in {cel.literal(ports)})"
        conditions.append(f"!{spec}.containers.exists(c, {used})")
    target = _target(injection, pod, "c")
    for field, key, items in (
        ("volumeMounts", "mountPath", fragment.volume_mounts),
        ("env", "name", fragment.env),
    ):
        if items:
            taken = f"c.?{field}.orValue([]).exists(i, i.{key} in {cel.strings(str(each[key]) for each in items)})"
            conditions.append(f"!{spec}.containers.exists(c, {target} && {taken})")
    for field, wanted in (("labels", fragment.labels), ("annotations", injection.annotations)):
        for key, value in wanted.items():
            found = f"{pod.maybe('metadata', field)}[?{cel.literal(key)}]"
            conditions.append(f"{found}.orValue({cel.literal(value)}) == {cel.literal(value)}")
    conditions.append(f"!({_mentions_record(injection, pod)})")
    return "(" + "\n&& ".join(conditions) + ")"


def _mentions_record(injection: Injection, pod: _Pod) -> str:
    """True for a workload that `render` or `add` gave this instance."""
    record = f"{pod.maybe('metadata', 'annotations')}[?{cel.literal(RECORD_ANNOTATION)}]"
    return f'{record}.orValue("").contains({cel.literal(chr(34) + injection.name + chr(34) + ":{")})'


def _target(injection: Injection, pod: _Pod, variable: str) -> str:
    if injection.request.containers:
        return cel.matches(f"{variable}.name", injection.request.containers)
    if injection.request.sidecar.targets == "all":
        return "true"
    annotation = f"{pod.maybe('metadata', 'annotations')}[?{cel.literal(DEFAULT_CONTAINER_ANNOTATION)}]"
    return f"{variable}.name == {annotation}.orValue({pod.spec}.containers[0].name)"


def _metadata(pod: _Pod, field: str, wanted: Mapping[str, str]) -> Iterator[str]:
    if wanted:
        each = [
            _add(cel.literal(pod.path("metadata", field, key)), cel.literal(value)) for key, value in wanted.items()
        ]
        whole = _add(cel.literal(pod.path("metadata", field)), cel.literal(dict(wanted)))
        neither = _add(cel.literal(pod.path("metadata")), cel.literal({field: dict(wanted)}))
        yield (
            f"({pod.maybe('metadata', field)}.hasValue() ? [{', '.join(each)}]\n"
            f"  : {pod.maybe('metadata')}.hasValue() ? [{whole}] : [{neither}])"
        )


def _wishes(injection: Injection, pod: _Pod) -> Iterator[str]:
    """Pod-level wishes, only where the app says nothing. In a cluster a grace period of 30 may mean that nobody said one."""
    context, grace = injection.fragment.security_context, injection.fragment.termination_grace_period_seconds
    if context:
        whole = _add(cel.literal(pod.path("spec", "securityContext")), cel.literal(dict(context)))
        each = [
            f"({pod.maybe('spec', 'securityContext', key)}.hasValue() ? [] : "
            f"[{_add(cel.literal(pod.path('spec', 'securityContext', key)), cel.literal(value))}])"
            for key, value in context.items()
        ]
        yield f"({pod.maybe('spec', 'securityContext')}.hasValue() ? {' + '.join(each)} : [{whole}])"
    if injection.fragment.share_process_namespace:
        patch = _add(cel.literal(pod.path("spec", "shareProcessNamespace")), cel.literal(True))
        yield f"({pod.maybe('spec', 'shareProcessNamespace')}.hasValue() ? [] : [{patch}])"
    if grace is not None and grace > DEFAULT_GRACE_SECONDS:
        present = f"{pod.maybe('spec', 'terminationGracePeriodSeconds')}.orValue({DEFAULT_GRACE_SECONDS})"
        patch = _add(cel.literal(pod.path("spec", "terminationGracePeriodSeconds")), cel.literal(grace))
        yield f"({present} == {DEFAULT_GRACE_SECONDS} ? [{patch}] : [])"


def _init(injection: Injection, pod: _Pod, earlier: Sequence[Injection]) -> Iterator[str]:
    if not injection.init:
        return
    if not injection.at_start:
        yield from _listed(pod, "initContainers", injection.init)
        return
    before = [name for one in earlier if one.at_start for name in one.container_names if one.init]
    base = f"size({pod.spec}.initContainers.filter(c, c.name in {cel.strings(before)}))" if before else ""
    folder = pod.path("spec", "initContainers") + "/"
    # Before the first of them was added there may be no list: then none of the earlier ones is there either.
    base = f"({pod.maybe('spec', 'initContainers')}.hasValue() ? {base} : 0)" if base else ""
    each = [
        _add(
            f"{cel.literal(folder)} + string({base} + {number})" if base else cel.literal(f"{folder}{number}"),
            _item(item),
        )
        for number, item in enumerate(injection.init)
    ]
    yield _list_made(pod, "initContainers")
    yield _patches(each)


def _listed(pod: _Pod, field: str, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Items that go to the end of a list of the pod."""
    if items:
        path = cel.literal(pod.path("spec", field, "-"))
        if field != "containers":
            yield _list_made(pod, field)
        yield _patches([_add(path, _item(item)) for item in items])


def _list_made(pod: _Pod, field: str) -> str:
    """An empty list where the pod has none."""
    made = _add(cel.literal(pod.path("spec", field)), "[]")
    return f"({pod.maybe('spec', field)}.hasValue() ? [] : [{made}])"


def _patches(each: Sequence[str]) -> str:
    return "[\n" + ",\n".join(each) + "\n]"


def _item(item: Mapping[str, Any]) -> str:
    return cel.literal(dict(item))


def _shared(injection: Injection, pod: _Pod, field: str, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What each target gets: the containers are gone through by their index."""
    if not items:
        return
    container = f"{pod.spec}.containers[i]"
    indices = cel.literal(list(range(_CONTAINERS)))
    targets = f"{indices}.filter(i, i < size({pod.spec}.containers) && {_target(injection, pod, container)})"
    path = f"{cel.literal(pod.path('spec', 'containers') + '/')} + string(i) + "
    made = _add(path + cel.literal(f"/{field}"), "[]")
    yield f"{targets}\n  .filter(i, !has({container}.{field})).map(i, {made})"
    for item in items:
        patch = _add(path + cel.literal(f"/{field}/-"), _item(item))
        yield f"{targets}\n  .map(i, {patch})"
