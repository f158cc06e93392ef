"""`list --for` suggests shipped sidecars for workloads that they fit, with commands that work, and no others."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.authoring import fits
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.sidecar import Fit
from sidecarctl.errors import LibraryError
from sidecarctl.kube.workload import Container, workloads
from sidecarctl.lazy_dataclass import replace
from sidecarctl.yamltext.stream import split
from tests.calls import count_calls
from tests.command import run

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {{labels: {{app: app}}, annotations: {annotations}}}
    spec:
      volumes: [{{name: data, emptyDir: {{}}}}, {{name: config, configMap: {{name: config}}}}]
      initContainers: {init}
      containers:
      - {container}
      - {{name: other, image: registry.example/other:1.0.0}}
"""


def write(directory: Path, container: dict[str, Any], *, init: Any = (), annotations: Any = None) -> None:
    container = {"name": "main", "image": "registry.example/app:1.0.0", **container}
    text = POD.format(
        annotations=json.dumps(annotations or {}), init=json.dumps(list(init)), container=json.dumps(container)
    )
    (directory / "app.yaml").write_text(text)


def offers(directory: Path) -> list[dict[str, Any]]:
    done = run("sidecarctl list --for app.yaml --format json", directory)
    assert done.code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


FITTING: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("metrics", {"image": "docker.io/library/redis:8.2"}, {}),
    ("metrics", {"image": "bitnami/postgresql@sha256:" + "0" * 64}, {}),
    ("metrics", {"image": "mariadb"}, {}),
    ("metrics", {"image": "mongo:8"}, {}),
    ("metrics", {"image": "nginxinc/nginx-unprivileged:1.30", "ports": [{"containerPort": 8080}]}, {}),
    ("auto-instrumentation", {"image": "eclipse-temurin:25-jre"}, {}),
    ("auto-instrumentation", {"command": ["/opt/java/bin/java", "-jar", "app.jar"]}, {}),
    ("auto-instrumentation", {"command": ["sh", "-c", "sleep 1; exec python3 app.py"]}, {}),
    ("auto-instrumentation", {"image": "node:24-slim"}, {}),
    ("auto-instrumentation", {"image": "mcr.microsoft.com/dotnet/aspnet:10.0"}, {}),
    ("logger", {"volumeMounts": [{"name": "data", "mountPath": "/var/log/app"}]}, {}),
    ("git-sync", {}, {"init": [{"name": "clone", "image": "alpine/git:2", "args": ["clone", "x"]}]}),
    ("git-sync", {}, {"init": [{"name": "c", "image": "x:1", "command": ["sh", "-c", "git clone https://x /y"]}]}),
    ("cloud-sql-proxy", {"env": [{"name": "INSTANCE_CONNECTION_NAME", "value": "a:b:c"}]}, {}),
    ("oauth2-proxy", {"image": "prom/prometheus:v3", "ports": [{"containerPort": 9090}]}, {}),
    ("config-sync", {"image": "grafana/grafana:12.0.0"}, {}),
    ("dapr", {"env": [{"name": "DAPR_HTTP_PORT", "value": "3500"}]}, {}),
    ("otel-collector", {"env": [{"name": "OTEL_TRACES_EXPORTER", "value": "otlp"}]}, {}),
]


@pytest.mark.parametrize(("sidecar", "container", "pod"), FITTING)
def test_fitting_sidecar_is_suggested_with_a_command_that_works(
    sidecar: str, container: dict[str, Any], pod: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path, container, **pod)
    (offer,) = offers(tmp_path)
    assert offer["sidecar"] == sidecar
    assert "{" not in offer["reason"]
    words = shlex.split(offer["command"])
    added = run(words, tmp_path)
    assert added.code == 0, added.stderr
    assert f'"{sidecar}":{{' in added.stdout
    text = run("sidecarctl list --for app.yaml", tmp_path).stdout
    assert f"    {offer['command']}\n" in text and "1 suggestion for 1 of 1 workload" in text


