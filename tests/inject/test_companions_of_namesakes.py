"""Workloads of one name, objects with several pod templates, and other objects: whose companion is whose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sidecarctl
from tests.command import run

POD = "apiVersion: v1\nkind: Pod\nmetadata: {%s}\nspec: {containers: [{name: a, image: 'a:1'}]}\n"
TAKEN = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-logger}\ndata: {a: b}\n"


def listed(*objects: str) -> str:
    items = "".join("- " + each.replace("\n", "\n  ").rstrip() + "\n" for each in objects)
    return f"apiVersion: v1\nkind: List\nitems:\n{items}"


def job_set(first: str, second: str) -> str:
    jobs = "".join(
        f"  - name: j{number}\n    template: {{spec: {{template: {{spec: {{containers: [{{{each}}}]}}}}}}}}\n"
        for number, each in enumerate((first, second))
    )
    return (
        f"apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {{name: x}}\nspec:\n  replicatedJobs:\n{jobs}"
    )


SAME = job_set("name: a, image: 'a:1'", "name: a, image: 'a:1'")
PORTS = job_set(
    "name: a, image: 'a:1', ports: [{containerPort: 8080}]", "name: a, image: 'a:1', ports: [{containerPort: 9090}]"
)


def command(words: str, folder: Path, code: int = 0) -> str:
    outcome = run(f"sidecarctl {words}", folder)
    assert outcome.code == code, outcome.stderr
    return outcome.stdout + outcome.stderr


@pytest.mark.parametrize("files", ["list", "files"])
def test_workloads_of_one_name_in_two_namespaces_keep_their_companions(files: str, tmp_path: Path) -> None:
    pods = [POD % "name: web", POD % "name: web, namespace: prod"]
    k = tmp_path / "k"
    k.mkdir()
    if files == "list":
        (k / "all.yaml").write_text(listed(*pods))
        command("add logger k -i -q", tmp_path)
    else:
        for name, text in zip("ab", pods):
            (k / f"{name}.yaml").write_text(text)
        command("add logger k -i -q", tmp_path)
        companions = []
        for name in "ab":
            pod, _, companion = (k / f"{name}.yaml").read_text().partition("---\n")
            (k / f"{name}.yaml").write_text(pod)
            companions.append(companion)
        (k / "z.yaml").write_text("---\n".join(companions))
    added = {path.name: path.read_text() for path in k.iterdir()}
    command("add logger k -i -q", tmp_path)
    assert {path.name: path.read_text() for path in k.iterdir()} == added
    command("add logger --set log_level=debug k -i -q", tmp_path)
    assert "2 instances: all in sync" in command("status k", tmp_path)
    command("remove logger -n prod k -i -q", tmp_path)
    owners = [line.strip() for path in k.iterdir() for line in path.read_text().splitlines() if "owner:" in line]
    assert owners == ["sidecarctl.dev/owner: Pod/web/logger"]
    assert "1 instance: in sync" in command("status k", tmp_path)


@pytest.mark.parametrize("text", [SAME, listed(SAME)])
def test_pod_templates_of_one_object_share_a_companion(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    command("add logger x.yaml -i -q", tmp_path)
    assert (tmp_path / "x.yaml").read_text().count("kind: ConfigMap") == 1
    command("validate x.yaml", tmp_path)
    command("add logger --set logDir=/var/x x.yaml -i -q", tmp_path)
    assert "2 instances: all in sync" in command("status x.yaml", tmp_path)
    command("remove logger x.yaml -i -q", tmp_path)
    assert (tmp_path / "x.yaml").read_text() == text


@pytest.mark.parametrize("text", [PORTS, listed(PORTS)])
def test_pod_templates_that_need_different_companions_are_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    for words in ("add service-registrar --set address=http://c:8500", "add proxy"):
        shown = command(f"{words} x.yaml -i", tmp_path, code=2)
        assert "the pod templates of JobSet/x need different versions of ConfigMap/x-" in shown
    assert (tmp_path / "x.yaml").read_text() == text


def test_objects_with_one_generate_name_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(listed(POD % "generateName: x-", POD % "generateName: x-"))
    assert "one would replace the other" in command("add logger x.yaml -i", tmp_path, code=1)


@pytest.mark.parametrize("words", ["add logger x.yaml", "post-render -c c.yaml", "krm", "stream"])
@pytest.mark.parametrize("first", ["pod", "ConfigMap"])
def test_name_that_an_object_of_the_input_has_is_an_error(words: str, first: str, tmp_path: Path) -> None:
    pod = POD % "name: web"
    text = pod + TAKEN if first == "pod" else TAKEN.removeprefix("---\n") + "---\n" + pod
    (tmp_path / "c.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        "spec: {rules: [{select: {all: true}, sidecars: [{name: logger}]}]}\n"
    )
    if words == "krm":
        config = "{apiVersion: sidecarctl.dev/v1alpha1, kind: SidecarInjection, metadata: {name: x}, spec: {sidecar: logger}}"
        body = listed(pod, TAKEN.removeprefix("---\n")).partition("items:\n")[2]
        text = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {config}\nitems:\n{body}"
    elif words == "stream":
        words = "add logger x.yaml"
        text += "".join(
            f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{a: {'b' * 900_000}}}\n"
            for n in "123"
        )
    (tmp_path / "x.yaml").write_text(text)
    outcome = run(f"sidecarctl {words}", tmp_path, stdin=None if "x.yaml" in words else text)
    assert outcome.code == 1, outcome.stderr
    assert "ConfigMap web-logger exists already, and sidecar logger adds one of the same name" in outcome.stderr
    assert "fluent-bit" not in outcome.stdout


def test_functions_report_a_taken_name() -> None:
    result = sidecarctl.add(POD % "name: web" + TAKEN, ["logger"])
    assert result.failed
    assert [finding.rule for finding in result.findings if finding.severity == "error"] == ["duplicate-object"]


def test_companion_that_an_upgrade_brings_must_have_a_free_name(tmp_path: Path) -> None:
    mounted = (
        "image: 'a:1', volumeMounts: [{name: c, mountPath: /etc/app}]}], volumes: [{name: c, configMap: {name: c}}]}"
    )
    pod = (POD % "name: web").replace("image: 'a:1'}]}", mounted)
    (tmp_path / "x.yaml").write_text(pod + TAKEN.replace("web-logger", "web-config-reloader"))
    watched = json.dumps([{"path": "/etc/app"}])
    outcome = run(
        ["sidecarctl", "add", "config-reloader", "x.yaml", "-i", "-q", "--set", f"watched-dir={watched}"], tmp_path
    )
    assert outcome.code == 0, outcome.stderr
    words = "add config-reloader x.yaml -i --set reload-method=signal --set process-executable-name=app"
    assert "ConfigMap web-config-reloader exists already" in command(words, tmp_path, code=1)


TWO_TEMPLATES = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: web}
spec:
  leaderWorkerTemplate:
    leaderTemplate: {spec: {containers: [{name: a, image: 'a:1'}]}}
    workerTemplate: {spec: {containers: [{name: a, image: 'a:1'}]}}
"""


