"""post-render on the streams of both Helms, and on what no Helm should hand over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.command import ROOT, Outcome, run

COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
    - select: {kinds: [Deployment, Job]}
      sidecars: [logger]
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web{annotations}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
        - name: web  # the app
          image: nginx:1.29.3
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-install{more}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: nginx:1.29.3
"""
ORIGIN = "\n  annotations:\n    postrenderer.helm.sh/postrender-filename: 'shop/templates/web.yaml'"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports: [{port: 80}]\n"
HELM_3 = "---\n# Source: shop/templates/web.yaml\n" + SERVICE + "---\n# Source: shop/templates/web.yaml\n# Why.\n"
HELM_3 += WEB.format(annotations="")
HELM_4 = WEB.format(annotations=ORIGIN) + "---\n" + HOOK.format(more="") + "---\n" + SERVICE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    return tmp_path


def render(folder: Path, text: str | bytes, *words: str, env: dict[str, str] | None = None) -> Outcome:
    return run(["sidecarctl", "post-render", *words], folder, stdin=text, env=env)


def kinds(outcome: Outcome) -> list[str]:
    assert outcome.code == 0, outcome.stderr
    return [each["kind"] for each in yaml.safe_load_all(outcome.stdout)]


@pytest.mark.parametrize("text", [HELM_3, HELM_4])
def test_every_line_stands_in_the_result_in_its_order(text: str, folder: Path) -> None:
    rest = iter(render(folder, text).stdout.splitlines())
    assert all(line in rest for line in text.splitlines())


@pytest.mark.parametrize("text", [HELM_3, HELM_4])
def test_twice_is_once(text: str, folder: Path) -> None:
    once = render(folder, text)
    assert render(folder, once.stdout).stdout == once.stdout


def test_a_companion_has_the_source_line_of_its_workload(folder: Path) -> None:
    outcome = render(folder, HELM_3)
    assert kinds(outcome) == ["Service", "Deployment", "ConfigMap"]
    assert outcome.stdout.count("# Source: shop/templates/web.yaml\n") == 3


def test_a_companion_has_the_origin_that_helm_4_notes(folder: Path) -> None:
    outcome = render(folder, HELM_4)
    companion = list(yaml.safe_load_all(outcome.stdout))[1]
    assert companion["metadata"]["annotations"] == {
        "sidecarctl.dev/owner": "Deployment/web/logger",
        "postrenderer.helm.sh/postrender-filename": "shop/templates/web.yaml",
    }


def test_a_companion_that_helm_sorted_to_the_front_is_found_there(folder: Path) -> None:
    web, companion = render(folder, WEB.format(annotations="")).stdout.split("---\n")
    text = companion + "---\n" + web
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (0, text)


def test_hooks_are_left_alone_and_that_is_said(folder: Path) -> None:
    outcome = render(folder, HELM_4)
    assert kinds(outcome) == ["Deployment", "ConfigMap", "Job", "Service"]
    assert "1 hook left alone; --hooks includes them" in outcome.stderr


def test_hooks_are_included_where_asked_for(folder: Path) -> None:
    wanted = ["Deployment", "ConfigMap", "Job", "ConfigMap", "Service"]
    assert kinds(render(folder, HELM_4, "--hooks")) == wanted
    assert kinds(render(folder, HELM_4, env={"SIDECARCTL_HOOKS": "1"})) == wanted


def test_a_hook_that_opts_out_stays_out(folder: Path) -> None:
    text = HOOK.format(more='\n    sidecarctl.dev/inject: "false"') + "---\n" + SERVICE
    assert render(folder, text, "--hooks").stdout == text


def test_two_documents_of_one_name_are_two_documents(folder: Path) -> None:
    text = SERVICE + "---\n" + SERVICE + "---\n" + WEB.format(annotations="")
    assert kinds(render(folder, text)) == ["Service", "Service", "Deployment", "ConfigMap"]


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff\n"])
def test_nothing_is_an_error(text: str, folder: Path) -> None:
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "handed over nothing" in outcome.stderr
    allowed = render(folder, text, "--allow-empty")
    assert allowed.code == 0
    assert allowed.stdout.strip()


@pytest.mark.parametrize(
    "text",
    [
        HELM_3[: HELM_3.index("matchLabels") + 12],
        HELM_3.replace("      containers:", "      containers: ["),
        b"\xff" + HELM_3.encode(),
        HELM_3 + "--- oops\n",
    ],
)
def test_a_stream_that_breaks_off_gives_no_half_output(text: str | bytes, folder: Path) -> None:
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "standard input:" in outcome.stderr


def test_a_conflict_gives_no_output(folder: Path) -> None:
    outcome = render(folder, HELM_3.replace("- name: web  #", "- name: logger  #"))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "error[container-conflict]" in outcome.stderr


def test_a_composition_that_selects_nothing_at_all_is_a_warning_that_names_its_rules(folder: Path) -> None:
    outcome = render(folder, SERVICE)
    assert (outcome.code, outcome.stdout) == (0, SERVICE)
    assert "warning[rule-selects-nothing]" in outcome.stderr
    assert render(folder, SERVICE, "--fail-on", "warning").code == 1


def test_a_log_that_can_t_be_written_is_wrong_use_where_somebody_asked_for_it(folder: Path) -> None:
    outcome = render(folder, HELM_3, "--log-file", "sidecarctl.yaml/x.log")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "can't be written" in outcome.stderr


def test_the_log_of_helm_4_goes_to_the_cache_and_holds_no_colours(folder: Path) -> None:
    env = {
        "HELM_PLUGIN_NAME": "sidecarctl",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "NO_COLOR": "",
        "FORCE_COLOR": "1",
    }
    assert render(folder, "a: [", env=env).code == 3
    log = (folder / "cache" / "sidecarctl" / "post-render.log").read_text()
    assert log.startswith("== ")
    assert "standard input:1:5" in log
    assert "\x1b" not in log


def test_a_user_without_a_home_can_run_it_as_in_a_container(folder: Path) -> None:
    nobody = "import pwd\ndef unknown(uid): raise KeyError(uid)\npwd.getpwuid = unknown\n"
    program = nobody + "from sidecarctl.__main__ import main\nmain(['post-render'])\n"
    kept = {
        key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME", "SIDECARCTL_NO_CACHE")
    }
    env = {**kept, "PYTHONPATH": str(ROOT), "HELM_PLUGIN_NAME": "sidecarctl", "TMPDIR": str(folder)}
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=folder, env=env, input=HELM_4, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "added logger" in (folder / "sidecarctl" / "post-render.log").read_text()
