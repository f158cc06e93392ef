"""Duplicate objects in several files: only files that are applied together are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.rule_selection import select_rules
from tests.command import run

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"
PIPELINE = SETTINGS.replace("name: settings", "name: web-logger\n  annotations: {sidecarctl.dev/owner: %s}")
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: registry.example/web:1.0.0
"""


def reported(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """The file of each duplicate, and the file of the object that it repeats."""
    texts = [SourceText(text, file) for file, text in files.items()]
    findings = validate_texts(texts, select_rules(select=["duplicate-object"])).findings
    places = [(one.place, one.related[0].place) for one in findings]
    return [(place.file, first.file) for place, first in places if place and first]


def kustomization(*resources: str, kind: str = "kind: Kustomization\n") -> str:
    return kind + "resources:\n" + "".join(f"- {resource}\n" for resource in resources)


@pytest.mark.parametrize("kind", ["kind: Kustomization\n", ""])
def test_two_resources_of_one_kustomization_are_duplicates(kind: str) -> None:
    files = {
        "k8s/kustomization.yaml": kustomization("a.yaml", "./more/b.yaml", kind=kind),
        "k8s/a.yaml": SETTINGS,
        "k8s/more/b.yaml": SETTINGS,
    }
    assert reported(files) == [("k8s/more/b.yaml", "k8s/a.yaml")]


def test_resources_of_different_kustomizations_are_variants() -> None:
    files = {
        "dev/kustomization.yaml": kustomization("settings.yaml"),
        "dev/settings.yaml": SETTINGS,
        "prod/kustomization.yaml": kustomization("settings.yaml"),
        "prod/settings.yaml": SETTINGS,
    }
    assert reported(files) == []


def test_files_of_one_directory_can_be_variants() -> None:
    assert reported({"examples/small.yaml": POD, "examples/large.yaml": POD}) == []


def test_two_companions_of_one_workload_are_duplicates_in_any_files() -> None:
    files = {
        "k8s/web.yaml": POD + "---\n" + PIPELINE % "Pod/web/logger",
        "k8s/config/logger.yaml": PIPELINE % "Pod/shop/web/logger",
    }
    assert reported(files) == [("k8s/config/logger.yaml", "k8s/web.yaml")]


def test_companions_of_two_environments_are_variants() -> None:
    files = {f"{stage}/web.yaml": POD + "---\n" + PIPELINE % "Pod/web/logger" for stage in ("dev", "prod")}
    assert reported(files) == []


def test_companion_and_other_object_in_different_files_are_variants() -> None:
    other = PIPELINE.replace("sidecarctl.dev/owner", "example.com/owner")
    assert reported({"a.yaml": POD + "---\n" + PIPELINE % "Pod/web/logger", "b.yaml": other % "Pod/web/logger"}) == []


@pytest.mark.parametrize("owner", ["logger", "", "/", "Pod/web"])
def test_malformed_owner_is_no_owner(owner: str) -> None:
    text = PIPELINE % f'"{owner}"'
    assert reported({"a.yaml": POD, "b.yaml": text, "c.yaml": text}) == []


def test_validate_compares_the_files_that_a_kustomization_lists(tmp_path: Path) -> None:
    for name, text in {
        "kustomization.yaml": kustomization("a.yaml", "b.yaml"),
        "a.yaml": SETTINGS,
        "b.yaml": SETTINGS,
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    done = run("sidecarctl validate kustomization.yaml a.yaml b.yaml --select duplicate-object", tmp_path)
    assert done.code == 1
    assert "error[duplicate-object]: duplicate object ConfigMap/settings" in done.stdout
    assert "b.yaml:4:9" in done.stdout
    assert "a.yaml" in done.stdout
