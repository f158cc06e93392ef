"""Companions that another program moved away from their workload are detected and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.inject.companion_search import has_displaced_companions
from sidecarctl.yamltext.stream import split
from tests.command import run


def workload(name: str, kind: str = "Deployment", record: str = "sidecarctl.dev/sidecars: '{}'") -> str:
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: a}}}}
  template:
    metadata:
      labels: {{app: a}}
      annotations: {{{record}}}
    spec:
      containers:
      - {{name: app, image: "registry.example/app:1.0.0"}}
"""


def companion(owner: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, annotations: {{sidecarctl.dev/owner: {owner}}}}}\n"


OTHER = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"
SHOP, BLOG = workload("shop"), workload("blog")
LOGS, PROXY = companion("Deployment/shop/logger"), companion("Deployment/shop/proxy")


@pytest.mark.parametrize(
    "documents",
    [
        (SHOP, LOGS),
        (SHOP, LOGS, PROXY),
        (OTHER, SHOP, LOGS, BLOG, OTHER),
        (workload("shop", "StatefulSet"), companion("StatefulSet/prod/shop/logger")),
    ],
)
def test_companions_behind_their_workload_are_not_displaced(documents: tuple[str, ...]) -> None:
    assert not has_displaced_companions(split("---\n".join(documents), "-"))


@pytest.mark.parametrize(
    "documents",
    [
        (LOGS, SHOP),
        (SHOP, OTHER, LOGS),
        (SHOP, BLOG, LOGS),
        (SHOP, LOGS, BLOG, PROXY),
        (workload("shop", "StatefulSet"), LOGS),
        (workload("shop", record="note: none"), LOGS),
    ],
    ids=[
        "before it",
        "behind a Service",
        "behind another workload",
        "the second one",
        "another kind",
        "without record",
    ],
)
def test_detects_displaced_companions(documents: tuple[str, ...]) -> None:
    assert has_displaced_companions(split("---\n".join(documents), "-"))


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (1, 3, 0, 2), (2, 0, 3, 1), (3, 2, 1, 0)])
def test_removes_companions_in_any_order(order: tuple[int, ...], tmp_path: Path) -> None:
    plain = [workload(name, record="note: none") for name in ("shop", "blog")]
    added = run("sidecarctl add logger -q", tmp_path, stdin="---\n".join(plain))
    assert added.code == 0, added.stderr
    documents = added.stdout.split("---\n")
    assert len(documents) == 4
    moved = "---\n".join(documents[index] for index in order)
    assert run("sidecarctl add logger -q", tmp_path, stdin=moved).stdout == moved
    removed = run("sidecarctl remove logger -q", tmp_path, stdin=moved)
    assert removed.code == 0, removed.stderr
    assert removed.stdout.removeprefix("---\n") == "---\n".join(plain[index // 2] for index in order if index % 2 == 0)


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"


def test_companions_of_two_workloads_of_one_name_are_removed_with_the_one_that_they_follow(tmp_path: Path) -> None:
    item = "- " + POD.replace("\n", "\n  ").rstrip() + "\n"
    text = f"apiVersion: v1\nkind: List\nitems:\n{item}---\n{POD}"
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert added.stdout.count("kind: ConfigMap") == 2, added.stderr
    removed = run("sidecarctl remove logger", tmp_path, stdin=added.stdout)
    assert (removed.stdout, "companion-left-behind" in removed.stderr) == (text, False)
