"""auto-instrumentation copies the agent of the app's language, and sets the variables with which the runtime loads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sidecar_cases import breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from tests.command import run

CASES = cases("auto-instrumentation")
LANGUAGES = ("java", "python", "nodejs", "dotnet")
LOADERS = {
    "java": "JAVA_TOOL_OPTIONS",
    "python": "PYTHONPATH",
    "nodejs": "NODE_OPTIONS",
    "dotnet": "DOTNET_STARTUP_HOOKS",
}
WEB = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: registry.example/web:1.0.0
"""


def instrumented(mode: str = "init", **params: Any) -> Fragment:
    return rendered("auto-instrumentation", "java-deployment", params=params, mode=mode)


def env(fragment: Fragment) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in fragment.env}


@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("auto-instrumentation", case, mode="init")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_path_in_a_variable_is_in_the_volume_that_the_agent_is_copied_to(language: str) -> None:
    fragment = instrumented(language=language)
    (container,) = fragment.containers
    (mount,) = fragment.volume_mounts
    target = container["command"][-1]
    assert mounted(container, fragment, target) is not None
    assert mount["readOnly"] and target == mount["mountPath"] + "/"
    paths = [path for value in env(fragment).values() for path in re.findall(r"/otel-[^\s:]*", str(value))]
    assert paths and all(f"{path}/".startswith(target) for path in paths)


@pytest.mark.parametrize("language", LANGUAGES)
def test_image_is_that_of_the_language_with_an_exact_version(language: str) -> None:
    (container,) = instrumented(language=language).containers
    assert re.fullmatch(rf"ghcr\.io/.*/autoinstrumentation-{language}:\d+\.\d+(\.\d+|b\d+)", container["image"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_value_of_the_app_is_kept_in_the_variable_that_loads_the_agent(language: str) -> None:
    alone = env(instrumented(language=language))[LOADERS[language]]
    both = env(instrumented(language=language, appOptions="/srv/$(HOME)"))[LOADERS[language]]
    separator = " " if language in ("java", "nodejs") else ":"
    # Kubernetes must not replace $(HOME), which it would if the app's own manifest had it escaped.
    assert set(alone.split(separator)) | {"/srv/$$(HOME)"} == set(both.split(separator))


def test_python_loads_the_agent_before_the_modules_of_the_app() -> None:
    first, *others = env(instrumented(language="python", appOptions="/srv"))["PYTHONPATH"].split(":")
    assert first.endswith("/auto_instrumentation") and others[0] == "/srv"


def test_musl_and_architecture_choose_the_native_files() -> None:
    (python,) = instrumented(language="python", libc="musl").containers
    assert python["command"][2] == "/autoinstrumentation-musl/."
    dotnet = env(instrumented(language="dotnet", libc="musl", architecture="arm64"))
    assert "/linux-musl-arm64/" in dotnet["CORECLR_PROFILER_PATH"]


def test_signals_that_are_not_exported_are_switched_off() -> None:
    found = env(instrumented(language="java", signals=["logs"]))
    assert [found[f"OTEL_{one}_EXPORTER"] for one in ("TRACES", "METRICS", "LOGS")] == ["none", "none", "otlp"]


def test_resource_attributes_follow_the_variables_that_they_use() -> None:
    names = [one["name"] for one in instrumented(language="java", resourceAttributes={"team": "$(X)"}).env]
    assert names[-1] == "OTEL_RESOURCE_ATTRIBUTES"
    value = env(instrumented(language="java", resourceAttributes={"team": "$(X)"}))["OTEL_RESOURCE_ATTRIBUTES"]
    assert set(re.findall(r"(?<!\$)\$\((\w+)\)", value)) <= set(names) and value.endswith(",team=$$(X)")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"language": "python", "protocol": "grpc"}, "supports only http/protobuf"),
        ({"language": "java", "sampler": "traceidratio"}, "requires samplerRatio"),
        ({"language": "java", "samplerRatio": 0.5}, "requires the sampler"),
    ],
)
def test_rejects_parameters_that_do_not_work_together(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        instrumented(**params)


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_rejects_modes_in_which_the_copy_would_run_again_and_again(mode: str) -> None:
    with pytest.raises(LibraryError, match="use mode init"):
        instrumented(mode, language="java")


def test_variable_of_the_app_is_a_conflict_that_names_the_parameter(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB + "    env: [{name: JAVA_TOOL_OPTIONS, value: -Xmx64m}]\n")
    done = run("sidecarctl add auto-instrumentation -f web.yaml --set language=java", tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert "pass its value with --set appOptions=..." in done.stderr


def test_shares_its_variables_with_the_collector_in_the_pod(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    both = "sidecarctl add otel-collector auto-instrumentation -f web.yaml --set auto-instrumentation.language=java"
    done = run(f"{both} --set otel-collector.endpoint=https://otlp.example.com:4318", tmp_path)
    assert done.code == 0, done.stderr
    assert done.stdout.count("name: OTEL_EXPORTER_OTLP_ENDPOINT") == 1
    assert pipeline.remove(done.stdout, ["auto-instrumentation", "otel-collector"], Options()).text == WEB
