"""Rules about Roles and their bindings."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.fields import check_selector, entries
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.object_names import check_path_segment
from sidecarctl.validate.views import Data, ObjectView

_GROUP = "rbac.authorization.k8s.io"
_RESOURCE_FIELDS = ("apiGroups", "resources", "resourceNames")


@rule(
    "invalid-role-rule",
    Severity.ERROR,
    scope="object",
    kinds=("Role", "ClusterRole"),
    fix="Set verbs, apiGroups, and resources. In a ClusterRole, use separate rules for nonResourceURLs.",
)
def invalid_role_rule(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid rule of a Role or ClusterRole.

    A rule has verbs, and either API groups and resources, or, in a ClusterRole, URLs. An aggregation rule has selectors.
    The API server rejects other rules.
    """
    if obj.group != _GROUP:
        return
    for index, item in entries(obj.value, "rules"):
        yield from _check_rule(item, obj.at("rules", index), obj.kind)
    aggregation = obj.value.get("aggregationRule")
    if obj.kind == "ClusterRole" and isinstance(aggregation, dict):
        where = obj.at("aggregationRule", "clusterRoleSelectors")
        if aggregation.get("clusterRoleSelectors") in (None, []) and aggregation.keys() <= {"clusterRoleSelectors"}:
            yield problem(where, "missing required field: clusterRoleSelectors")
        for index, selector in entries(aggregation, "clusterRoleSelectors"):
            yield from check_selector(selector, (*where, index))


def _check_rule(item: Data, where: PathTuple, kind: str) -> Problems:
    if item.get("verbs") == []:
        yield problem((*where, "verbs"), "rule has no verbs")
    urls = item.get("nonResourceURLs")
    if urls and isinstance(urls, list):
        both = [field for field in _RESOURCE_FIELDS if item.get(field) not in (None, [])]
        if kind == "Role":
            yield problem((*where, "nonResourceURLs"), "nonResourceURLs are not supported in a Role", on_key=True)
        elif both:
            yield problem((*where, "nonResourceURLs"), f"both nonResourceURLs and {both[0]} are set", on_key=True)
        return
    for field in _RESOURCE_FIELDS[:2]:
        if item.get(field) in (None, []):
            yield problem((*where, field), f"missing required field: {field}")


@rule(
    "invalid-role-binding",
    Severity.ERROR,
    scope="object",
    kinds=("RoleBinding", "ClusterRoleBinding"),
    fix="Name the subjects as they are, and set the namespace of service accounts.",
)
def invalid_role_binding(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid subject or role of a RoleBinding or ClusterRoleBinding.

    A service account has no API group, and in a ClusterRoleBinding it has a namespace. Users and groups have the API
    group rbac.authorization.k8s.io, which is the default. A ClusterRoleBinding refers to a ClusterRole.
    """
    if obj.group != _GROUP:
        return
    role = obj.child("roleRef")
    name = role.text("name")
    if name and (fault := check_path_segment(name, ctx.kube_version)):
        yield problem(role.at("name"), f"invalid role name {quote(name)}: {fault}")
    if obj.kind == "ClusterRoleBinding" and role.get("kind") == "Role":
        yield problem(role.at("kind"), "a ClusterRoleBinding requires a ClusterRole, got a Role")
    for subject in obj.each("subjects"):
        kind, group, own = subject.get("kind"), subject.get("apiGroup") or "", subject.text("name")
        if kind == "ServiceAccount":
            if own and (fault := names.check_dns_subdomain(own)):
                yield problem(subject.at("name"), f"invalid ServiceAccount name {quote(own)}: {fault}")
            if group and isinstance(group, str):
                yield problem(subject.at("apiGroup"), "apiGroup is not supported for a ServiceAccount", on_key=True)
            if obj.kind == "ClusterRoleBinding" and not subject.get("namespace"):
                yield problem(subject.at("namespace"), "ServiceAccount has no namespace")
        elif kind in ("User", "Group") and group not in ("", _GROUP) and isinstance(group, str):
            yield problem(subject.at("apiGroup"), f"invalid apiGroup {quote(group)}: use {_GROUP}")
