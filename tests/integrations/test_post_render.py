"""Tests of `post-render` on output of Helm 3 and 4, and on input that Helm never sends."""

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
def test_keeps_every_input_line_in_order(text: str, folder: Path) -> None:
    rest = iter(render(folder, text).stdout.splitlines())
    assert all(line in rest for line in text.splitlines())


@pytest.mark.parametrize("text", [HELM_3, HELM_4])
def test_second_run_changes_nothing(text: str, folder: Path) -> None:
    once = render(folder, text)
    assert render(folder, once.stdout).stdout == once.stdout


def test_companion_gets_source_comment_of_its_workload(folder: Path) -> None:
    outcome = render(folder, HELM_3)
    assert kinds(outcome) == ["Service", "Deployment", "ConfigMap"]
    assert outcome.stdout.count("# Source: shop/templates/web.yaml\n") == 3


@pytest.mark.parametrize("line_break", ["\x85", "\u2028", "\u2029"])
def test_source_comment_ends_at_each_line_break_of_yaml(line_break: str, folder: Path) -> None:
    text = f"# Source: shop/templates/web.yaml{line_break}" + WEB.format(annotations="")
    companion = render(folder, text).stdout.partition("---\n")[2]
    assert companion.startswith("# Source: shop/templates/web.yaml\napiVersion: v1\nkind: ConfigMap\n")


@pytest.mark.parametrize(
    "path", ["shop/templates/web.yaml", "shop/templates/my app.yaml", "shop/templates/a  b.yaml \t"]
)
def test_removed_companion_takes_its_source_comment_along(path: str, folder: Path) -> None:
    text = f"# Source: {path}\n" + WEB.format(annotations="")
    added = render(folder, text).stdout
    assert added.count(f"# Source: {path}\n") == 2
    assert run("sidecarctl remove logger", folder, stdin=added).stdout == text
    (folder / "sidecarctl.yaml").write_text(COMPOSITION.partition("  rules:")[0] + "  rules: []\n")
    assert render(folder, added).stdout == text


def test_source_comments_of_a_person_beside_a_removed_companion_stay(folder: Path) -> None:
    text = "# Source: shop/templates/web.yaml\n" + WEB.format(annotations="")
    workload, companion = render(folder, text).stdout.split("---\n")
    before, after = "# Source: https://wiki.example/runbook\n", "# Source: shop/templates/web.yaml\n"
    for whole, left in (
        (f"{workload}---\n{before}{companion}{after}", before + after),
        (f"{workload}---\n{companion.replace(after, after + before)}", before),
    ):
        assert run("sidecarctl remove logger", folder, stdin=whole).stdout == text + left


def test_companion_gets_helm_4_origin_annotation(folder: Path) -> None:
    outcome = render(folder, HELM_4)
    companion = list(yaml.safe_load_all(outcome.stdout))[1]
    assert companion["metadata"]["annotations"] == {
        "sidecarctl.dev/owner": "Deployment/web/logger",
        "postrenderer.helm.sh/postrender-filename": "shop/templates/web.yaml",
    }


LIST = "apiVersion: v1\nkind: List\nitems:\n- " + WEB.format(annotations="").replace("\n", "\n  ").rstrip(" ")
LIST = LIST.replace("name: web", "name: listed")


@pytest.mark.parametrize("text", [HELM_3, WEB.format(annotations=ORIGIN)])
def test_list_with_a_companion_keeps_its_own_origin(text: str, folder: Path) -> None:
    before, added = (render(folder, each).stdout for each in (text, f"{text}---\n{LIST}"))
    assert added.count("sidecarctl.dev/owner: Deployment/listed/logger") == 1
    assert [added.count(word) for word in ("# Source: ", "postrender-filename")] == [
        before.count(word) for word in ("# Source: ", "postrender-filename")
    ]
    assert added.startswith(f"{before}---\n{LIST.partition('  metadata:')[0]}")
    assert run("sidecarctl remove --all -f -", folder, stdin=added).stdout == f"{text}---\n{LIST}"


