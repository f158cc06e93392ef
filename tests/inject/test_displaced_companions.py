"""Companions that another program moved away from their workload are detected and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.inject.companion_homes import Homes
from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.displaced_companions import has_displaced_companions
from sidecarctl.yamltext.stream import split
from tests.calls import count_calls
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
IN_BLOCK_STYLE = SHOP.replace("metadata: {name: shop}", "metadata:\n  name: plain")
LOGS, PROXY = companion("Deployment/shop/logger"), companion("Deployment/shop/proxy")


@pytest.mark.parametrize(
    "documents",
    [
        (SHOP, LOGS),
        (SHOP, LOGS, PROXY),
        (OTHER, SHOP, LOGS, BLOG, OTHER),
        (workload("shop, namespace: prod", "StatefulSet"), companion("StatefulSet/prod/shop/logger")),
        (IN_BLOCK_STYLE.replace("plain", "'shop'"), LOGS),
        (IN_BLOCK_STYLE.replace("plain", '"sh\\x6fp"'), LOGS),
        (IN_BLOCK_STYLE.replace("plain", "&name shop # the shop"), LOGS),
        (IN_BLOCK_STYLE.replace("plain", "shop\n  namespace: prod"), companion("Deployment/prod/shop/logger")),
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
        (workload("shop-admin"), LOGS),
        (workload("blog, labels: {app: shop}"), LOGS),
        (workload("shop, namespace: prod"), companion("Deployment/test/shop/logger")),
        (IN_BLOCK_STYLE.replace("plain", 'shop\n  "namespace": prod'), LOGS),
        (IN_BLOCK_STYLE.replace("plain", 'blog\n  annotations: {note: "x\n  name: shop"}'), LOGS),
        (IN_BLOCK_STYLE.replace("plain", "blog\n  labels:\n    name: shop"), LOGS),
    ],
    ids=[
        "before it",
        "behind a Service",
        "behind another workload",
        "the second one",
        "another kind",
        "without record",
        "a longer name",
        "a label of the name",
        "another namespace",
        "a quoted key",
        "a line of a quoted text",
        "a label called name",
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


@pytest.mark.parametrize("names", [("web", "web-admin"), ("web\n  namespace: one", "web\n  namespace: two")])
def test_companions_behind_a_workload_whose_text_has_the_name_are_found(names: tuple[str, str], tmp_path: Path) -> None:
    plain = [IN_BLOCK_STYLE.replace("plain", name).replace("sidecarctl.dev/sidecars: '{}'", "") for name in names]
    added = run("sidecarctl add logger -q", tmp_path, stdin="---\n".join(plain)).stdout.split("---\n")
    moved = "---\n".join((added[0], added[2], added[1], added[3]))
    upgraded = run("sidecarctl upgrade logger -q --set logDir=/other", tmp_path, stdin=moved)
    assert (upgraded.code, upgraded.stderr) == (0, "")
    removed = run("sidecarctl remove logger", tmp_path, stdin=moved)
    assert (removed.stdout, "companion-left-behind" in removed.stderr) == ("---\n".join(plain), False)


def test_companion_of_the_original_stays_when_it_is_removed_from_a_copy(tmp_path: Path) -> None:
    original = IN_BLOCK_STYLE.replace("plain", "web").replace("sidecarctl.dev/sidecars: '{}'", "")
    workload, companion = run("sidecarctl add logger -q", tmp_path, stdin=original).stdout.split("---\n")
    copied = "---\n".join((workload, workload.replace("name: web\n", "name: web2\n", 1), companion))
    removed = run("sidecarctl remove logger -q --name web2", tmp_path, stdin=copied)
    assert removed.code == 0
    assert companion in removed.stdout


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"


def test_companions_of_two_workloads_of_one_name_are_removed_with_the_one_that_they_follow(tmp_path: Path) -> None:
    item = "- " + POD.replace("\n", "\n  ").rstrip() + "\n"
    text = f"apiVersion: v1\nkind: List\nitems:\n{item}---\n{POD}"
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert added.stdout.count("kind: ConfigMap") == 2, added.stderr
    removed = run("sidecarctl remove logger", tmp_path, stdin=added.stdout)
    assert (removed.stdout, "companion-left-behind" in removed.stderr) == (text, False)


@pytest.mark.parametrize("escape", ["\\/", "\\x2f", "\\u002f"])
def test_companion_and_record_with_escaped_keys_are_found(escape: str, tmp_path: Path) -> None:
    text = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"web:1"}]}}\n'
    added = run("sidecarctl add logger -q", tmp_path, stdin=text).stdout
    escaped = added.replace('"sidecarctl.dev/', f'"sidecarctl.dev{escape}')
    removed = run("sidecarctl remove logger", tmp_path, stdin=escaped)
    assert (removed.stdout, "companion-left-behind" in removed.stderr) == (text, False)


def test_every_document_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    text = "---\n".join(
        (LOGS, SHOP.replace("'{}'", """'{"v":2,"instances":{"logger":{}}}'"""), "a: :\n---sidecarctl.dev/owner")
    )
    done = run("sidecarctl remove logger", tmp_path, stdin=text)
    assert done.code == 3
    assert 'invalid document separator "---sidecarctl.dev/owner"' in done.stderr


def test_byte_order_mark_stays_when_a_companion_is_the_first_document(tmp_path: Path) -> None:
    workload, companion = run("sidecarctl add logger -q", tmp_path, stdin=POD).stdout.split("---\n")
    (tmp_path / "x.yaml").write_text(f"\ufeff{companion}---\n{workload}", encoding="utf-8")
    assert run("sidecarctl remove logger -q x.yaml -i", tmp_path).code == 0
    assert (tmp_path / "x.yaml").read_text(encoding="utf-8") == f"\ufeff---\n{POD}"


def test_a_renamed_workload_is_searched_in_linear_time_of_the_name_of_its_companion() -> None:
    def count(name: str) -> int:
        metadata = {"name": name, "annotations": {"sidecarctl.dev/owner": "Pod/a/logger"}}
        renamed = Companion({"kind": "ConfigMap", "metadata": metadata})
        return count_calls(lambda: Homes(()).find_fitting(renamed)).total()

    assert 0 < count("a" * 200) <= 2 * count("a" * 100)
    assert count("a" * 1000) <= count("a" * 100)  # longer than a name can be
