"""Custom kinds: every pod template, what runs to completion, what their webhooks reject, and kinds that are not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import run

SPEC = "spec:\n{0}  containers:\n{0}  - name: app\n{0}    image: registry.example/app:1.4.0\n"


def template(indent: int, extra: str = "") -> str:
    """Return a pod template at an indentation, below its key."""
    pad = " " * indent
    lines = [
        "spec:",
        *([f"  {extra}"] if extra else []),
        "  containers:",
        "  - name: app",
        "    image: registry.example/app:1.4.0",
    ]
    return "".join(f"{pad}{line}\n" for line in lines)


def head(api_version: str, kind: str) -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: sample\nspec:\n"


# Kind: manifest, number of pod templates, whether its pods run to completion.
KINDS: dict[str, tuple[str, int, bool]] = {
    "LeaderWorkerSet": (
        head("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
        + "  leaderWorkerTemplate:\n    leaderTemplate:\n"
        + template(6)
        + "    workerTemplate:\n"
        + template(6),
        2,
        False,
    ),
    "LeaderWorkerSet without a leader": (
        head("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
        + "  leaderWorkerTemplate:\n    workerTemplate:\n"
        + template(6),
        1,
        False,
    ),
    "JobSet": (
        head("jobset.x-k8s.io/v1alpha2", "JobSet")
        + "  replicatedJobs:\n  - name: a\n    template:\n      spec:\n        template:\n"
        + template(10, "restartPolicy: Never")
        + "  - name: b\n    template:\n      spec:\n        template:\n"
        + template(10, "restartPolicy: Never"),
        2,
        True,
    ),
    "ScaledJob": (
        head("keda.sh/v1alpha1", "ScaledJob")
        + "  jobTargetRef:\n    template:\n"
        + template(6, "restartPolicy: Never"),
        1,
        True,
    ),
    "RayCluster": (
        head("ray.io/v1", "RayCluster")
        + "  headGroupSpec:\n    template:\n"
        + template(6)
        + "  workerGroupSpecs:\n  - groupName: a\n    template:\n"
        + template(6),
        2,
        False,
    ),
    "PyTorchJob": (
        head("kubeflow.org/v1", "PyTorchJob")
        + "  pytorchReplicaSpecs:\n    Master:\n      template:\n"
        + template(8, "restartPolicy: OnFailure")
        + "    Worker:\n      template:\n"
        + template(8, "restartPolicy: OnFailure"),
        2,
        True,
    ),
    "Rollout": (head("argoproj.io/v1alpha1", "Rollout") + "  template:\n" + template(4), 1, False),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_pod_template_gets_the_sidecar_and_loses_it(name: str, tmp_path: Path) -> None:
    text, templates, _ = KINDS[name]
    added = run("sidecarctl add log-tail", tmp_path, stdin=text)
    assert (added.code, added.stdout.count("- name: log-tail\n")) == (0, templates), added.stderr
    assert run("sidecarctl add log-tail", tmp_path, stdin=added.stdout).stdout == added.stdout
    shown = run("sidecarctl status", tmp_path, stdin=added.stdout).stdout
    assert shown.count("in sync") == templates + 1
    assert run("sidecarctl validate", tmp_path, stdin=added.stdout).code == 0
    assert run("sidecarctl remove --all", tmp_path, stdin=added.stdout).stdout == text


@pytest.mark.parametrize("name", KINDS)
def test_classic_sidecar_is_refused_where_pods_run_to_completion(name: str, tmp_path: Path) -> None:
    text, _, completes = KINDS[name]
    done = run("sidecarctl add log-tail --mode classic", tmp_path, stdin=text)
    assert (done.code, "job-never-completes" in done.stderr) == ((1, True) if completes else (0, False))


def test_templates_of_one_object_share_equal_companions(tmp_path: Path) -> None:
    text = KINDS["LeaderWorkerSet"][0]
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert added.stdout.count("kind: ConfigMap\n") == 1
    assert run("sidecarctl add logger", tmp_path, stdin=added.stdout).stdout == added.stdout
    assert run("sidecarctl remove --all", tmp_path, stdin=added.stdout).stdout == text


def test_rollout_with_a_workload_reference_is_valid_and_names_the_workload(tmp_path: Path) -> None:
    text = (
        head("argoproj.io/v1alpha1", "Rollout")
        + "  workloadRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: web\n"
    )
    assert run("sidecarctl validate", tmp_path, stdin=text).code == 0
    done = run("sidecarctl add log-tail", tmp_path, stdin=text)
    assert (done.code, done.stdout) == (0, text)
    assert "skipped: has no pod template: workloadRef names Deployment/web" in done.stderr


KNATIVE = (
    head("serving.knative.dev/v1", "Service")
    + "  template:\n    spec:\n      containerConcurrency: 8\n      timeoutSeconds: 60\n      containers:\n"
    + "      - image: registry.example/app:1.4.0\n        ports:\n        - containerPort: 8080\n"
)


def test_fields_and_defaults_of_knative_are_valid(tmp_path: Path) -> None:
    assert run("sidecarctl validate", tmp_path, stdin=KNATIVE).code == 0
    wrong = KNATIVE.replace("timeoutSeconds", "timeoutSecond")
    assert 'unknown field "timeoutSecond"' in run("sidecarctl validate", tmp_path, stdin=wrong).stdout


def test_container_without_a_name_gets_the_mounts_and_loses_them(tmp_path: Path) -> None:
    added = run("sidecarctl add log-tail --mode classic", tmp_path, stdin=KNATIVE)
    assert (added.code, "mountPath" in added.stdout) == (0, True), added.stderr
    assert run("sidecarctl remove --all", tmp_path, stdin=added.stdout).stdout == KNATIVE


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", ("initContainers", "lifecycle", "kubernetes.podspec-init-containers", "--mode classic")),
        ("--mode classic", ("ports, livenessProbe and lifecycle", "multi-container-probing")),
    ],
)
def test_add_says_what_knative_rejects_and_which_features_allow_it(
    flags: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(f"sidecarctl add logger {flags}", tmp_path, stdin=KNATIVE)
    assert "warning[rejected-by-knative]" in done.stderr
    for word in words:
        assert word in " ".join(done.stderr.split())
    again = run("sidecarctl validate", tmp_path, stdin=done.stdout)
    assert "warning[rejected-by-knative]" in again.stdout


UNKNOWN = head("example.com/v1", "Widget") + "  podTemplate:\n" + template(4)
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata:
  name: platform
spec:
  kinds:
    example.com/Widget: {paths}
  rules:
  - select:
      kinds: [Widget]
    sidecars:
    - log-tail
"""