def test_finds_companion_sorted_before_its_workload(folder: Path) -> None:
    web, companion = render(folder, WEB.format(annotations="")).stdout.split("---\n")
    text = companion + "---\n" + web
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (0, text)


def test_reports_skipped_hooks(folder: Path) -> None:
    outcome = render(folder, HELM_4)
    assert kinds(outcome) == ["Deployment", "ConfigMap", "Job", "Service"]
    assert "skipped 1 Helm hook; --hooks includes them" in outcome.stderr


REQUEST, REFUSAL = "\n    sidecarctl.dev/inject: logger", '\n    sidecarctl.dev/inject: "false"'


@pytest.mark.parametrize(
    ("own", "pods", "skipped"),
    [("", REQUEST, 0), (REFUSAL, REQUEST, 0), (REQUEST, "", 0), (REQUEST, REFUSAL, 1), ("", REFUSAL, 1)],
)
def test_annotation_of_the_pod_template_includes_a_hook(own: str, pods: str, skipped: int, folder: Path) -> None:
    metadata = "".join(line and f"    {line}\n" for line in f"metadata:\n  annotations:{pods}".splitlines())
    hook = HOOK.format(more=own).replace("  template:\n", "  template:\n" + (metadata if pods else ""))
    outcome = render(folder, hook)
    assert ("skipped 1 Helm hook" in outcome.stderr, "name: logger" in outcome.stdout) == (bool(skipped), not skipped)


def test_option_hooks_includes_hooks(folder: Path) -> None:
    wanted = ["Deployment", "ConfigMap", "Job", "ConfigMap", "Service"]
    assert kinds(render(folder, HELM_4, "--hooks")) == wanted
    assert kinds(render(folder, HELM_4, env={"SIDECARCTL_HOOKS": "1"})) == wanted


def test_hook_can_opt_out(folder: Path) -> None:
    text = HOOK.format(more='\n    sidecarctl.dev/inject: "false"') + "---\n" + SERVICE
    assert render(folder, text, "--hooks").stdout == text


def test_keeps_documents_with_equal_names(folder: Path) -> None:
    text = SERVICE + "---\n" + SERVICE + "---\n" + WEB.format(annotations="")
    assert kinds(render(folder, text)) == ["Service", "Service", "Deployment", "ConfigMap"]


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff\n"])
def test_rejects_empty_input(text: str, folder: Path) -> None:
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "no manifests received from Helm" in outcome.stderr
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
def test_truncated_input_produces_no_output(text: str | bytes, folder: Path) -> None:
    outcome = render(folder, text)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "standard input:" in outcome.stderr


def test_conflict_produces_no_output(folder: Path) -> None:
    outcome = render(folder, HELM_3.replace("- name: web  #", "- name: logger  #"))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "error[container-conflict]" in outcome.stderr


def test_warns_if_no_rule_selects_a_workload(folder: Path) -> None:
    outcome = render(folder, SERVICE)
    assert (outcome.code, outcome.stdout) == (0, SERVICE)
    assert "warning[rule-selects-nothing]" in outcome.stderr
    assert render(folder, SERVICE, "--fail-on", "warning").code == 1


def test_rejects_unwritable_log_file_option(folder: Path) -> None:
    outcome = render(folder, HELM_3, "--log-file", "sidecarctl.yaml/x.log")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "cannot write log file" in outcome.stderr


def test_log_file_of_an_unknown_user_is_an_error(folder: Path) -> None:
    outcome = render(folder, HELM_3, "--log-file", "~nosuchuser/x.log")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "cannot write log file ~nosuchuser/x.log" in outcome.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names must be text")
def test_log_names_a_directory_that_is_not_utf_8(folder: Path) -> None:
    odd = folder / os.fsdecode(b"d\xff")
    odd.mkdir()
    (odd / "sidecarctl.yaml").write_text((folder / "sidecarctl.yaml").read_text())
    outcome = render(odd, HELM_3, "--log-file", "x.log")
    assert outcome.code == 0, outcome.stderr
    assert "added logger" in (odd / "x.log").read_text()


def test_helm_4_log_is_in_the_cache_without_colors(folder: Path) -> None:
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


def test_runs_without_a_home_directory(folder: Path) -> None:
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
