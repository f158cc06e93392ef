"""A pod setting that two sidecars need is removed with the last of them, and settings of the app are never changed."""

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


def test_adds_and_removes_pod_settings(folder: Path) -> None:
    text = add(folder, POD, "one")
    assert "\n  shareProcessNamespace: true\n" in text and "\n    fsGroup: 2000\n" in text
    assert remove(folder, text, "one") == POD
    assert add(folder, text, "one") == text


@pytest.mark.parametrize("order", list(permutations(NAMES)))
def test_shared_setting_is_removed_with_the_last_instance(folder: Path, order: tuple[str, ...]) -> None:
    text = add(folder, POD, *NAMES)
    for name in order[:-1]:
        text = remove(folder, text, name)
        assert text.count("shareProcessNamespace: true") == text.count("fsGroup: 2000") == 1
    assert remove(folder, text, order[-1]) == POD


def test_upgrade_hands_a_shared_setting_over(folder: Path) -> None:
    text = add(folder, POD, "one", "two")
    (folder / "library" / "one" / "template.yaml").write_text('pod: {labels: {one: "no"}}\n')
    upgraded = add(folder, text, "one")
    assert "\n  shareProcessNamespace: true\n" in upgraded
    assert remove(folder, remove(folder, upgraded, "two"), "one") == POD


def test_keeps_settings_of_the_app(folder: Path) -> None:
    own = POD.replace("spec:\n", "spec:\n  shareProcessNamespace: true # for the debugger\n")
    text = add(folder, own, "one")
    assert text.count("shareProcessNamespace: true") == 1
    assert remove(folder, text, "one") == own


@pytest.mark.parametrize("setting", ["shareProcessNamespace: false", "hostPID: true"])
def test_reports_conflicting_pod_settings(folder: Path, setting: str) -> None:
    (folder / "pod.yaml").write_text(POD.replace("spec:\n", f"spec:\n  {setting}\n"))
    done = run("sidecarctl add one --library library -f pod.yaml", folder)
    assert (done.code, done.stdout) == (1, "")
    assert "error[pod-setting-conflict]" in done.stderr and "pod.yaml:7:" in done.stderr
    assert f"help: remove {setting.partition(':')[0]}," in done.stderr


def test_templates_cannot_disable_process_namespace_sharing(folder: Path) -> None:
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
def test_warns_only_if_the_grace_period_is_too_short(
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
def test_fail_on_is_the_minimum_severity_that_fails(folder: Path, level: str, code: int) -> None:
    (folder / "library" / "one" / "template.yaml").write_text("pod: {terminationGracePeriodSeconds: 60}\n")
    short = POD.replace("spec:\n", "spec:\n  terminationGracePeriodSeconds: 5\n")
    words = ["sidecarctl", "add", "one", "--library", "library", "--fail-on", level]
    done = run(words, folder, stdin=short)
    assert (done.code, "warning[grace-too-short]" in done.stderr) == (code, True), done.stderr


SLOW = TEMPLATE + "  terminationGracePeriodSeconds: {seconds}\n"


@pytest.mark.parametrize("order", list(permutations(("one", "two"))))
def test_a_longer_grace_period_stays_until_the_last_sidecar_that_needs_one_is_removed(
    order: tuple[str, str], folder: Path
) -> None:
    for name, seconds in (("one", 60), ("two", 45)):
        text = SLOW.format(name=name, seconds=seconds)
        (folder / "library" / name / "template.yaml").write_text(text)
    first, second = order
    text = add(folder, POD, "one", "two")
    assert "terminationGracePeriodSeconds: 60" in text
    rest = remove(folder, text, first)
    assert "terminationGracePeriodSeconds: 60" in rest
    assert remove(folder, rest, second) == POD


def test_a_grace_period_stays_for_a_sidecar_whose_hook_sleeps_longer_than_the_default(folder: Path) -> None:
    (folder / "library" / "one" / "template.yaml").write_text(SLOW.format(name="one", seconds=60))
    hook = "containers:\n- {name: two, image: 'a:1', lifecycle: {preStop: {sleep: {seconds: 40}}}}\n"
    (folder / "library" / "two" / "template.yaml").write_text(hook)
    text = remove(folder, add(folder, POD, "one", "two"), "one")
    assert "terminationGracePeriodSeconds: 60" in text
    assert remove(folder, text, "two") == POD


@pytest.mark.parametrize(
    "empty", ["", " null", " ~ # none", "   # none", "\n    ~", "\n    # none\n    null"], ids=lambda text: repr(text)
)
def test_removal_restores_a_setting_that_was_empty(folder: Path, empty: str) -> None:
    text = POD.replace("spec:\n", f"spec:\n  shareProcessNamespace:{empty}\n")
    added = add(folder, text, "one", "two")
    assert added.count("shareProcessNamespace: true" if "\n" not in empty else "shareProcessNamespace:") == 1
    assert remove(folder, remove(folder, added, "one"), "two") == text
    by_hand = added.replace("shareProcessNamespace: true", "shareProcessNamespace: false")
    assert remove(folder, remove(folder, by_hand, "one"), "two") == text


def test_upgrade_that_drops_a_setting_restores_what_was_there(folder: Path) -> None:
    text = POD.replace("spec:\n", "spec:\n  shareProcessNamespace: ~ # none\n")
    added = add(folder, text, "one")
    template = folder / "library" / "one" / "template.yaml"
    template.write_text(template.read_text().replace("  shareProcessNamespace: true\n", ""))
    done = run(["sidecarctl", "upgrade", "one", "--library", "library"], folder, stdin=added)
    assert done.code == 0, done.stderr
    assert "  shareProcessNamespace: ~ # none\n" in done.stdout
    assert remove(folder, done.stdout, "one") == text


def test_setting_of_a_template_without_a_value_is_absent(folder: Path) -> None:
    template = folder / "library" / "one" / "template.yaml"
    template.write_text(template.read_text().replace("fsGroup: 2000", "fsGroup: null, runAsNonRoot: true"))
    added = add(folder, POD, "one")
    assert "fsGroup" not in added
    assert add(folder, added, "one") == added
    assert remove(folder, added, "one") == POD


@pytest.mark.parametrize("empty", ["", " null", " ~ # none"])
def test_removal_restores_an_empty_setting_that_an_upgrade_filled(folder: Path, empty: str) -> None:
    text = POD.replace("spec:\n", f"spec:\n  shareProcessNamespace:{empty}\n")
    template = folder / "library" / "one" / "template.yaml"
    whole = template.read_text()
    template.write_text(whole.replace("  shareProcessNamespace: true\n", ""))
    added = add(folder, text, "one")
    template.write_text(whole)
    done = run(["sidecarctl", "upgrade", "one", "--library", "library"], folder, stdin=added)
    assert done.code == 0, done.stderr
    assert "shareProcessNamespace: true" in done.stdout
    assert remove(folder, done.stdout, "one") == text
