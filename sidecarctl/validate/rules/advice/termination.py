"""Rules about how pods end: Jobs that never do, sidecars that stop too early, time that does not suffice."""

from __future__ import annotations

import re

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_DEFAULT_GRACE = 30
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_SLEEP = re.compile(r"(?:^|[\s;&|(\"'/])sleep\s+(\d+(?:\.\d+)?)([smh]?)(?![\w.])")
_WAITS = re.compile(r"\b(?:while|until|wait)\b")
_STOPS = re.compile(
    r"(?:^|[\s;&|(\"'/])(?:kill|pkill|killall|killall5|shutdown|poweroff)\b"
    r"|\bnginx\s+-s\s+(?:quit|stop)\b|\b(?:httpd|apache2ctl|apachectl)\s+.*(?:graceful-)?stop\b"
    r"|/quitquitquit|/-/quit\b|/v1\.0/shutdown|/agent/v1/quit|/graceful_shutdown|/shutdown\b"
    r"|\bsupervisorctl\s+(?:stop|shutdown)\b|\bpg_ctl\b.*\bstop\b|\bcloud-sql-proxy\s+shutdown\b"
)
# Servers that people run beside an app: they never end by themselves.
_SERVERS = frozenset(
    (
        "fluent-bit", "fluentd", "filebeat", "promtail", "vector", "envoy", "proxyv2", "cloud-sql-proxy",
        "cloudsql-docker", "gce-proxy", "oauth2-proxy", "daprd", "configmap-reload", "consul-dataplane", "k8s-sidecar",
        "nginx-prometheus-exporter", "redis_exporter", "postgres-exporter", "mysqld-exporter", "statsd-exporter",
        "opentelemetry-collector", "opentelemetry-collector-contrib", "aws-otel-collector", "jaeger-agent",
    )
)  # fmt: skip
_QUITS = ("quitquitquit", "exit_after_auth", "exit-after-auth", "one-time", "one_time", "enable-lifecycle")


@rule(
    "job-never-completes",
    Severity.ERROR,
    layer="advice",
    fix="Make it a native sidecar: an init container with `restartPolicy: Always` (Kubernetes 1.29 and newer).",
)
def job_never_completes(pod: PodView, ctx: Context) -> Problems:
    """A sidecar among the containers keeps a Job from finishing.

    A Job waits for all its containers; a sidecar runs on after the app has ended. Native sidecars are stopped then.

    Containers that sidecarctl did not add are recognized by images of well-known servers, which is a warning; those
    with a command of their own, or told how to quit, are left alone.
    """
    if not pod.workload.runs_to_completion:
        return
    apps = list(pod.by_role("app", "classic"))
    servers = [one for one in apps if one.role == "classic" or _serves_on(one)]
    if len(servers) == len(apps):
        return
    shared_processes = pod.value.get("shareProcessNamespace") is True
    for container in servers:
        if container.role == "classic" or not shared_processes:
            yield problem(
                container.path,
                f"{quote(container.name)} runs on after the app has ended, so the {pod.object.kind} never finishes",
                severity=None if container.role == "classic" else Severity.WARNING,
            )


def _serves_on(container: ContainerView) -> bool:
    image = names.parse_image(container.text("image")).name
    if image not in _SERVERS or container.value.get("command"):
        return False
    told = [str(word) for word in as_list(container.value.get("args"))]
    told += [
        f"{one.get('name')}={one.get('value')}" for one in as_list(container.value.get("env")) if isinstance(one, dict)
    ]
    return not any(word in text.lower() for text in told for word in _QUITS)


@rule(
    "self-stopping-prestop",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=("sidecar",),
    fix="Remove the hook: a native sidecar gets its SIGTERM after the app has ended.",
)
def self_stopping_prestop(container: ContainerView, ctx: Context) -> Problems:
    """A native sidecar's preStop hook stops it.

    All hooks of a pod run at once when it is to end, those of sidecars too. A sidecar that stops itself there is gone
    while the app still serves; without the hook it is stopped last.

    Hooks that wait for something first are left alone.
    """
    if not container.value.get("lifecycle"):
        return
    hook = container.child("lifecycle", "preStop")
    line = " ".join(str(word) for word in as_list(hook.get("exec", "command")))
    if line and _STOPS.search(line) and not _WAITS.search(line):
        yield problem(hook.at("exec", "command"), "the hook stops the sidecar while the app still runs")
    path = hook.text("httpGet", "path")
    if path and _STOPS.search(path):
        yield problem(hook.at("httpGet", "path"), "the hook stops the sidecar while the app still runs")


@rule(
    "grace-too-short",
    Severity.WARNING,
    layer="advice",
    fix="Raise terminationGracePeriodSeconds: it has to hold the hook, the app's own end and then that of its sidecars.",
)
def grace_too_short(pod: PodView, ctx: Context) -> Problems:
    """A pod has no more time to end than a preStop hook waits, or less than a sidecar needs.

    The time runs from the beginning of the hooks. When it is over all containers are killed: the app in the middle of
    its work, and its sidecars, which end after it, with what they have not delivered yet. 30 seconds unless set.
    """
    grace = pod.number("terminationGracePeriodSeconds") if pod.has("terminationGracePeriodSeconds") else _DEFAULT_GRACE
    if grace is None:
        return
    for container in pod.by_role("app", "classic", "sidecar"):
        if not container.value.get("lifecycle"):
            continue
        hook = container.child("lifecycle", "preStop")
        waits, path = _waits(container)
        # Of a `sleep` handler that is longer the server speaks itself: another rule's.
        too_long = waits >= grace if hook.has("exec") else waits == grace
        if waits and too_long:
            related = (Related("the pod's time", pod.at("terminationGracePeriodSeconds")),)
            yield problem(
                path,
                f"the hook waits {waits:g} seconds, and the pod has {grace} to end",
                related=related if pod.has("terminationGracePeriodSeconds") else (),
            )


def _waits(container: ContainerView) -> tuple[float, PathTuple]:
    """Return how many seconds a container's preStop hook sleeps, as far as it can be read, and where it says so."""
    hook = as_mapping(as_mapping(container.value.get("lifecycle")).get("preStop"))
    path = container.at("lifecycle", "preStop")
    seconds = as_mapping(hook.get("sleep")).get("seconds")
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        return seconds, (*path, "sleep", "seconds")
    line = " ".join(str(word) for word in as_list(as_mapping(hook.get("exec")).get("command")))
    if _WAITS.search(line):
        return 0, path
    return sum(float(number) * _SECONDS[unit] for number, unit in _SLEEP.findall(line)), (*path, "exec", "command")