def test_every_shipped_entry_of_fits_is_covered() -> None:
    fitting = {one.name for one in open_catalog([], {}).entries() if one.sidecar and one.sidecar.fits}
    assert fitting == {sidecar for sidecar, _, _ in FITTING}


@pytest.mark.parametrize(
    ("container", "pod"),
    [
        ({}, {}),
        ({"image": "registry.example/redis-commander:1"}, {}),
        ({"image": "oliver006/redis_exporter:v1"}, {}),
        ({"image": "redis:8"}, {"annotations": {"prometheus.io/scrape": "true"}}),
        ({"image": "redis:8"}, {"init": [{"name": "x", "image": "redis_exporter:1", "restartPolicy": "Always"}]}),
        ({"volumeMounts": [{"name": "config", "mountPath": "/var/log/app"}]}, {}),
        ({"volumeMounts": [{"name": "data", "mountPath": "/var/log/app", "readOnly": True}]}, {}),
        ({"volumeMounts": [{"name": "data", "mountPath": "/var/lib/app"}]}, {}),
        ({"image": "node:24", "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://x:4318"}]}, {}),
        ({"command": ["javac", "x"]}, {}),
        ({"image": "eclipse-temurin:25", "env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]}, {}),
        ({"env": [{"name": "DAPR_HTTP_PORT", "value": "1"}]}, {"annotations": {"dapr.io/enabled": "true"}}),
        ({"image": "alpine/git", "command": ["git", "clone"]}, {}),
    ],
)
def test_what_does_not_fit_is_not_suggested(container: dict[str, Any], pod: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, container, **pod)
    assert offers(tmp_path) == []
    done = run("sidecarctl list --for app.yaml", tmp_path)
    assert (done.code, "no suggestions for 1 workload" in done.stdout) == (0, True)


def test_log_directory_that_another_container_reads_is_left_alone(tmp_path: Path) -> None:
    mount = {"name": "data", "mountPath": "/var/log/app"}
    write(tmp_path, {"volumeMounts": [mount]}, init=[{"name": "reader", "image": "x:1", "volumeMounts": [mount]}])
    assert offers(tmp_path) == []


def test_sidecar_that_is_there_is_not_suggested_again(tmp_path: Path) -> None:
    write(tmp_path, {"image": "redis:8"})
    (offer,) = offers(tmp_path)
    (tmp_path / "app.yaml").write_text(run(shlex.split(offer["command"]), tmp_path).stdout)
    assert offers(tmp_path) == []


def test_command_names_the_workload_among_several(tmp_path: Path) -> None:
    write(tmp_path, {"image": "redis:8"})
    two = (tmp_path / "app.yaml").read_text()
    (tmp_path / "app.yaml").write_text(two + "---\n" + two.replace("name: app,", "name: second,"))
    first, second = (one["command"] for one in offers(tmp_path))
    assert "--kind Deployment --name app -n shop --container main" in first
    added = run(shlex.split(second), tmp_path).stdout
    assert added.startswith(two) and added.count("sidecarctl.dev/sidecars") == 1


def test_input_without_workloads_and_unreadable_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    assert run("sidecarctl list --for config.yaml", tmp_path).code == 2
    assert run("sidecarctl list --for missing.yaml", tmp_path).code in (2, 3)
    assert "cannot be combined" in run("sidecarctl list redis --for config.yaml", tmp_path).stderr


def test_manifest_text_cannot_send_control_sequences_through_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path, {"name": "a\x1b[2J", "image": "redis:8"})
    done = run("sidecarctl list --for app.yaml", tmp_path)
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("log-tail", "log-tail"),
        ("tls proxy", "proxy"),
        ("LOKI", "logger"),
        ("login", "oauth2-proxy"),
        ("skip-auth", "oauth2"),
    ],
)
def test_search_finds_names_keywords_summaries_and_parameters(words: str, first: str, tmp_path: Path) -> None:
    done = run(f"sidecarctl list {words}", tmp_path)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith(first)


