"""Rules about fields that depend on the role of a container, and about its restart and resize policies."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_PROBES_AND_HOOKS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = ("ports", "resources", *_PROBES_AND_HOOKS, "resizePolicy", "restartPolicy", "restartPolicyRules")
_OPERATORS = frozenset(("In", "NotIn"))


@rule(
    "probe-on-init-container",
    Severity.ERROR,
    needs=("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"),
    scope="container",
    roles=("init",),
    fix="Remove it, or make the container a native sidecar with `restartPolicy: Always` (Kubernetes 1.29 or later).",
)
def probe_on_init_container(container: ContainerView, ctx: Context) -> Problems:
    """An init container has a probe or a lifecycle hook.

    An init container runs to completion before the next one starts, so there is nothing to probe, and the API server
    rejects the pod. Native sidecars (init containers with `restartPolicy: Always`) can have probes and hooks.
    """
    for field in _PROBES_AND_HOOKS:
        if container.value.get(field) is not None:
            yield problem(container.at(field), f"{field} is not supported on init containers", on_key=True)


@rule(
    "restart-policy-on-app-container",
    Severity.ERROR,
    needs=("restartPolicy",),
    scope="container",
    roles=("app", "classic"),
    since="1.28",
    until="1.34",
    given=Context("1.33"),
    fix="Move the container to initContainers to make it a native sidecar, or remove its restartPolicy.",
)
def restart_policy_on_app_container(container: ContainerView, ctx: Context) -> Problems:
    """An app container has a restartPolicy of its own.

    Before Kubernetes 1.35 only init containers can have one. The API server rejects the pod up to 1.33, and silently
    drops the field in 1.34.
    """
    if container.value.get("restartPolicy") is not None:
        dropped = ctx.since("1.34")
        what = "drops" if dropped else "refuses"
        severity = Severity.WARNING if dropped else None
        message = f"Kubernetes {ctx.kube_version} {what} restartPolicy on app containers"
        yield problem(container.at("restartPolicy"), message, severity=severity)


@rule(
    "native-sidecar-disabled",
    Severity.WARNING,
    scope="container",
    roles=("sidecar",),
    since="1.28",
    until="1.28",
    given=Context("1.28"),
    fix="Use Kubernetes 1.29, use a classic sidecar, or enable the feature gate SidecarContainers.",
)
def native_sidecar_disabled(container: ContainerView, ctx: Context) -> Problems:
    """Native sidecars require a feature gate in Kubernetes 1.28.

    Native sidecars are an alpha feature in 1.28 and disabled by default. The API server drops `restartPolicy: Always`,
    and the app never starts because the pod waits for the sidecar to end.
    """
    yield problem(
        container.at("restartPolicy"),
        "Kubernetes 1.28 drops restartPolicy on init containers unless SidecarContainers is enabled",
    )


@rule(
    "invalid-restart-rules",
    Severity.ERROR,
    needs=("restartPolicyRules",),
    scope="container",
    since="1.35",
    roles=("app", "classic", "init", "sidecar"),
    fix="Set action and exitCodes on each rule, and restartPolicy on the container.",
)
def invalid_restart_rules(container: ContainerView, ctx: Context) -> Problems:
    """Invalid restartPolicyRules of a container.

    Each rule is an exception to the container's restartPolicy for some exit codes. The API server rejects rules without
    a restartPolicy, more than 20 rules, unknown actions, and, before Kubernetes 1.36, rules on a native sidecar.
    """
    rules = container.value.get("restartPolicyRules")
    if not rules or not isinstance(rules, list):
        return
    if container.role == "sidecar" and not ctx.since("1.36"):
        yield problem(
            container.at("restartPolicyRules"),
            "restartPolicyRules is not supported on native sidecars before Kubernetes 1.36",
            help="Remove restartPolicyRules.",
            on_key=True,
        )
        return
    if container.value.get("restartPolicy") is None:
        yield problem(container.at("restartPolicyRules"), "restartPolicyRules requires restartPolicy", on_key=True)
    if len(rules) > 20:
        yield problem(container.at("restartPolicyRules"), f"too many restartPolicyRules: {len(rules)} (limit: 20)")
    actions = ("Restart", "RestartAllContainers") if ctx.since("1.36") else ("Restart",)
    for index, item in listed(container.value, "restartPolicyRules"):
        action, codes = item.get("action"), as_mapping(item.get("exitCodes"))
        where = container.at("restartPolicyRules", index)
        if isinstance(action, str) and action not in actions:
            yield problem((*where, "action"), f"unknown action {quote(action)}, expected one of {', '.join(actions)}")
        if item.get("exitCodes") is None:
            yield problem((*where, "exitCodes"), "missing required field: exitCodes")
        operator = codes.get("operator")
        if isinstance(operator, str) and operator not in _OPERATORS:
            yield problem(
                (*where, "exitCodes", "operator"), f"unknown operator {quote(operator)}, expected In or NotIn"
            )
        values = codes.get("values")
        if isinstance(values, list) and len(values) > 255:
            yield problem((*where, "exitCodes", "values"), f"too many exit codes: {len(values)} (limit: 255)")


@rule(
    "invalid-resize-policy",
    Severity.ERROR,
    needs=("resizePolicy",),
    scope="container",
    since="1.33",
    roles=("app", "classic", "init", "sidecar"),
    fix="Name each resource once, and use NotRequired for containers that never restart.",
)
def invalid_resize_policy(container: ContainerView, ctx: Context) -> Problems:
    """Conflicting resizePolicy of a container.

    The API server rejects a resource that is named twice, and RestartContainer for containers that never restart: in
    pods with `restartPolicy: Never`, and since Kubernetes 1.36 in init containers.
    """
    policies = listed(container.value, "resizePolicy")
    if not policies:
        return
    never = container.pod.value.get("restartPolicy") == "Never"
    ordinary = container.role == "init" and ctx.since("1.36")
    seen = set()
    for index, policy in policies:
        where = container.at("resizePolicy", index)
        name = policy.get("resourceName")
        if isinstance(name, str) and name in seen:
            yield problem(where, f"duplicate resizePolicy for {name}")
        elif isinstance(name, str):
            seen.add(name)
        if policy.get("restartPolicy") == "":
            yield problem((*where, "restartPolicy"), "missing required field: restartPolicy")
        elif policy.get("restartPolicy") == "RestartContainer" and (never or ordinary):
            whose = "containers of a pod with restartPolicy: Never" if never else "init containers"
            yield problem((*where, "restartPolicy"), f"RestartContainer is not supported on {whose}")


@rule(
    "ephemeral-containers-in-manifest",
    Severity.ERROR,
    needs=("ephemeralContainers",),
    fix="Remove them. Use `kubectl debug` to add one to a running pod.",
)
def ephemeral_containers_in_manifest(pod: PodView, ctx: Context) -> Problems:
    """A manifest has ephemeral containers.

    Ephemeral containers are for debugging a running pod. The API server rejects them in templates and in new pods.
    """
    found = pod.value.get("ephemeralContainers")
    if found and isinstance(found, list):
        message = "ephemeralContainers is not supported in manifests"
        yield problem(pod.at("ephemeralContainers"), message, on_key=True)


@rule(
    "invalid-ephemeral-container-field",
    Severity.ERROR,
    scope="container",
    roles=("ephemeral",),
    fix="Remove the field, or use a regular container.",
)
def invalid_ephemeral_container_field(container: ContainerView, ctx: Context) -> Problems:
    """An ephemeral container has a field that only other containers support.

    The API server rejects ports, resources, probes, hooks, restart policies, and subPath mounts on ephemeral
    containers, and a targetContainerName that the pod does not have.
    """
    for field in _NOT_EPHEMERAL:
        value = container.value.get(field)
        if value is not None and not (field == "resources" and value == {}):
            yield problem(container.at(field), f"{field} is not supported on ephemeral containers", on_key=True)
    for index, mount in listed(container.value, "volumeMounts"):
        for field in ("subPath", "subPathExpr"):
            if mount.get(field) and isinstance(mount[field], str):
                where = container.at("volumeMounts", index, field)
                yield problem(where, f"{field} is not supported on ephemeral containers", on_key=True)
    target = container.value.get("targetContainerName")
    if isinstance(target, str) and target:
        if all(item.name != target or item.role == "ephemeral" for item in container.pod.containers):
            yield problem(container.at("targetContainerName"), f"unknown container {quote(target)}")
