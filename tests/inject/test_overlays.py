"""A base and its overlays in one run: kustomize keeps the owner annotation, and the record lists the former name."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.command import run
from tests.security.kit import library

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.25"}]
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Deployment web with the logger, and ConfigMap web-logger."""
    return run("sidecarctl add logger -q", tmp_path_factory.mktemp("base"), stdin=BASE).stdout.split("---\n")


def overlay(base: list[str]) -> list[str]:
    """Return both as kustomize writes them with a prefix, a hash, and a namespace."""
    workload, companion = base
    named = "name: prod-web-logger-5f2k"
    return [
        workload.replace("\n  name: web\n", "\n  name: prod-web\n  namespace: prod\n", 1).replace(
            "name: web-logger\n", f"{named}\n"
        ),
        companion.replace("name: web-logger\n", f"{named}\n  namespace: prod\n", 1),
    ]


def removed(documents: list[str], words: str, folder: Path) -> tuple[str, str]:
    done = run(f"sidecarctl remove logger {words}", folder, stdin="---\n".join(documents))
    assert done.code == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_all_companions_of_a_base_and_an_overlay_are_removed(
    order: tuple[int, ...], base: list[str], tmp_path: Path
) -> None:
    documents = [*base, *overlay(base)]
    text, said = removed([documents[index] for index in order], "", tmp_path)
    assert ("kind: ConfigMap" in text, "warning" in said) == (False, False), said
    assert text.count("kind: Deployment") == 2


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_removal_from_a_base_without_its_companion_keeps_that_of_the_overlay(
    order: tuple[int, ...], base: list[str], tmp_path: Path
) -> None:
    documents = [base[0], *overlay(base)]
    text, said = removed([documents[index] for index in order], "--name web", tmp_path)
    assert documents[2].rstrip() in text
    assert "companion-left-behind" in said


@pytest.mark.parametrize("words", ["", "--name prod-web"])
def test_files_of_a_base_and_an_overlay_keep_their_companions_apart(
    words: str, base: list[str], tmp_path: Path
) -> None:
    workload, companion = overlay(base)
    for name, text in (
        ("base/web.yaml", "---\n".join(base)),
        ("prod/web.yaml", workload),
        ("prod/objects.yaml", companion),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = run(f"sidecarctl remove logger {words} . -i", tmp_path)
    assert (done.code, "warning" in done.stderr) == (0, False), done.stderr
    assert (tmp_path / "base/web.yaml").read_text(encoding="utf-8") == ("---\n".join(base) if words else BASE)
    assert not (tmp_path / "prod/objects.yaml").read_text(encoding="utf-8").strip()


TEMPLATE = """\
containers:
- {name: mine, image: "reader:1"}
documents:
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: {{ companion }}}}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: {{ companion }}}
  rules: [{apiGroups: [""], resources: [pods], verbs: [{{ params.verb }}]}]
"""


def test_overlay_that_sets_a_namespace_keeps_its_cluster_role(tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, "{verb: {type: string, default: get}}")
    added = run("sidecarctl add mine --library lib -q", tmp_path, stdin=BASE).stdout
    workload, account, role = added.split("---\n")
    # kustomize gives a namespace to objects, but not to a ClusterRole.
    spaced = [each.replace("\nmetadata:\n", "\nmetadata:\n  namespace: prod\n", 1) for each in (workload, account)]
    for name, text in (("base", added), ("prod", "---\n".join([*spaced, role]))):
        (tmp_path / "k8s" / name).mkdir(parents=True)
        (tmp_path / "k8s" / name / "web.yaml").write_text(text, encoding="utf-8")
    upgraded = run("sidecarctl add mine --library lib --set verb=list k8s -i", tmp_path)
    assert upgraded.code == 0, upgraded.stderr
    for name in ("base", "prod"):
        assert (tmp_path / "k8s" / name / "web.yaml").read_text(encoding="utf-8").count("list") == 2
    removed = run("sidecarctl remove mine -n prod k8s -i", tmp_path)
    assert (removed.code, "warning" in removed.stderr) == (0, False), removed.stderr
    assert "kind: ClusterRole" not in (tmp_path / "k8s" / "prod" / "web.yaml").read_text(encoding="utf-8")
    assert "kind: ClusterRole" in (tmp_path / "k8s" / "base" / "web.yaml").read_text(encoding="utf-8")