def test_search_without_a_match_names_what_was_meant(tmp_path: Path) -> None:
    done = run("sidecarctl list promtheus", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert 'no sidecar matches "promtheus"' in done.stderr and 'did you mean "prometheus"?' in done.stderr
    assert "lists all sidecars" in run("sidecarctl list qqqq", tmp_path).stderr


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a", "a"),
        ("a:1", "a"),
        ("r:5000/a", "r:5000/a"),
        ("r:5000/a:1@sha256:0", "r:5000/a"),
        ("a@sha256:0", "a"),
        ("@@\nx", ""),
    ],
)
def test_repository_of_an_image(image: str, name: str) -> None:
    assert fits._image(Container("app", "main", {"image": image}, ())) == name


def test_image_with_a_line_break_takes_linear_time(tmp_path: Path) -> None:
    write(tmp_path, {"image": "@" * 100_000 + "\nx", "command": ["sh", "-c", "a=1 " * 200_000 + "/bin/run it"]})
    assert offers(tmp_path) == []


def test_program_after_interpreters_and_variables() -> None:
    assert fits._without_interpreters("exec env A=1 /bin/run it") == "run it"
    assert fits._without_interpreters("exec A=1") == ""


def test_reason_is_shortened() -> None:
    text = POD.format(annotations="{}", init="[]", container="{name: main, image: x}")
    (document,) = split(text.replace("name: main", f"name: {'m' * 5_000}"))
    (workload,) = workloads(document.value)
    sidecar = open_catalog([], {}).find("logger")
    for reason in ("r" * 5_000, "{container}" * 100):
        suited = replace(sidecar, fits=(Fit(reason=reason, images=["x"]),))
        (found,) = fits.suggest(workload, [suited])
        assert len(found.reason) == 1_001
        assert found.reason.endswith("…")


def test_conditions_that_take_long_to_compare_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    env = "".join(f"{{name: B{number}}}, " for number in range(5_000))
    text = POD.format(annotations="{}", init="[]", container=f"{{name: main, image: x, env: [{env}]}}")
    (document,) = split(text)
    (workload,) = workloads(document.value)
    many = Fit(reason="r", env=[f"A{number}" for number in range(5_000)])
    with pytest.raises(LibraryError, match="comparing `fits` with Deployment/shop/app takes more than 1 s"):
        fits.suggest(workload, [replace(open_catalog([], {}).find("logger"), fits=(many,))])


def test_workload_of_a_list_is_tried_without_the_others(tmp_path: Path) -> None:
    """Each try added the sidecar to the whole List, so that 500 Pods took minutes."""
    pods = "".join(
        f"- apiVersion: v1\n  kind: Pod\n  metadata: {{name: web-{number}}}\n"
        "  spec: {containers: [{name: web, image: 'nginx:1.27'}]}\n"
        for number in range(200)
    )
    (tmp_path / "web.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{pods}")
    outcome = run("sidecarctl list --for web.yaml --format json", tmp_path, env={"SIDECARCTL_MAX_STEP_SECONDS": "25"})
    assert outcome.code == 0, outcome.stderr
    assert len({offer["workload"] for offer in json.loads(outcome.stdout)}) == 200


def test_search_takes_linear_time_in_containers() -> None:
    sidecars = [entry.sidecar for entry in open_catalog([], {}).entries() if entry.sidecar]

    def cost(count: int) -> int:
        containers = "".join(
            f"  - {{name: c{number}, image: x, volumeMounts: [{{name: v{number}, mountPath: /a}}]}}\n"
            for number in range(count)
        )
        volumes = "".join(f"  - {{name: v{number}, emptyDir: {{}}}}\n" for number in range(count))
        text = (
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n{containers}  volumes:\n{volumes}"
        )
        (workload,) = (each for document in split(text) for each in workloads(document.value))
        return count_calls(lambda: fits.suggest(workload, sidecars)).total()

    assert cost(80) < 2.5 * cost(40)
