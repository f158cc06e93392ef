"""A setting of the pod that two sidecars need goes with the last of them, and what the app has set otherwise is never bent."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.command import run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web # the shop's
  namespace: shop
spec:
  containers:
  - name: web
    image: web:1.0.0
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {{name: {name}, version: 1.0.0, summary: Signals the app.}}
spec: {{engine: plain}}
"""
TEMPLATE = """\
pod:
  labels: {{{name}: "yes"}}
  shareProcessNamespace: true
  securityContext: {{fsGroup: 2000}}
"""
NAMES = ("one", "two", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "library" / name).mkdir(parents=True)
        (tmp_path / "library" / name / "sidecar.yaml").write_text(SIDECAR.format(name=name))
        (tmp_path / "library" / name / "template.yaml").write_text(TEMPLATE.format(name=name))
    return tmp_path


def add(folder: Path, text: str, *names: str) -> str:
    done = run(["sidecarctl", "add", *names, "--library", "library"], folder, stdin=text)
    assert done.code == 0, done.stderr
    return done.stdout


def remove(folder: Path, text: str, name: str) -> str:
    done = run(["sidecarctl", "remove", name], folder, stdin=text)
    assert done.code == 0, done.stderr
    return done.stdout


def test_it_is_set_beside_the_apps_own_settings_and_goes_again(folder: Path) -> None:
    text = add(folder, POD, "one")
    assert "\n  shareProcessNamespace: true\n" in text and "\n    fsGroup: 2000\n" in text
    assert remove(folder, text, "one") == POD
    assert add(folder, text, "one") == text


@pytest.mark.parametrize("order", list(permutations(NAMES)))
def test_it_stays_until_the_last_that_needs_it_has_gone(folder: Path, order: tuple[str, ...]) -> None:
    text = add(folder, POD, *NAMES)
    for name in order[:-1]:
        text = remove(folder, text, name)
        assert text.count("shareProcessNamespace: true") == text.count("fsGroup: 2000") == 1
    assert remove(folder, text, order[-1]) == POD


def test_an_upgrade_of_the_one_that_set_it_leaves_it_to_the_other(folder: Path) -> None:
    text = add(folder, POD, "one", "two")
    (folder / "library" / "one" / "template.yaml").write_text('pod: {labels: {one: "no"}}\n')
    upgraded = add(folder, text, "one")
    assert "\n  shareProcessNamespace: true\n" in upgraded
    assert remove(folder, remove(folder, upgraded, "two"), "one") == POD


def test_the_apps_own_is_kept_and_stays_the_apps(folder: Path) -> None:
    own = POD.replace("spec:\n", "spec:\n  shareProcessNamespace: true # for the debugger\n")
    text = add(folder, own, "one")
    assert text.count("shareProcessNamespace: true") == 1
    assert remove(folder, text, "one") == own


@pytest.mark.parametrize("setting", ["shareProcessNamespace: false", "hostPID: true"])
def test_what_the_app_has_set_otherwise_is_a_conflict_that_says_where(folder: Path, setting: str) -> None:
    (folder / "pod.yaml").write_text(POD.replace("spec:\n", f"spec:\n  {setting}\n"))
    done = run("sidecarctl add one --library library -f pod.yaml", folder)
    assert (done.code, done.stdout) == (1, "")
    assert "error[pod-setting-conflict]" in done.stderr and "pod.yaml:7:" in done.stderr
    assert "help: leave the setting out" in done.stderr


def test_a_template_can_not_take_the_namespace_away(folder: Path) -> None:
    (folder / "library" / "one" / "template.yaml").write_text("pod: {shareProcessNamespace: false}\n")
    done = run(["sidecarctl", "add", "one", "--library", "library"], folder, stdin=POD)
    assert done.code == 2 and "shareProcessNamespace" in done.stderr


@pytest.mark.parametrize(
    ("own", "wanted", "written", "warned"),
    [
        (None, 30, False, False),
        (None, 31, True, False),
        (59, 60, False, True),
        (60, 60, False, False),
        (61, 60, False, False),
    ],
)
def test_a_grace_period_that_lasts_long_enough_is_kept_without_a_warning(
    folder: Path, own: int | None, wanted: int, written: bool, warned: bool
) -> None:
    (folder / "library" / "one" / "template.yaml").write_text(f"pod: {{terminationGracePeriodSeconds: {wanted}}}\n")
    setting = "" if own is None else f"  terminationGracePeriodSeconds: {own}\n"
    done = run(
        ["sidecarctl", "add", "one", "--library", "library"], folder, stdin=POD.replace("spec:\n", f"spec:\n{setting}")
    )
    assert done.code == 0, done.stderr
    assert (f"terminationGracePeriodSeconds: {wanted}\n" in done.stdout) is (written or own == wanted)
    assert own is None or f"terminationGracePeriodSeconds: {own}\n" in done.stdout
    assert ("warning[grace-too-short]" in done.stderr) is warned


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)])
def test_a_warning_fails_the_run_at_the_severity_that_fail_on_names_or_below(
    folder: Path, level: str, code: int
) -> None:
    (folder / "library" / "one" / "template.yaml").write_text("pod: {terminationGracePeriodSeconds: 60}\n")
    short = POD.replace("spec:\n", "spec:\n  terminationGracePeriodSeconds: 5\n")
    words = ["sidecarctl", "add", "one", "--library", "library", "--fail-on", level]
    done = run(words, folder, stdin=short)
    assert (done.code, "warning[grace-too-short]" in done.stderr) == (code, True), done.stderr
