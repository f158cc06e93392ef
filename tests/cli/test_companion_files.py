"""Companions in other files than their workloads: found, edited, and removed where they are; never written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Outcome, run
from tests.security.kit import library

DEPLOYMENT = """\
# the front
apiVersion: apps/v1
kind: Deployment
metadata:
  name: front
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      containers:
      - {name: front, image: "registry.example/front:2.1.0"}
"""
OWN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata: {a: b} # ours\n"


def call(command: str, directory: Path, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command}", directory)
    assert outcome.code == code, outcome.stderr
    return outcome


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A directory with the workload in one file, and its ConfigMap behind another object in a second one."""
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "workload.yaml").write_text(DEPLOYMENT)
    call("add logger k8s -i --set logDir=/var/log/front", tmp_path)
    head, separator, companion = (tmp_path / "k8s" / "workload.yaml").read_text().partition("---\n")
    (tmp_path / "k8s" / "workload.yaml").write_text(head)
    (tmp_path / "k8s" / "config.yaml").write_text(OWN + separator + companion)
    return tmp_path


def texts(repo: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (repo / "k8s").iterdir()}


def test_remove_takes_the_companion_out_of_its_file(repo: Path) -> None:
    call("remove logger k8s -i", repo)
    assert texts(repo) == {"workload.yaml": DEPLOYMENT, "config.yaml": OWN}


def test_remove_without_the_file_says_what_is_left_behind(repo: Path) -> None:
    outcome = call("remove logger k8s/workload.yaml -i", repo)
    assert "warning[companion-left-behind]: ConfigMap front-logger of logger is not in the input" in outcome.stderr
    assert texts(repo)["workload.yaml"] == DEPLOYMENT


def test_equal_parameters_change_nothing(repo: Path) -> None:
    before = texts(repo)
    outcome = call("add logger k8s -i --set logDir=/var/log/front", repo)
    assert "unchanged logger" in outcome.stderr
    assert texts(repo) == before


def test_equal_parameters_without_the_file_change_nothing(repo: Path) -> None:
    before = texts(repo)
    call("add logger k8s/workload.yaml -i", repo)
    assert texts(repo) == before


def test_upgrade_edits_the_companion_in_its_file(repo: Path) -> None:
    call("upgrade logger k8s -i --set flush=7", repo)
    assert texts(repo)["workload.yaml"].count("kind: ConfigMap") == 0
    assert "flush: 7" in texts(repo)["config.yaml"] and texts(repo)["config.yaml"].startswith(OWN)
    assert texts(repo)["config.yaml"].count("kind: ConfigMap") == 2
    assert "in sync" in call("status k8s --check", repo).stdout


def test_upgrade_without_the_file_is_a_conflict(repo: Path) -> None:
    before = texts(repo)
    outcome = call("upgrade logger k8s/workload.yaml -i --set flush=7", repo, 1)
    assert "is not in the input, but changes" in outcome.stderr
    assert texts(repo) == before


def test_several_jobs_give_the_same_result(repo: Path) -> None:
    call("upgrade logger k8s --set flush=7 -o one/", repo)
    call("upgrade logger k8s --set flush=7 -o two/ --jobs 2", repo)
    for name in ("workload.yaml", "config.yaml"):
        assert (repo / "one" / name).read_bytes() == (repo / "two" / name).read_bytes()


def test_namespace_added_by_hand_keeps_one_companion(repo: Path) -> None:
    for name, before in (("workload.yaml", "name: front\nspec:"), ("config.yaml", "name: front-logger\n")):
        file = repo / "k8s" / name
        assert before in file.read_text()
        file.write_text(file.read_text().replace(before, before.replace("\n", "\n  namespace: shop\n", 1)))
    call("upgrade logger k8s -i --set flush=7", repo)
    assert "".join(texts(repo).values()).count("name: front-logger\n  namespace: shop") == 1
    assert "flush: 7" in texts(repo)["config.yaml"]
    assert "in sync" in call("status k8s --check", repo).stdout
    call("remove --all k8s -i", repo)
    assert "sidecarctl" not in "".join(texts(repo).values())


