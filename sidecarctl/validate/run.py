"""All layers over one document, as plain findings without places. The one entrance for those who compose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube.kinds import BUILT_IN, Kinds
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.validate import structure
from sidecarctl.validate.checks import check_documents
from sidecarctl.validate.registry import Context, Rule, rules
from sidecarctl.validate.schemas import schemas
from sidecarctl.validate.shape import shapes
from sidecarctl.validate.wording import finding

LEVELS = ("strict", "warn", "ignore")
_POD_TEMPLATE = "core.v1.PodTemplateSpec"


def workload_findings(value: object, kube_version: str, level: str, kinds: Kinds) -> list[Finding]:
    """Return what is wrong with the workloads of a document.

    `level` says what an unknown field is, as in kubectl: strict an error, warn a warning, ignore nothing.
    """
    if value is not None and not isinstance(value, dict):
        return structure.check(value, kube_version)
    seen: set[PathTuple] = set()
    out: list[Finding] = []
    for workload in workloads(value, kinds):
        if (workload.group, workload.kind) in BUILT_IN:
            if workload.path not in seen:
                seen.add(workload.path)
                out += _all_named(structure.check(workload.value, kube_version, workload.path), workload)
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