def test_unknown_kind_with_a_pod_template_is_named(tmp_path: Path) -> None:
    web = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n" + template(0)
    done = run("sidecarctl add log-tail", tmp_path, stdin=web + "---\n" + UNKNOWN)
    assert done.code == 0
    assert "not changed: Widget/sample: unknown kind with a pod template" in done.stderr
    assert "add `example.com/Widget: spec.podTemplate` to spec.kinds" in done.stderr


@pytest.mark.parametrize(
    ("api_version", "kind", "word"),
    [("argoproj.io/v1alpha1", "Workflow", "Argo Workflows"), ("tekton.dev/v1", "Task", "Tekton")],
)
def test_kind_without_a_pod_template_is_named_with_the_place_of_its_sidecars(
    api_version: str, kind: str, word: str, tmp_path: Path
) -> None:
    web = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n" + template(0)
    steps = head(api_version, kind) + "  steps:\n  - name: a\n    image: registry.example/a:1.0.0\n"
    done = run("sidecarctl add log-tail", tmp_path, stdin=web + "---\n" + steps)
    assert f"not changed: {kind}/sample: {word} has no pod template" in done.stderr


@pytest.mark.parametrize("paths", ["[spec.pool, spec.*]", "[spec.*, spec.pool]", "[spec.pool, spec.pool]"])
def test_two_paths_to_one_template_are_one_workload(paths: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: p}\n"
        f"spec:\n  kinds:\n    example.com/Widget: {paths}\n"
    )
    text = head("example.com/v1", "Widget") + "  pool:\n" + template(4) + "  size: 3\n"
    (tmp_path / "widget.yaml").write_text(text)
    assert run("sidecarctl add log-tail --set logDir=/x widget.yaml -i", tmp_path).code == 0
    assert (tmp_path / "widget.yaml").read_text().count("- name: log-tail\n") == 1
    assert run("sidecarctl remove log-tail widget.yaml -i", tmp_path).code == 0
    assert (tmp_path / "widget.yaml").read_text() == text


@pytest.mark.parametrize("paths", ["spec.podTemplate", "[spec.podTemplate, spec.more]"])
def test_kinds_of_the_composition_count_for_every_command(paths: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(paths=paths))
    (tmp_path / "widget.yaml").write_text(UNKNOWN)
    added = run("sidecarctl add log-tail widget.yaml", tmp_path)
    assert (added.code, "name: log-tail" in added.stdout) == (0, True), added.stderr
    assert run("sidecarctl render widget.yaml", tmp_path).code == 0
    (tmp_path / "widget.yaml").write_text(added.stdout)
    assert "Widget/sample" in run("sidecarctl status widget.yaml", tmp_path).stdout
    assert "Widget/sample" in run("sidecarctl graph widget.yaml", tmp_path).stdout
    assert run("sidecarctl remove --all widget.yaml", tmp_path).stdout == UNKNOWN
    wrong = UNKNOWN.replace("image:", "imagee:")
    assert 'unknown field "imagee"' in run("sidecarctl validate", tmp_path, stdin=wrong).stdout