def test_workload_renamed_by_hand_keeps_its_companion(repo: Path) -> None:
    file = repo / "k8s" / "workload.yaml"
    file.write_text(file.read_text().replace("  name: front\n", "  name: shop-window\n"))
    call("upgrade logger k8s -i --set flush=7", repo)
    assert texts(repo)["workload.yaml"].count("kind: ConfigMap") == 0
    assert "flush: 7" in texts(repo)["config.yaml"] and "name: front-logger" in texts(repo)["config.yaml"]
    call("remove logger k8s -i", repo)
    assert texts(repo)["config.yaml"] == OWN


@pytest.mark.parametrize("place", ["config.yaml", "copy.yaml", "a.yaml"])
@pytest.mark.parametrize(
    ("before", "after", "selection"),
    [
        ("name: front\nspec:", "name: copy\nspec:", "--name copy"),
        ("kind: Deployment", "kind: StatefulSet", "--kind StatefulSet"),
        ("name: front\nspec:", "name: front\n  namespace: test\nspec:", "-n test"),
    ],
    ids=["another name", "another kind", "another namespace"],
)
def test_companion_of_the_original_stays_when_it_is_removed_from_a_copy_in_another_file(
    before: str, after: str, selection: str, place: str, repo: Path
) -> None:
    original, config = texts(repo)["workload.yaml"], texts(repo)["config.yaml"]
    assert original.count(before) == 1
    below = f"---\n{config}" if place == "config.yaml" else ""
    (repo / "k8s" / place).write_text(original.replace(before, after) + below)
    copied = texts(repo)
    call("add logger k8s -i --set logDir=/var/log/front", repo)
    assert texts(repo) == copied
    outcome = call(f"remove logger k8s -i {selection}", repo)
    assert "warning[companion-left-behind]: ConfigMap front-logger" in outcome.stderr
    expected = DEPLOYMENT.replace(before, after) + below
    assert texts(repo) == {"config.yaml": config, "workload.yaml": original, place: expected}
    call("remove logger k8s -i", repo)
    assert "sidecarctl" not in "".join(texts(repo).values())


def test_companions_in_files_with_workloads_of_their_own(repo: Path) -> None:
    """Each of three files has the ConfigMap of the next file's workload."""
    names = ("one", "two", "three")
    for name in names:
        (repo / f"{name}.yaml").write_text(DEPLOYMENT.replace("front", name))
        call(f"add logger {name}.yaml -i", repo)
    parts = {name: (repo / f"{name}.yaml").read_text().split("---\n") for name in names}
    for name, other in zip(names, (*names[1:], names[0]), strict=True):
        (repo / f"{name}.yaml").write_text("---\n".join((parts[name][0], parts[other][1])))
    files = " ".join(f"{name}.yaml" for name in names)
    call(f"upgrade logger {files} -i --set flush=7", repo)
    for name in names:
        assert (repo / f"{name}.yaml").read_text().count("flush: 7") == 1
    call(f"remove logger {files} -i", repo)
    for name in names:
        assert (repo / f"{name}.yaml").read_text() == DEPLOYMENT.replace("front", name)


POD = """\
---
apiVersion: v1
kind: Pod
metadata:
  name: front
spec:
  containers:
  - name: front
    image: registry.example/front:1.0.0
"""


def test_workloads_of_one_name_do_not_share_a_companion(tmp_path: Path) -> None:
    (tmp_path / "front.yaml").write_text(DEPLOYMENT + POD)
    outcome = call("add logger front.yaml -i", tmp_path, 1)
    assert "logger adds ConfigMap front-logger to Deployment/front and Pod/front" in outcome.stderr
    assert f" --> front.yaml:{DEPLOYMENT.count(chr(10)) + 2}:1" in outcome.stderr
    call("add logger front.yaml -i --kind Deployment", tmp_path)
    outcome = call("add logger front.yaml -i --kind Pod", tmp_path, 1)
    assert "ConfigMap front-logger exists already" in outcome.stderr
    call("add logger front.yaml -i --kind Pod --as logs", tmp_path)
    call("add logger front.yaml --check --kind Deployment", tmp_path)
    call("remove --all front.yaml -i", tmp_path)
    assert (tmp_path / "front.yaml").read_text() == DEPLOYMENT + POD


