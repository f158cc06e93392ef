"""Rules about pod termination: Jobs that never complete, sidecars that stop too early, short grace periods."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_DEFAULT_GRACE = 30
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_SLEEP = lazy_pattern(r"(?:^|[\s;&|(\"'/])sleep\s+(\d+(?:\.\d+)?)([smh]?)(?![\w.])")
_WAITS = lazy_pattern(r"\b(?:while|until|wait)\b")
_STOPS = lazy_pattern(
    r"(?:^|[\s;&|(\"'/])(?:kill|pkill|killall|killall5|shutdown|poweroff)\b"
    r"|\bnginx\s+-s\s+(?:quit|stop)\b|\b(?:httpd|apache2ctl|apachectl)\s+.*(?:graceful-)?stop\b"
    r"|/quitquitquit|/-/quit\b|/v1\.0/shutdown|/agent/v1/quit|/graceful_shutdown|/shutdown\b"
    r"|\bsupervisorctl\s+(?:stop|shutdown)\b|\bpg_ctl\b.*\bstop\b|\bcloud-sql-proxy\s+shutdown\b"
)
# Images of servers that commonly run as sidecars and never exit on their own.
_SERVERS = frozenset(
    (
        "fluent-bit", "fluentd", "filebeat", "promtail", "vector", "envoy", "proxyv2", "cloud-sql-proxy",
        "cloudsql-docker", "gce-proxy", "oauth2-proxy", "daprd", "configmap-reload", "consul-dataplane", "k8s-sidecar",
        "nginx-prometheus-exporter", "redis_exporter", "postgres-exporter", "mysqld-exporter", "statsd-exporter",
        "opentelemetry-collector", "opentelemetry-collector-contrib", "aws-otel-collector", "jaeger-agent",
    )
)  # fmt: skip
_ENDS_ITSELF = "Make the container exit when the app has exited, for example by a request to its quit endpoint."
_QUITS = ("quitquitquit", "exit_after_auth", "exit-after-auth", "one-time", "one_time", "enable-lifecycle")


@rule(
    "job-never-completes",
    Severity.ERROR,
    layer="advice",
    fix="Use a native sidecar: an init container with `restartPolicy: Always` (Kubernetes 1.29 or later).",
)
def job_never_completes(pod: PodView, ctx: Context) -> Problems:
    """A sidecar that is a regular container keeps a Job from completing.

    A Job completes when all regular containers have exited, but a sidecar keeps running after the app has exited. The
    kubelet stops native sidecars at that point.

    Containers that sidecarctl did not add are recognized by the images of well-known servers and reported as a warning.
    Containers with their own command, or with a setting that makes them quit, are not reported.
    """
    if not pod.workload.runs_to_completion:
        return
    apps = list(pod.by_role("app", "classic"))
    servers = [one for one in apps if (one.role == "classic" and not _quits(one)) or _never_exits(one)]
    if len(servers) == len(apps):
        return
    shared_processes = pod.value.get("shareProcessNamespace") is True
    help_text = "" if ctx.since("1.29") else _ENDS_ITSELF
    for container in servers:
        if container.role == "classic" or not shared_processes:
            yield problem(
                container.path,
                f"container {quote(container.name)} never exits, so the {pod.object.kind} never completes",
                help=help_text,
                severity=None if container.role == "classic" else Severity.WARNING,
            )


def _never_exits(container: ContainerView) -> bool:
    image = names.parse_image(container.text("image")).name
    if image not in _SERVERS or container.value.get("command"):
        return False
    return not _quits(container)


def _quits(container: ContainerView) -> bool:
    """Return True if a setting makes the container exit on request, or when its work is done."""
    settings = [str(word) for word in as_list(container.value.get("args"))]
    settings += [
        f"{one.get('name')}={one.get('value')}" for one in as_list(container.value.get("env")) if isinstance(one, dict)
    ]
    return any(word in text.lower() for text in settings for word in _QUITS)


@rule(
    "self-stopping-prestop",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=("sidecar",),
    fix="Remove the hook. A native sidecar receives SIGTERM after the app containers have exited.",
)
def self_stopping_prestop(container: ContainerView, ctx: Context) -> Problems:
    """The preStop hook of a native sidecar stops the sidecar.

    When a pod terminates, the preStop hooks of all containers run at the same time. A sidecar that stops itself in its
    hook is gone while the app still serves requests. Without the hook, the kubelet stops the sidecar last.

    Hooks that wait for a condition first are not reported.
    """
    if not container.value.get("lifecycle"):
        return
    hook = container.child("lifecycle", "preStop")
    line = " ".join(str(word) for word in as_list(hook.get("exec", "command")))
    if line and _STOPS.search(line) and not _WAITS.search(line):
        yield problem(hook.at("exec", "command"), "preStop hook stops the sidecar while the app is running")
    path = hook.text("httpGet", "path")
    if path and _STOPS.search(path):
        yield problem(hook.at("httpGet", "path"), "preStop hook stops the sidecar while the app is running")


@rule(
    "grace-too-short",
    Severity.WARNING,
    layer="advice",
    fix="Raise terminationGracePeriodSeconds to cover the hook, the shutdown of the app, and the shutdown of its sidecars.",
)
def grace_too_short(pod: PodView, ctx: Context) -> Problems:
    """A preStop hook takes the whole termination grace period of the pod.

    The grace period starts with the hooks and defaults to 30 seconds. When it ends, the kubelet kills all containers:
    the app before it has finished, and its sidecars before they have delivered their data.
    """
    grace = pod.number("terminationGracePeriodSeconds") if pod.has("terminationGracePeriodSeconds") else _DEFAULT_GRACE
    if grace is None:
        return
    for container in pod.by_role("app", "classic", "sidecar"):
        if not container.value.get("lifecycle"):
            continue
        hook = container.child("lifecycle", "preStop")
        seconds, path = _sleep_seconds(container)
        # The API server rejects a longer `sleep` handler: hook-sleep-too-long reports it.
        too_long = seconds >= grace if hook.has("exec") else seconds == grace
        if seconds and too_long:
            related = (Related("grace period", pod.at("terminationGracePeriodSeconds")),)
            yield problem(
                path,
                f"preStop hook sleeps {seconds:g} seconds (grace period: {grace} seconds)",
                related=related if pod.has("terminationGracePeriodSeconds") else (),
            )


def _sleep_seconds(container: ContainerView) -> tuple[float, PathTuple]:
    """Return how many seconds the preStop hook of a container sleeps, 0 if unknown, and the path of the value."""
    hook = as_mapping(as_mapping(container.value.get("lifecycle")).get("preStop"))
    path = container.at("lifecycle", "preStop")
    seconds = as_mapping(hook.get("sleep")).get("seconds")
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        return seconds, (*path, "sleep", "seconds")
    line = " ".join(str(word) for word in as_list(as_mapping(hook.get("exec")).get("command")))
    if _WAITS.search(line):
        return 0, path
    return sum(float(number) * _SECONDS[unit] for number, unit in _SLEEP.findall(line)), (*path, "exec", "command")
