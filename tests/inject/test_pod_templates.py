"""Pod templates of one object share their companions: no command takes one away, or changes it, for another template."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Outcome, run

SET = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: llm} # ours
spec:
  leaderWorkerTemplate:
    size: 2
    leaderTemplate:
      metadata: {labels: {role: leader}}
      spec:
        containers:
        - {name: leader, image: "registry.example/llm:1.0.0"}
    workerTemplate:
      metadata: {labels: {role: worker}}
      spec:
        containers:
        - {name: worker, image: "registry.example/llm:1.0.0"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set.yaml").write_text(SET)
    return tmp_path


def write_composition(folder: Path, **directories: str) -> None:
    rules = "".join(
        f"  - select: {{labels: {{role: {role}}}}}\n    sidecars: [{{name: logger, parameters: {{logDir: {path}}}}}]\n"
        for role, path in directories.items()
    )
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: llm}\nspec:\n  rules:\n"
    (folder / "sidecarctl.yaml").write_text(head + rules)


def done(folder: Path, command: str, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command} -f set.yaml", folder)
    assert outcome.code == code, outcome.stderr
    return outcome


def written(folder: Path) -> str:
    return (folder / "set.yaml").read_text()


@pytest.mark.parametrize("role", ["leader", "worker"])
def test_companion_stays_when_the_sidecar_is_removed_from_one_template(role: str, folder: Path) -> None:
    done(folder, "add logger -i")
    done(folder, f"remove logger -l role={role} -i")
    assert written(folder).count("kind: ConfigMap") == 1
    assert "in sync" in done(folder, "status --check").stdout
    done(folder, "remove logger -i")
    assert written(folder) == SET


def test_companion_stays_when_a_rule_selects_one_template_less(folder: Path) -> None:
    write_composition(folder, leader="/srv/a", worker="/srv/a")
    done(folder, "render -i")
    assert written(folder).count("kind: ConfigMap") == 1
    write_composition(folder, leader="/srv/a")
    done(folder, "render -i")
    assert written(folder).count("kind: ConfigMap") == written(folder).count("name: logger\n") == 1
    (folder / "sidecarctl.yaml").write_text(
        (folder / "sidecarctl.yaml").read_text().partition("  rules:")[0] + "  rules: []\n"
    )
    done(folder, "render -i")
    assert written(folder) == SET


def test_templates_that_need_different_companions_are_refused(folder: Path) -> None:
    write_composition(folder, leader="/srv/a", worker="/srv/b")
    refused = done(folder, "render -i", 2)
    assert "the pod templates of LeaderWorkerSet/llm need different versions of ConfigMap/llm-logger" in refused.stderr
    assert written(folder) == SET


@pytest.mark.parametrize(
    "command", ["add logger -l role=leader --set logDir=/srv/b", "upgrade logger -l role=worker --set logDir=/srv/b"]
)
def test_change_of_one_template_that_needs_another_companion_is_refused(command: str, folder: Path) -> None:
    done(folder, "add logger --set logDir=/srv/a -i")
    before = written(folder)
    assert "need different versions of ConfigMap/llm-logger" in done(folder, f"{command} -i", 2).stderr
    assert written(folder) == before


def test_two_rules_can_change_the_companion_together(folder: Path) -> None:
    write_composition(folder, leader="/srv/a", worker="/srv/a")
    done(folder, "render -i")
    write_composition(folder, leader="/srv/b", worker="/srv/b")
    done(folder, "render -i")
    assert written(folder).count("kind: ConfigMap") == 1
    assert "/srv/a" not in written(folder)
    done(folder, "render --check")
    done(folder, "remove logger -i")
    assert written(folder) == SET
