"""Export a composition as OpenKruise SidecarSets, which add sidecars to Pods by label selector."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sidecarctl.composition.model import Rule
from sidecarctl.composition.select import Selection
from sidecarctl.inject.pod_settings import DEFAULT_GRACE_SECONDS
from sidecarctl.integrations.exports.injection import (
    REFUSED_BY_RENDER,
    ExportFile,
    Injection,
    RuleInjections,
    collect_injections,
    export_error,
    make_distinct,
    name_for,
    render_companions,
    render_header,
    render_stream,
)
from sidecarctl.lazy_dataclass import replace

_API_VERSION = "apps.kruise.io/v1alpha1"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# The key of the allowed annotations in the configuration of OpenKruise.
WHITELIST = "SidecarSet_PatchPodMetadata_WhiteList"
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_GLOB = re.compile(r"[*?\[]")
_DIFFERENCES = (
    "Pods are changed at creation; workloads are not changed.",
    "No record is written: `status`, `remove`, and `upgrade` do not see sidecars that a SidecarSet added.",
    "Selectors match labels of Pods only; `render` also matches labels of the workload.",
    "If a Pod already has a container with the same name, Kruise decides; `render` reports an error.",
    "A Pod cannot opt out or request sidecars by annotation.",
    "Native sidecars are init containers with restartPolicy Always: Kruise adds them after the init containers of the app.",
)
_NOT_UPDATED = (
    "Running Pods with native sidecars are not updated (updateStrategy NotUpdate): restart them after a change."
)


def export(selection: Selection) -> list[ExportFile]:
    """Return the SidecarSets of a composition as one YAML stream. Raise UsageError for what they cannot express."""
    differences = list(_DIFFERENCES)
    objects: list[dict[str, Any]] = []
    companions: dict[str, Mapping[str, Any]] = {}
    for each in collect_injections(selection):
        objects += _build_sidecar_sets(each, selection, differences)
        for injection in each.injections:
            companions |= {f"{d['kind']}/{d['metadata']['name']}": d for d in injection.companions}
    if companions:
        differences.append(
            f"Companions are shared by all Pods of a namespace: {', '.join(companions)} (at the end) must exist in each "
            "namespace with selected Pods."
        )
    names = make_distinct([each["metadata"]["name"] for each in objects])
    objects = [{**each, "metadata": {"name": name}} for name, each in zip(names, objects)]
    use = "Apply it with kubectl. It requires OpenKruise 1.8 or later."
    comment = render_header("OpenKruise (SidecarSet)", selection.composition.name, differences, use)
    comment += _render_whitelist(objects)
    main = ExportFile("sidecarset.yaml", render_stream(comment, objects))
    return [main, *render_companions(selection.composition.name, list(companions.values()))]


def _render_whitelist(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return a comment with the configuration of OpenKruise that allows the annotations, "" if there are none."""
    patches = (patch for one in objects for patch in one["spec"].get("patchPodMetadata", ()))
    keys = sorted({key for patch in patches for key in patch["annotations"]})
    if not keys:
        return ""
    rules = {"rules": [{"allowedAnnotationKeyExprs": [f"^{re.escape(key)}$" for key in keys]}]}
    return (
        "#\n# OpenKruise rejects annotations that its configuration does not allow. In the ConfigMap kruise-configuration of\n"
        f"# the namespace kruise-system, set in data:\n#   {WHITELIST}: '{json.dumps(rules)}'\n"
    )


_JOB_NAME = "batch.kubernetes.io/job-name"


