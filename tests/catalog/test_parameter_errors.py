"""Tests of the location of parameter errors, and of common parameters without effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from library_kit import entry

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError
from tests.command import run

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
  - name: web
    image: web:1.0.0
    ports: [{containerPort: 8080}]
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
  - select: {kinds: [Pod]}
    sidecars:
    - name: nginx-tls
      parameters:
        tls: {secretName: web}
        port: 8080
"""


def refusal(folder: Path, words: str) -> str:
    (folder / "pod.yaml").write_text(MANIFEST)
    outcome = run(f"sidecarctl {words} -f pod.yaml", folder)
    assert (outcome.code, outcome.stdout) == (2, "")
    return outcome.stderr


def test_error_is_located_at_the_set_option(tmp_path: Path) -> None:
    message = refusal(tmp_path, "add nginx-tls --set port=8443 --set tls.secretName=a --set tls.volumeName=b")
    assert "--> --set tls.secretName\n" in message
    assert "nginx-tls/settings.j2:" in "".join(message.split())


def test_error_is_located_in_the_values_file(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("nginx-tls:\n  tls: {secretName: web}\n  port: 8080\n")
    assert "--> values.yaml:3:3\n" in refusal(tmp_path, "add nginx-tls --values values.yaml")


def test_error_is_located_in_the_composition(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text(COMPOSITION)
    assert "platform.yaml:11:9\n" in refusal(tmp_path, "render -c platform.yaml")


def test_set_option_takes_precedence_over_values_file(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("nginx-tls:\n  tls: {secretName: web}\n  port: 8443\n")
    assert "--> --set nginx-tls.port\n" in refusal(
        tmp_path, "add nginx-tls --values values.yaml --set nginx-tls.port=8080"
    )


@pytest.mark.parametrize("name", ["istio", "linkerd", "consul-dataplane", "dapr", "open-service-mesh"])
@pytest.mark.parametrize(
    "given",
    ["image=proxy:1.0.0", "imagePullPolicy=Always", "resources.limits.cpu=1", "env.A=b", "securityContext.runAsUser=1"],
)
def test_rejects_common_parameter_without_container(tmp_path: Path, name: str, given: str) -> None:
    message = refusal(tmp_path, f"add {name} --set {given}")
    key = given.split("=")[0]
    assert f"cannot apply {key.split('.')[0]}: {name} adds no container" in message
    assert f"--> --set {key}\n" in message and f"sidecarctl show {name}" in message


def test_names_all_common_parameters_without_effect(tmp_path: Path) -> None:
    message = refusal(tmp_path, "add istio --set image=a:1 --set env.A=b --set patch.tty=true")
    assert "cannot apply image, env, and patch" in message


def test_common_parameters_apply_to_init_containers_alone(tmp_path: Path) -> None:
    entry(tmp_path / "library", jinja="initContainers: [{name: a, image: 'old:1'}, {name: c, image: 'd:1'}]")
    (tmp_path / "pod.yaml").write_text(MANIFEST)
    words = "sidecarctl add agent --library library --validate ignore --set image=e:1 -f pod.yaml"
    outcome = run(words, tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert "image: e:1" in outcome.stdout and "image: d:1" in outcome.stdout and "old:1" not in outcome.stdout


@pytest.mark.parametrize("use", ["| quote", "| to_json", "| to_yaml", "| upper", "== 'x'", "| dns_name"])
def test_inline_if_without_else_has_no_value(run: Callable[..., Fragment], use: str) -> None:
    with pytest.raises(LibraryError, match="inline `if` without `else` has no value if its condition is false; add"):
        run(jinja="a: {{ ('x' if false) " + use + " }}")


def test_inline_if_without_else_prints_nothing(run: Callable[..., Fragment]) -> None:
    text = "containers: [{name: a{{ 'x' if false }}, image: {{ 'b' ~ ('c' if false) }}}]"
    assert run(jinja=text).containers[0] == {"name": "a", "image": "b"}


@pytest.mark.parametrize("step", [".a", "[0]"])
def test_key_with_thousands_of_levels_is_an_error(step: str, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {}\n")
    done = run(["sidecarctl", "add", "log-tail", "-f", "pod.yaml", "--set", f"a{step * 5_000}=1"], tmp_path)
    assert (done.code, "a parameter key has 5,001 levels" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("given", ["env.PW=geheim", "=geheim", "logger..x=geheim", "logger.env[7]=geheim"])
def test_error_about_a_parameter_that_cannot_be_assigned_does_not_show_its_value(given: str, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {}\n")
    done = run(["sidecarctl", "add", "logger", "log-tail", "-f", "pod.yaml", "--set", given], tmp_path)
    assert (done.code, "geheim" in done.stderr) == (2, False), done.stderr
    assert f"--set {given.partition('=')[0]}=..." in done.stderr


def test_parameters_nested_almost_to_the_limit_are_an_error(tmp_path: Path) -> None:
    deep = "{a: " * 350 + "1" + "}" * 350
    (tmp_path / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: a, image: 'a:1'}]\n"
    )
    (tmp_path / "values.yaml").write_text(f"log-tail: {{logDir: /a, securityContext: {deep}}}\n")
    done = run(["sidecarctl", "add", "log-tail", "-f", "pod.yaml", "--values", "values.yaml"], tmp_path)
    assert done.code in (2, 3) and "internal error" not in done.stderr, done.stderr


@pytest.mark.parametrize("given", ["imagePullSecrets[0]=http://a", "imagePullSecrets[0].name=Reg_cred"])
def test_invalid_name_of_a_pull_secret_is_an_error_of_the_parameter(given: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, f"add logger --set {given}")
    key, _, value = given.partition("=")
    assert f'parameter "{key}" must be a name of lowercase letters, digits, hyphens, and dots, got "{value}"' in message
    assert "unreadable-record" not in message
