"""Which program of the machine stands for which image, and what else a test must know about the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Image:
    """An image: its programs, entrypoint, user, and environment.

    `programs` are the paths in the image and the names of the programs on this machine, `trees` those of directories in
    .tools. `base` is what else is in it: "scratch" has no shell, "busybox" has the shell and tools of busybox, and
    "debian" has those of this machine.
    """

    programs: Mapping[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...] = ()
    base: str = "scratch"
    user: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    trees: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    workdir: str = "/"
    stop_signal: str = "SIGTERM"


def _single(path: str, program: str, **more: object) -> Image:
    return Image({path: program}, (path,), **more)  # type: ignore[arg-type]


_HAPROXY = Image(
    {"/usr/local/sbin/haproxy": "haproxy"},
    # What docker-entrypoint.sh makes of arguments that begin with a dash.
    ("/usr/local/sbin/haproxy", "-W", "-db"),
    base="debian",
    user=99,
    stop_signal="SIGUSR1",
)

_FLUENTD = Image(
    {},
    ("tini", "--", "/bin/entrypoint.sh"),
    cmd=("fluentd",),
    base="debian",
    user=999,
    files={
        # As the entrypoint of the image, add the configuration and the directory of plugins.
        "/bin/entrypoint.sh": '#!/bin/sh\n[ "$1" != fluentd ] || set -- "$@" --plugin /fluentd/plugins\nexec "$@"\n',
        "/usr/local/bin/fluentd": '#!/bin/sh\nexec ruby /opt/fluentd/bin/fluentd "$@"\n',
    },
    trees={"/opt/fluentd": "fluentd"},
    env={"RUBYLIB": "/opt/fluentd/lib", "RUBYOPT": "-rshim"},
)

_CURL = Image({}, ("/entrypoint.sh",), cmd=("curl",), base="debian", user=100)

IMAGES = {
    "busybox": Image({}, (), cmd=("sh",), base="busybox"),
    "cr.fluentbit.io/fluent/fluent-bit": _single("/fluent-bit/bin/fluent-bit", "fluent-bit"),
    "curlimages/curl": _CURL,
    "envoyproxy/envoy": _single("/usr/local/bin/envoy", "envoy", user=65532),
    "fluent/fluentd": _FLUENTD,
    "haproxy": _HAPROXY,
    "nginxinc/nginx-unprivileged": Image(
        {"/usr/sbin/nginx": "nginx"},
        ("/docker-entrypoint.sh",),
        cmd=("nginx", "-g", "daemon off;"),
        base="debian",
        user=101,
        files={"/etc/nginx/mime.types": "types { text/html html; }\n"},
        stop_signal="SIGQUIT",
    ),
    "quay.io/oauth2-proxy/oauth2-proxy": _single("/bin/oauth2-proxy", "oauth2-proxy", user=65532),
    "gcr.io/cloud-sql-connectors/cloud-sql-proxy": _single("/cloud-sql-proxy", "cloud-sql-proxy", user=65532),
    "otel/opentelemetry-collector-k8s": _single("/otelcol-k8s", "otelcol", user=10001),
    "nginx/nginx-prometheus-exporter": _single("/usr/bin/nginx-prometheus-exporter", "nginx-prometheus-exporter"),
    "oliver006/redis_exporter": _single("/redis_exporter", "redis_exporter", user=59000),
    "prom/statsd-exporter": _single("/bin/statsd_exporter", "statsd_exporter", base="busybox", user=65534),
    "quay.io/prometheuscommunity/postgres-exporter": _single(
        "/bin/postgres_exporter", "postgres_exporter", base="busybox", user=65534
    ),
    "prom/mysqld-exporter": _single("/bin/mysqld_exporter", "mysqld_exporter", base="busybox", user=65534),
    "percona/mongodb_exporter": _single("/mongodb_exporter", "mongodb_exporter", user=65535),
    "prom/blackbox-exporter": _single("/bin/blackbox_exporter", "blackbox_exporter", base="busybox"),
    "quay.io/kiwigrid/k8s-sidecar": Image(
        {},
        ("python3", "-u", "-m", "sidecar"),
        base="debian",
        user=65534,
        env={"PYTHONPATH": "/app", "PYTHONDONTWRITEBYTECODE": "1"},
        trees={"/app": "k8s-sidecar"},
        workdir="/app",
    ),
    "quay.io/prometheus-operator/prometheus-config-reloader": _single(
        "/bin/prometheus-config-reloader", "prometheus-config-reloader", base="busybox", user=65534
    ),
    "registry.k8s.io/git-sync/git-sync": _single(
        "/git-sync",
        "git-sync",
        base="debian",
        user=65533,
        env={"HOME": "/tmp", "GITSYNC_ROOT": "/git"},
        files={"/etc/passwd": "git-sync:x:65533:65533::/tmp:/sbin/nologin\n"},
        folders=("/git",),
        workdir="/tmp",
    ),
    "smallstep/step-cli": Image(
        {"/usr/local/bin/step": "step"}, ("/usr/local/bin/step",), base="debian", user=1000, workdir="/home/step"
    ),
    # OpenBao is the open source fork of Vault, with the same agent, options, and configuration files.
    "hashicorp/vault": Image(
        {"/bin/vault": "bao"},
        ("docker-entrypoint.sh",),
        cmd=("server", "-dev"),
        base="busybox",
        folders=("/home/vault",),
    ),
}
"""By the image without its tag."""
