"""Names of companions are valid and unique, a list of another kind gets none, and comments around a removed one stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sidecarctl.inject.companions import companion_name
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.names import check_dns_label
from sidecarctl.kube.workload import Workload, workloads
from tests.command import run


def workload(name: str) -> Workload:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "web"}]}}
    return next(iter(workloads(pod, DEFAULT_KINDS)))


@pytest.mark.parametrize("length", [62, 63, 64, 65, 253])
def test_cuts_only_names_longer_than_a_dns_label(length: int) -> None:
    name = "w" * (length - len("-logger"))
    found = companion_name(workload(name), "logger")
    assert check_dns_label(found) is None
    assert (found == f"{name}-logger") is (length <= 63)


@pytest.mark.parametrize("length", [64, 80])
def test_cut_names_are_unique(length: int) -> None:
    name = "w" * (length - len("-agent-1"))
    first, second = (companion_name(workload(name), instance) for instance in ("agent-1", "agent-2"))
    assert first != second


def test_list_of_one_kind_cannot_hold_a_companion(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: web}\n  spec: {containers: [{name: web, image: web:1}]}\n"
    done = run("sidecarctl add logger", tmp_path, stdin=text)
    assert (done.code, done.stdout) == (2, ""), done.stderr
    assert 'a PodList cannot hold the ConfigMap of sidecar "logger"' in done.stderr
    assert run("sidecarctl add log-tail", tmp_path, stdin=text).code == 0
    mixed = text.replace("PodList", "List").replace("- metadata", "- apiVersion: v1\n  kind: Pod\n  metadata")
    assert run("sidecarctl add logger", tmp_path, stdin=mixed).code == 0


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"


@pytest.mark.parametrize("files", [("web.yaml", "web.yaml"), ("web.yaml", "others.yaml"), ("others.yaml", "web.yaml")])
@pytest.mark.parametrize("end", ["", "---\n" + SERVICE])
def test_comments_around_a_removed_companion_stay(end: str, files: tuple[str, str], tmp_path: Path) -> None:
    pod = "# of us\nkind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec: {containers: [{name: web, image: web:1}]}\n# end\n"
    first, second = (tmp_path / name for name in files)
    first.write_text(pod)
    assert run(f"sidecarctl add logger {first.name} -i", tmp_path).code == 0
    workload, companion = first.read_text().split("---\n")
    noted = f"# Source: the wiki\n\n{companion}\n  # after\n... # at the end\n# behind\n{end}"
    left = f"# Source: the wiki\n# after\n# at the end\n# behind\n{end}"
    first.write_text(workload if first != second else f"{workload}--- # ours\n{noted}")
    if first != second:
        second.write_text(f"--- # ours\n{noted}")
    assert run("sidecarctl remove logger . -i", tmp_path).code == 0
    assert first.read_text() == (pod if first != second else f"{pod}# ours\n{left}")
    assert first == second or second.read_text() == f"--- # ours\n{left}"


def test_source_comment_behind_a_removed_companion_stays_in_a_file_that_helm_never_saw(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: web:1}]}\n"
    (tmp_path / "web.yaml").write_text(pod)
    assert run("sidecarctl add logger web.yaml -i", tmp_path).code == 0
    note = "# Source: https://wiki.example/runbook\n"
    (tmp_path / "web.yaml").write_text((tmp_path / "web.yaml").read_text() + note)
    assert run("sidecarctl remove logger web.yaml -i", tmp_path).code == 0
    assert (tmp_path / "web.yaml").read_text() == pod + note


def test_comments_around_a_removed_companion_do_not_follow_json(tmp_path: Path) -> None:
    containers = '[{"name": "web", "image": "web:1"}]'
    pod = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "web"}}, "spec": {{"containers": {containers}}}}}\n'
    (tmp_path / "web.yaml").write_text(pod)
    assert run("sidecarctl add logger web.yaml -i", tmp_path).code == 0
    text = (tmp_path / "web.yaml").read_text()
    (tmp_path / "web.yaml").write_text(text.replace("---\n", "---\n# before\n"))
    assert run("sidecarctl remove logger . -i", tmp_path).code == 0
    assert (tmp_path / "web.yaml").read_text() == f"{pod}---\n# before\n"


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\x9f", "\ufeff", "\ufffe", "\uffff", "\u2028", "😀"])
def test_json_companion_means_what_the_template_wrote(character: str, tmp_path: Path) -> None:
    entry = tmp_path / "lib" / "one"
    entry.mkdir(parents=True)
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"k": f"a{character}b"}}
    (entry / "template.yaml").write_text(json.dumps({"documents": [content]}))
    (entry / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: one, version: 1.0.0, summary: One.}\n"
        "spec: {engine: plain}\n"
    )
    containers = '[{"name": "web", "image": "web:1"}]'
    pod = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "web"}}, "spec": {{"containers": {containers}}}}}\n'
    done = run("sidecarctl add one --library lib", tmp_path, stdin=pod)
    assert done.code == 0, done.stderr
    _, companion = yaml.safe_load_all(done.stdout)
    assert companion["data"] == content["data"]


@pytest.mark.parametrize("margin", ["", "  "])
@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("- # ours\n{0}  ", "{0}# ours\n"),
        ("-\n{0}  # ours\n\n# also\n{0}  ", "{0}# ours\n# also\n"),
        ("- &us # ours\n{0}  ", "{0}# ours\n"),
        ("# before\n{0}- # ours\n{0}  ", "# before\n{0}# ours\n"),
    ],
)
def test_comments_behind_the_dash_of_a_removed_companion_stay(
    margin: str, written: str, left: str, tmp_path: Path
) -> None:
    pod = "kind: Pod\napiVersion: v1\nspec: {containers: [{name: web, image: web:1}]}\n"
    pod += "metadata:\n  name: web\n  annotations:\n    note: |\n      last"
    text = f"apiVersion: v1\nkind: List\nitems:\n{margin}- " + pod.replace("\n", f"\n{margin}  ") + "\n"
    done = run("sidecarctl add logger", tmp_path, stdin=text)
    assert done.code == 0, done.stderr
    workload, companion = done.stdout.rsplit(f"\n{margin}- ", 1)
    start = written.format(margin)
    noted = f"{workload}\n{margin if start[0] == '-' else ''}{start}{companion}"
    done = run("sidecarctl remove logger", tmp_path, stdin=noted)
    assert (done.code, done.stdout) == (0, text + left.format(margin)), done.stderr