def _build_sidecar_sets(each: RuleInjections, selection: Selection, differences: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the SidecarSets of a rule: one, or one for Pods of Jobs and one for other Pods if they differ."""
    classic = next((one.name for one in each.injections if one.mode == "classic" and one.containers), "")
    blocked = f"the classic sidecar {classic} would prevent completion. {REFUSED_BY_RENDER}"
    reason = blocked if classic else each.jobs_refused
    if not reason and each.of_jobs == each.injections:
        yield _build_sidecar_set(each, selection, differences)
        return
    found = _build_sidecar_set(each, selection, differences)
    yield _select_jobs(found, "DoesNotExist")
    if reason:
        differences.append(f"Pods of Jobs are skipped by {each.rule.label}: {reason}.")
    else:
        jobs = _build_sidecar_set(replace(each, injections=each.of_jobs), selection, differences)
        jobs["metadata"]["name"] += "-jobs"
        yield _select_jobs(jobs, "Exists")


def _select_jobs(found: dict[str, Any], operator: str) -> dict[str, Any]:
    selector = found["spec"]["selector"]
    expressions = [*selector.get("matchExpressions", ()), {"key": _JOB_NAME, "operator": operator}]
    return {**found, "spec": {**found["spec"], "selector": {**selector, "matchExpressions": expressions}}}


def _build_sidecar_set(each: RuleInjections, selection: Selection, differences: list[str]) -> dict[str, Any]:
    rule, composition = each.rule, selection.composition
    _check_rule(rule, each.injections)
    annotations = {k: v for injection in each.injections for k, v in injection.annotations.items()}
    spec: dict[str, Any] = {"selector": _build_selector(rule)}
    namespaces = _namespace_expressions(rule, composition.exclude_namespaces)
    if namespaces:
        spec["namespaceSelector"] = {"matchExpressions": namespaces}
    for injection in each.injections:
        grace = injection.fragment.termination_grace_period_seconds
        if grace is not None and grace > DEFAULT_GRACE_SECONDS:
            differences.append(
                f"terminationGracePeriodSeconds is not changed; {injection.name} needs at least {grace} seconds."
            )
        if injection.at_start and injection.init:
            differences.append(
                f"{injection.name} starts after the init containers of the app, but should start before them."
            )
    parts = {
        "initContainers": [_build_container(one) for i in each.injections for one in i.init],
        "containers": [
            _build_container(one, podInjectPolicy="AfterAppContainer") for i in each.injections for one in i.containers
        ],
        "volumes": [dict(volume) for i in each.injections for volume in i.fragment.volumes],
    }
    spec |= {key: value for key, value in parts.items() if value}
    if any(one.get("restartPolicy") == "Always" for one in parts["initContainers"]):
        # OpenKruise cannot replace init containers of running Pods, and rejects its default RollingUpdate.
        spec["updateStrategy"] = {"type": "NotUpdate"}
        differences.append(_NOT_UPDATED)
    if annotations:
        spec["patchPodMetadata"] = [{"annotations": annotations, "patchPolicy": "Retain"}]
    return {
        "apiVersion": _API_VERSION,
        "kind": "SidecarSet",
        "metadata": {"name": name_for(composition.name, rule)},
        "spec": spec,
    }


def _build_container(container: Mapping[str, Any], **more: str) -> dict[str, Any]:
    """Return a container of a SidecarSet. OpenKruise sets no defaults in startup probes, so all are set here."""
    probes = {key: _with_defaults(container[key]) for key in _PROBES if key in container}
    return {**container, **probes, **more, "shareVolumePolicy": {"type": "disabled"}}


def _with_defaults(probe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a probe with the defaults of the API server."""
    found = {**_PROBE_DEFAULTS, **probe}
    if "httpGet" in probe:
        found["httpGet"] = {"path": "/", "scheme": "HTTP", **probe["httpGet"]}
    return found


def _check_rule(rule: Rule, injections: tuple[Injection, ...]) -> None:
    selector = rule.selector
    fields = {
        "kinds": selector.kinds,
        "groups": selector.groups,
        "names": selector.names,
        "annotations": selector.annotations,
        "containers": selector.containers,
    }
    unsupported = [key for key, value in fields.items() if value]
    if unsupported:
        raise export_error(
            rule.label,
            f"a SidecarSet cannot select by {', '.join(unsupported)}",
            str(rule.place),
            "select by labels, matchExpressions, or namespaces",
        )
    if not selector.labels and not selector.expressions:
        raise export_error(
            rule.label,
            "a SidecarSet requires a label selector",
            str(rule.place),
            "select by a label of the Pods",
        )
    if not any(one.init or one.containers for one in injections):
        names = ", ".join(one.name for one in injections)
        raise export_error(
            rule.label,
            f"a SidecarSet requires a container, and {names} adds none",
            str(rule.place),
            "use --to mutatingadmissionpolicy or --to kyverno",
        )
    for injection in injections:
        fragment = injection.fragment
        unsupported = [
            word
            for word, part in (
                ("volume mounts to app containers", fragment.volume_mounts),
                ("environment variables to app containers", fragment.env),
                ("pod labels", fragment.labels),
                ("a pod securityContext", fragment.security_context),
                ("shareProcessNamespace", fragment.share_process_namespace),
            )
            if part
        ]
        if unsupported:
            raise export_error(
                f'instance "{injection.name}"',
                f"a SidecarSet cannot add {', '.join(unsupported)}",
                injection.request.where,
                "use --to mutatingadmissionpolicy or --to kyverno",
            )


def _build_selector(rule: Rule) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if rule.selector.labels:
        out["matchLabels"] = dict(rule.selector.labels)
    if rule.selector.expressions:
        out["matchExpressions"] = [
            {"key": e.key, "operator": e.operator, **({"values": list(e.values)} if e.values else {})}
            for e in rule.selector.expressions
        ]
    return out


def _namespace_expressions(rule: Rule, excluded: tuple[str, ...]) -> list[dict[str, Any]]:
    return list(_expressions(rule, ("In", rule.selector.namespaces), ("NotIn", excluded)))


def _expressions(rule: Rule, *operators: tuple[str, tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    for operator, names in operators:
        globs = [name for name in names if _GLOB.search(name)]
        if globs:
            raise export_error(
                rule.label,
                f"a SidecarSet does not support wildcards in namespaces ({', '.join(globs)})",
                str(rule.place),
                "list each namespace by name",
            )
        if names:
            yield {"key": _NAMESPACE_LABEL, "operator": operator, "values": list(names)}
