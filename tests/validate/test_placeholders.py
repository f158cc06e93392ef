"""Placeholders that another tool substitutes are unknown values: one note for each file, no error, kept as they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sidecarctl.validate.placeholders import find_placeholder, is_placeholder
from tests.command import run
from tests.repository import WORKLOAD

WORDS = {
    "${VAR}": True,
    "${VAR:-x}": True,
    "${VAR:=128Mi}": True,
    "$VAR": True,
    "$(VAR)": True,
    "{{ .Values.x }}": True,
    "<NAME>": True,
    "<your name>": True,
    "REPLACE_ME": True,
    "CHANGEME": True,
    "YOUR-NAMESPACE": True,
    "registry.example/${APP}:${TAG}": True,
    "%NAME%": True,
    "@NAME@": True,
    "__NAME__": True,
    "{NAME}": True,
    "ko://github.com/example/app": True,
    "...": True,
    "ROLLOUT_NAME-active": True,
    "a-$$name$$": True,
    "($namespace)": True,
    "_": True,
    "(join('-', [$namespace, 'job']))": True,
    "ENC[AES256_GCM,data:KHCF=,iv:aa=,tag:bb=,type:str]": True,
    "web": False,
    "HTTP_PORT": False,
    "a < b > c": False,
    "$5": False,
    "100%": False,
    "a@example.com": False,
    "registry.example/ko:1": False,
    "replace-me": False,
    "(x)": False,
}


@pytest.mark.parametrize("text", WORDS)
def test_placeholders_are_recognized(text: str) -> None:
    assert is_placeholder(text) is WORDS[text]


@pytest.mark.parametrize("text", ["YOUR" + "A-" * 400 + "!", "{{" * 400, "<a " * 300, "%A" * 400])
def test_recognizing_a_placeholder_takes_little_time(text: str) -> None:
    started = time.process_time()
    is_placeholder(text)
    is_placeholder(text * 1000)
    assert time.process_time() - started < 1


def test_image_of_another_tool_is_a_placeholder_only_as_an_image() -> None:
    value = {"image": "auto", "name": "auto", "other": {"image": " "}}
    assert find_placeholder(value, ("image",))
    assert find_placeholder(value, ("other", "image"))
    assert not find_placeholder(value, ("name",))


VALUES = {
    "a namespace": ("  name: web\n", "  name: web\n  namespace: ${NAMESPACE}\n"),
    "replicas": ("spec:\n  selector", "spec:\n  replicas: ${REPLICAS:-2}\n  selector"),
    "a name": ("  name: web\n", "  name: <NAME>\n"),
    "a port": ("containerPort: 8080", "containerPort: $(PORT)"),
    "a label key": ("        app: web\n    spec", "        app: web\n        ${KEY}: x\n    spec"),
    "an image": ("image: registry.example/web:2.3.1", "image: ko://github.com/example/web"),
    "an image of a gateway": ("image: registry.example/web:2.3.1", "image: auto"),
    "an image of a trigger": ("image: registry.example/web:2.3.1", 'image: " "'),
    "a quantity": (
        "        ports:\n",
        "        resources:\n          limits:\n            memory: REPLACE_ME\n        ports:\n",
    ),
    "resources": ("        ports:\n", "        resources: ${RESOURCES}\n        ports:\n"),
    "a container name": ("      - name: web\n        image", "      - name: ${APP}\n        image"),
}


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize("command", ["add log-tail", "validate", "status", "graph", "remove --all"])
def test_placeholder_is_no_error_in_any_command(command: str, what: str, tmp_path: Path) -> None:
    text = WORKLOAD.format(name="web").replace(*VALUES[what], 1)
    (tmp_path / "web.yaml").write_text(text)
    done = run(f"sidecarctl {command} web.yaml", tmp_path)
    assert (done.code, "error" in done.stderr + done.stdout.lower()) == (0, False), done.stderr + done.stdout


@pytest.mark.parametrize("what", VALUES)
def test_placeholder_is_kept_and_restored(what: str, tmp_path: Path) -> None:
    text = WORKLOAD.format(name="web").replace(*VALUES[what], 1)
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert (added.code, "name: logger" in added.stdout) == (0, True), added.stderr
    assert run("sidecarctl remove --all", tmp_path, stdin=added.stdout).stdout == text


def test_one_note_for_each_file_lists_the_placeholders(tmp_path: Path) -> None:
    text = WORKLOAD.format(name="web").replace("containerPort: 8080", "containerPort: ${PORT}")
    text = text.replace("  name: web\n", "  name: web\n  namespace: ${NAMESPACE}\n", 1)
    (tmp_path / "web.yaml").write_text(text)
    note = 'note: web.yaml: 2 placeholders are not validated: "${NAMESPACE}", "${PORT}"\n'
    assert note in run("sidecarctl validate web.yaml", tmp_path).stdout
    assert note in run("sidecarctl add log-tail web.yaml", tmp_path).stderr


def test_error_beside_a_placeholder_is_reported(tmp_path: Path) -> None:
    text = WORKLOAD.format(name="web").replace(
        "spec:\n  selector", "spec:\n  replicas: ${R}\n  paused: maybe\n  selector"
    )
    done = run("sidecarctl validate", tmp_path, stdin=text)
    assert (done.code, "paused: expected" in done.stdout, "replicas: expected" in done.stdout) == (1, True, False)


@pytest.mark.parametrize("placeholder", ["${MEMORY:=1Gi}", "${MEMORY}"])
def test_placeholder_in_flow_style_gets_the_advice_to_quote_it(placeholder: str, tmp_path: Path) -> None:
    text = f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{resources: {{limits: {{memory: {placeholder}}}}}}}]}}\n"
    for command in ("validate", "add log-tail"):
        done = run(f"sidecarctl {command}", tmp_path, stdin=text)
        assert done.code == 3
        assert f'quote the placeholder: "{placeholder}"' in done.stdout + done.stderr


_SOPS = "sops:\n  lastmodified: '2026-01-01T00:00:00Z'\n  mac: ENC[AES256_GCM,data:aa=,iv:bb=,tag:cc=,type:str]\n"


def test_encrypted_secret_has_no_error_in_its_values_and_in_what_sops_adds(tmp_path: Path) -> None:
    value = "ENC[AES256_GCM,data:" + "K" * 2000 + "=,iv:aa=,tag:bb=,type:str]"
    text = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\ndata:\n  password: {value}\n"
    done = run("sidecarctl validate", tmp_path, stdin=text + _SOPS)
    assert done.code == 0, done.stdout
    assert "sops" in run("sidecarctl validate", tmp_path, stdin=text + "sops: {}\n").stdout


def test_no_sidecar_is_added_to_an_encrypted_workload(tmp_path: Path) -> None:
    text = WORKLOAD.format(name="web") + _SOPS
    done = run("sidecarctl add logger", tmp_path, stdin=text)
    assert (done.stdout, "encrypted with SOPS" in done.stderr) == (text, True), done.stderr