def test_name_of_another_object_of_the_file_is_refused(tmp_path: Path) -> None:
    taken = OWN.replace("{name: own}", "{name: front-logger}")
    (tmp_path / "front.yaml").write_text(f"{DEPLOYMENT}---\n{taken}")
    outcome = call("add logger front.yaml -i", tmp_path, 1)
    assert "error[duplicate-object]: ConfigMap front-logger exists already" in outcome.stderr
    assert "--> front.yaml:16:" in outcome.stderr
    assert (tmp_path / "front.yaml").read_text() == f"{DEPLOYMENT}---\n{taken}"
    call("add logger front.yaml -i --as logs", tmp_path)


def test_companions_of_one_name_in_two_namespaces_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "front.yaml").write_text(DEPLOYMENT)
    call("add logger front.yaml -i", tmp_path)
    workload, companion = (tmp_path / "front.yaml").read_text().split("---\n")
    (tmp_path / "front.yaml").unlink()
    companions = []
    for namespace in ("prod", "staging"):
        moved = workload.replace("  name: front\nspec:", f"  name: front\n  namespace: {namespace}\nspec:")
        (tmp_path / f"{namespace}.yaml").write_text(moved)
        companions.append(
            companion.replace("  name: front-logger\n", f"  name: front-logger\n  namespace: {namespace}\n")
        )
    (tmp_path / "config.yaml").write_text("---\n".join((OWN, *companions)))
    call("upgrade logger . -i --set flush=7", tmp_path)
    assert (tmp_path / "config.yaml").read_text().count("flush: 7") == 2
    assert "all in sync" in call("status . --check", tmp_path).stdout
    call("remove logger . -i", tmp_path)
    assert (tmp_path / "config.yaml").read_text() == OWN


def test_new_companion_is_written_beside_its_workload_and_overwrites_none(repo: Path) -> None:
    before = texts(repo)
    call("add proxy k8s -i --set upstreamPort=8080", repo)
    assert texts(repo)["config.yaml"] == before["config.yaml"]
    assert "name: front-proxy\n" in texts(repo)["workload.yaml"]
    call("remove proxy k8s -i", repo)
    assert texts(repo) == before


def test_object_that_only_names_an_owner_is_not_overwritten_by_a_new_companion(tmp_path: Path) -> None:
    (tmp_path / "front.yaml").write_text(DEPLOYMENT)
    call("add log-tail front.yaml -i", tmp_path)
    claim = OWN.replace("{name: own}", "{name: own, annotations: {sidecarctl.dev/owner: Deployment/front/log-tail}}")
    (tmp_path / "claim.yaml").write_text(claim)
    call("add proxy . -i --set upstreamPort=8080", tmp_path)
    assert (tmp_path / "claim.yaml").read_text() == claim
    assert "name: front-proxy\n" in (tmp_path / "front.yaml").read_text()


def test_missing_final_line_break_of_another_file_is_not_that_of_the_workload(repo: Path) -> None:
    config = repo / "k8s" / "config.yaml"
    config.write_text(config.read_text().removesuffix("\n"))
    call("remove logger k8s -i", repo)
    assert texts(repo) == {"workload.yaml": DEPLOYMENT, "config.yaml": OWN.removesuffix("\n")}


def test_missing_final_line_break_comes_back_if_another_file_has_a_companion(repo: Path) -> None:
    workload = repo / "k8s" / "workload.yaml"
    workload.write_text(workload.read_text().removesuffix("\n"))
    call("add proxy k8s -i --set upstreamPort=8080", repo)
    call("remove --all k8s -i", repo)
    assert texts(repo) == {"workload.yaml": DEPLOYMENT.removesuffix("\n"), "config.yaml": OWN}


def test_value_keeps_its_line_break_if_the_companion_behind_it_has_none(tmp_path: Path) -> None:
    block = (
        "- name: front\n        image: a:1\n        env:\n        - name: KEY\n          value: |\n            end\n"
    )
    text = DEPLOYMENT.partition("- {name")[0] + block
    (tmp_path / "front.yaml").write_text(text)
    call("add logger front.yaml -i", tmp_path)
    (tmp_path / "front.yaml").write_text((tmp_path / "front.yaml").read_text().removesuffix("\n"))
    call("remove logger front.yaml -i", tmp_path)
    assert (tmp_path / "front.yaml").read_text() == text


