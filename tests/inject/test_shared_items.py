"""A variable, annotation, or label that several sidecars need is removed with the last of them, in any order."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.command import run

STYLES = {
    "no list": "",
    "empty list": "    env: []\n",
    "list on the next line": "    env: # none\n      !!seq []\n",
    "own variable": "    env:\n    # the shop's\n    - {name: SHOP, value: x}\n",
}
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web # the shop's
  annotations: {}
  labels:
spec:
  containers:
  - name: web
    image: web:1.0.0
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {{name: {name}, version: 1.0.0, summary: Sets what others set too.}}
spec: {{engine: plain}}
"""
TEMPLATE = """\
pod:
  labels: {{{name}: "yes", agent: "on"}}
  annotations: {{shared/agent: "on"}}
app:
  env:
  - {{name: AGENT_{upper}, value: own}}
  - {{name: AGENT_HOST, value: localhost}}
"""
SHARED = ("name: AGENT_HOST", "shared/agent:", " agent:")
NAMES = ("one", "two", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "library" / name).mkdir(parents=True)
        (tmp_path / "library" / name / "sidecar.yaml").write_text(SIDECAR.format(name=name))
        write_template(tmp_path, name)
    return tmp_path


def write_template(folder: Path, name: str, old: str = "", new: str = "") -> None:
    text = TEMPLATE.format(name=name, upper=name.upper())
    assert old in text
    (folder / "library" / name / "template.yaml").write_text(text.replace(old, new))


def done(folder: Path, command: str, text: str, code: int = 0) -> str:
    outcome = run(f"sidecarctl {command}", folder, stdin=text)
    assert outcome.code == code, outcome.stderr
    return outcome.stdout or outcome.stderr


ADD = "add one two three --library library"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("order", list(permutations(NAMES)), ids="-".join)
def test_shared_items_are_removed_with_the_last_instance(order: tuple[str, ...], style: str, folder: Path) -> None:
    given = POD + STYLES[style]
    text = done(folder, ADD, given)
    for name in order[:-1]:
        text = done(folder, f"remove {name}", text)
        assert [text.count(item) for item in SHARED] == [1, 1, 1]
        assert f"AGENT_{name.upper()}" not in text
        assert "edited" not in done(folder, "status --library library", text)
        left = [each for each in NAMES if f'{each}: "yes"' in text]
        assert done(folder, f"add {' '.join(left)} --library library", text) == text
    assert done(folder, f"remove {order[-1]}", text) == given


def test_all_at_once_restores_the_text(folder: Path) -> None:
    assert done(folder, "remove --all", done(folder, ADD, POD)) == POD


def test_an_equal_item_of_the_app_stays_its_own(folder: Path) -> None:
    given = POD.replace("labels:\n", 'labels: {agent: "on"}\n').replace(
        "annotations: {}", "annotations: {shared/agent: on}"
    )
    given = given.replace("agent: on}", 'agent: "on"}') + "    env: [{name: AGENT_HOST, value: localhost}]\n"
    text = done(folder, ADD, given)
    for name in ("one", "three", "two"):
        text = done(folder, f"remove {name}", text)
    assert text == given


def test_upgrade_that_needs_an_item_no_longer_leaves_it_to_the_others(folder: Path) -> None:
    text = done(folder, "add one two --library library", POD)
    write_template(folder, "one", "  - {name: AGENT_HOST, value: localhost}\n")
    text = done(folder, "upgrade one --library library", text)
    assert text.count("name: AGENT_HOST") == 1
    text = done(folder, "remove one", text)
    assert text.count("name: AGENT_HOST") == 1
    assert done(folder, "remove two", text) == POD


def test_upgrade_to_another_value_is_a_conflict_that_names_it(folder: Path) -> None:
    text = done(folder, "add one two --library library", POD)
    write_template(folder, "one", "localhost", "127.0.0.1")
    assert "already sets AGENT_HOST to another value" in done(folder, "upgrade one --library library", text, 1)
    assert done(folder, "remove --all", text) == POD


def test_volume_listed_by_two_instances_is_still_an_invalid_record(folder: Path) -> None:
    text = POD.replace(
        "annotations: {}",
        """annotations: {sidecarctl.dev/sidecars: '{"v":2,"instances":{"a":{"volumes":["x"]},"b":{"volumes":["x"]}}}'}""",
    )
    assert 'volumes: "x" is listed twice' in done(folder, "status --library library", text)


def test_a_variable_that_a_person_deleted_is_recorded_once(folder: Path) -> None:
    text = done(folder, "add one two --library library", POD)
    at = text.index("    - name: AGENT_HOST\n")
    left = text[:at] + text[text.index("\n", text.index("value:", at)) + 1 :]
    again = done(folder, "add two --library library", left)
    assert "name: AGENT_HOST\n" not in again
    assert done(folder, "add two --library library", again) == again