def test_taken_name_is_an_error_for_an_object_with_several_pod_templates(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TWO_TEMPLATES + TAKEN)
    shown = command("add logger x.yaml -i", tmp_path, code=1)
    assert "ConfigMap web-logger exists already" in shown


def test_companion_on_the_other_side_of_a_list_is_not_written_twice(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(POD % "name: web")
    command("add logger x.yaml -i -q", tmp_path)
    pod, companion = (tmp_path / "x.yaml").read_text().split("---\n")
    (tmp_path / "x.yaml").write_text(listed(pod) + f"---\n{companion}")
    shown = command("add logger --set logDir=/x --on-conflict overwrite x.yaml -i", tmp_path, code=1)
    assert "ConfigMap web-logger exists already" in shown
    assert "put it and its workload into one List" in shown


def test_report_tells_the_pod_templates_of_one_object_apart(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TWO_TEMPLATES.replace(", image: 'a:1'}]}}\n", "}]}}\n", 1))
    shown = command("add log-tail x.yaml -i", tmp_path)
    assert shown.count("skipped: has no container with an image") == 1
    assert "added log-tail" in shown


@pytest.mark.parametrize("namespace", ["[a]", "{a: b}", "[[1]]"])
def test_namespace_of_another_type_has_no_name_in_common(namespace: str, tmp_path: Path) -> None:
    other = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x-logger, namespace: {namespace}}}\n"
    (tmp_path / "x.yaml").write_text(f"{POD % 'name: x'}---\n{other}")
    assert "internal error" not in command("add logger x.yaml -i", tmp_path)
    assert other in (tmp_path / "x.yaml").read_text()


@pytest.mark.parametrize(
    "form",
    [
        "&n web-logger",
        "!!str web-logger",
        "\n    web-logger",
        ">-\n    web-logger",
        '"web\\u002dlogger"',
        "'web-logger'",
    ],
)
def test_name_of_a_companion_is_taken_in_every_form(form: str, tmp_path: Path) -> None:
    other = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {form}\n"
    (tmp_path / "x.yaml").write_text(f"{POD % 'name: web'}---\n{other}")
    assert "duplicate-object" in command("add logger x.yaml -i", tmp_path, code=1)


@pytest.mark.parametrize("separator", ["", "\n"])
def test_objects_with_one_generate_name_in_one_line_are_an_error(separator: str, tmp_path: Path) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "x-"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    (tmp_path / "x.json").write_text(json.dumps(pod) + separator + json.dumps(pod))
    assert "one would replace the other" in command("add logger x.json -i", tmp_path, code=1)