@pytest.mark.parametrize("end", ["\n  ", "\n\n ", "\n            ", "\r\n  "])
@pytest.mark.parametrize("header", ["|", ">", "|-", "|+", ">+"])
@pytest.mark.parametrize("sidecar", ["logger", "mine"])
def test_blanks_without_a_line_break_after_a_block_scalar_come_back(
    sidecar: str, header: str, end: str, tmp_path: Path
) -> None:
    config = "documents: [{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion }}}, data: {a: b}}]\n"
    library(tmp_path, f"containers: [{{name: mine, image: 'x:1'}}]\n{config}")
    block = f"- name: front\n        image: a:1\n        env:\n        - name: KEY\n          value: {header}\n            x{end}"
    text = DEPLOYMENT.partition("- {name")[0] + block
    (tmp_path / "front.yaml").write_bytes(text.encode())
    added = run(f"sidecarctl add {sidecar} --library lib front.yaml -i", tmp_path)
    refused = sidecar == "mine" and "+" in header  # a companion behind it would change the value
    assert (added.code, "inside a block scalar" in added.stderr) == ((1, True) if refused else (0, False)), added.stderr
    if not refused:
        assert "kind: ConfigMap" in (tmp_path / "front.yaml").read_text()
        call("remove --all front.yaml -i", tmp_path)
    assert (tmp_path / "front.yaml").read_bytes() == text.encode()


@pytest.mark.parametrize("names", ["config.yaml workload.yaml", "workload.yaml config.yaml"])
def test_workload_is_not_changed_if_the_file_of_its_companion_fails(names: str, repo: Path) -> None:
    broken = POD.replace("spec:", "  annotations: {sidecarctl.dev/sidecars: broken}\nspec:")
    config = repo / "k8s" / "config.yaml"
    config.write_text(config.read_text() + broken)
    before = texts(repo)
    files = " ".join(f"k8s/{name}" for name in names.split())
    outcome = call(f"remove logger {files} -i --keep-going", repo, 3)
    assert texts(repo) == before
    assert "workload.yaml change" not in outcome.stderr
    assert (
        "error: not changed: workloads and companions of this file and of k8s/config.yaml change together, "
        "and k8s/config.yaml has errors\n --> k8s/workload.yaml\n" in outcome.stderr
    )
    assert "no instance of logger" not in outcome.stderr


@pytest.mark.parametrize("command", ["add logger --set flush=9", "add proxy --set upstreamPort=80", "remove logger"])
@pytest.mark.parametrize("names", ["config.yaml workload.yaml", "workload.yaml config.yaml"])
def test_document_that_cannot_be_split_from_a_companion_is_kept(names: str, command: str, repo: Path) -> None:
    config = repo / "k8s" / "config.yaml"
    config.write_text(config.read_text() + "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: precious}}\n")
    before = texts(repo)
    files = " ".join(f"k8s/{name}" for name in names.split())
    for flags in ("-i", "-i --keep-going"):
        outcome = call(f"{command} {files} {flags}", repo, 3)
        assert outcome.stderr.count("error: ") == 1 and "k8s/config.yaml:" in outcome.stderr
        assert texts(repo) == before


def test_companion_stays_if_a_port_of_its_workload_cannot_be_restored(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace('2.1.0"', '2.1.0", ports: [{containerPort: 8080}]'))
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec: {selector: {app: front}, ports: [{port: 8080}]}\n"
    (tmp_path / "service.yaml").write_text(service)
    call("add logger proxy . -i --retarget --set logger.logDir=/logs", tmp_path)
    documents = (tmp_path / "web.yaml").read_text().split("---\n")
    ours = [each for each in documents if "owner: Deployment/front/logger" in each]
    (tmp_path / "config.yaml").write_text("---\n".join(ours))
    (tmp_path / "web.yaml").write_text("---\n".join(each for each in documents if each not in ours))
    (tmp_path / "service.yaml").write_text((tmp_path / "service.yaml").read_text() + "--- {a: b}\n")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert "targetPort: 10000" in before["service.yaml"] and "logger" in before["config.yaml"]
    outcome = call("remove --all . -i --keep-going", tmp_path, 3)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert "error: not changed: workloads and companions of this file and of web.yaml" in outcome.stderr
