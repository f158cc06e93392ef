"""Rules about what a container may do by its role: ordinary init, native sidecar, app, ephemeral."""

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
    fix="Remove it, or make the container a native sidecar with `restartPolicy: Always` (Kubernetes 1.29 and newer).",
)
def probe_on_init_container(container: ContainerView, ctx: Context) -> Problems:
    """An ordinary init container has a probe or a lifecycle hook.

    It runs to its end before the next one starts, so there is nothing to probe: the API server refuses the pod.
    Native sidecars, init containers with `restartPolicy: Always`, may have all of them.
    """
    for field in _PROBES_AND_HOOKS:
        if container.value.get(field) is not None:
            yield problem(container.at(field), f"an ordinary init container can't have a {field}", on_key=True)


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
    """A container outside of initContainers has a restartPolicy of its own.

    Up to Kubernetes 1.33 the API server refuses it, and 1.34 drops it in silence: only init containers can have
    one. Containers of the app may since 1.35.
    """
    if container.value.get("restartPolicy") is not None:
        dropped = ctx.since("1.34")
        what = "drops" if dropped else "refuses"
        severity = Severity.WARNING if dropped else None
        message = f"Kubernetes {ctx.kube_version} {what} the restartPolicy of a container outside of initContainers"
        yield problem(container.at("restartPolicy"), message, severity=severity)


@rule(
    "native-sidecar-disabled",
    Severity.WARNING,
    scope="container",
    roles=("sidecar",),
    since="1.28",
    until="1.28",
    given=Context("1.28"),
    fix="Use Kubernetes 1.29, or a classic sidecar, or switch on the feature gate SidecarContainers.",
)
def native_sidecar_disabled(container: ContainerView, ctx: Context) -> Problems:
    """A native sidecar on Kubernetes 1.28.

    There they are an alpha feature that is off: the API server drops `restartPolicy: Always`, and the pod waits
    forever for the sidecar to end before it starts the app.
    """
    yield problem(container.at("restartPolicy"), "Kubernetes 1.28 drops this unless SidecarContainers is switched on")


@rule(
    "invalid-restart-rules",
    Severity.ERROR,
    needs=("restartPolicyRules",),
    scope="container",
    since="1.35",
    roles=("app", "classic", "init", "sidecar"),
    fix="Give each rule an action and the exitCodes it is about, and the container a restartPolicy.",
)
def invalid_restart_rules(container: ContainerView, ctx: Context) -> Problems:
    """A container's restartPolicyRules are incomplete or not for this container.

    Rules are exceptions to the container's own restartPolicy, each for some exit codes. The API server refuses
    rules without it, more than 20 rules, other actions than it knows, and before 1.36 rules of a native sidecar.
    """
    rules = container.value.get("restartPolicyRules")
    if not rules or not isinstance(rules, list):
        return
    if container.role == "sidecar" and not ctx.since("1.36"):
        yield problem(
            container.at("restartPolicyRules"),
            "a native sidecar can't have restartPolicyRules before Kubernetes 1.36",
            help="Remove them.",
            on_key=True,
        )
        return
    if container.value.get("restartPolicy") is None:
        yield problem(
            container.at("restartPolicyRules"), "restartPolicyRules need a restartPolicy beside them", on_key=True
        )
    if len(rules) > 20:
        yield problem(container.at("restartPolicyRules"), f"there may be 20 rules at most, and there are {len(rules)}")
    actions = ("Restart", "RestartAllContainers") if ctx.since("1.36") else ("Restart",)
    for index, one in listed(container.value, "restartPolicyRules"):
        action, codes = one.get("action"), as_mapping(one.get("exitCodes"))
        where = container.at("restartPolicyRules", index)
        if isinstance(action, str) and action not in actions:
            yield problem((*where, "action"), f"{quote(action)} is no action; known are {', '.join(actions)}")
        if one.get("exitCodes") is None:
            yield problem((*where, "exitCodes"), "the rule does not say for which exit codes it is")
        operator = codes.get("operator")
        if isinstance(operator, str) and operator not in _OPERATORS:
            yield problem((*where, "exitCodes", "operator"), f"{quote(operator)} is no operator; use In or NotIn")
        values = codes.get("values")
        if isinstance(values, list) and len(values) > 255:
            yield problem((*where, "exitCodes", "values"), f"there may be 255 exit codes at most, not {len(values)}")


@rule(
    "ephemeral-containers-in-manifest",
    Severity.ERROR,
    needs=("ephemeralContainers",),
    fix="Remove them; `kubectl debug` adds one to a pod that runs.",
)
def ephemeral_containers_in_manifest(pod: PodView, ctx: Context) -> Problems:
    """A manifest has ephemeral containers.

    They are for looking into a pod that already runs: the API server refuses them in templates and in new pods.
    """
    found = pod.value.get("ephemeralContainers")
    if found and isinstance(found, list):
        message = "ephemeral containers can't stand in a manifest"
        yield problem(pod.at("ephemeralContainers"), message, on_key=True)


@rule(
    "invalid-ephemeral-container-field",
    Severity.ERROR,
    scope="container",
    roles=("ephemeral",),
    fix="Remove it, or use an ordinary container.",
)
def invalid_ephemeral_container_field(container: ContainerView, ctx: Context) -> Problems:
    """An ephemeral container has what only other containers can have.

    Nothing may depend on it, so the API server refuses ports, resources, probes, hooks, restart policies and
    sub-paths of volumes in it, and a target that is no container of the pod.
    """
    for field in _NOT_EPHEMERAL:
        value = container.value.get(field)
        if value is not None and not (field == "resources" and value == {}):
            yield problem(container.at(field), f"an ephemeral container can't have {field}", on_key=True)
    for index, mount in listed(container.value, "volumeMounts"):
        for field in ("subPath", "subPathExpr"):
            if mount.get(field) and isinstance(mount[field], str):
                where = container.at("volumeMounts", index, field)
                yield problem(where, f"an ephemeral container can't mount with a {field}", on_key=True)
    target = container.value.get("targetContainerName")
    if isinstance(target, str) and target:
        if all(one.name != target or one.role == "ephemeral" for one in container.pod.containers):
            yield problem(container.at("targetContainerName"), f"the pod has no container {quote(target)}")
