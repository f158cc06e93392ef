"""Every command works at the root of a repository as it comes: no false error, and a line about what was left out."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests import repository
from tests.command import ROOT, Outcome, run

COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata:
  name: platform
spec:
  manifests: [.]
  exclude: [flux]
  rules:
  - select:
      names: [web]
    sidecars:
    - log-tail
"""
ALL = (
    "skipped 25 files: 5 Helm chart, 5 kustomization, 4 patch, 1 partial object, 2 test assertion, 1 template, 6 not a"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository.build(tmp_path)


def changed(root: Path) -> list[str]:
    return [name for name, text in repository.FILES.items() if (root / name).read_text() != text]


def test_validate_has_no_false_error_and_counts_what_it_left_out(root: Path) -> None:
    done = run("sidecarctl validate .", root)
    assert done.code == 0, done.stdout + done.stderr
    assert "error" not in done.stdout
    assert "skipped 26 files: 5 Helm chart, 5 kustomization, 4 patch, 1 partial object, 2 test assertion" in done.stdout
    assert 'note: flux/worker.yaml: placeholder "${NAMESPACE}" is not validated' in done.stdout
    assert done.stdout.endswith("in 6 files\n")


def test_validate_verbose_names_what_it_left_out(root: Path) -> None:
    done = run("sidecarctl validate . -v", root)
    assert "skipped overlays/prod/replicas.yaml: patch\n" in done.stdout
    assert "skipped node_modules/: vendored\n" in done.stdout


def test_add_changes_only_the_selected_workload(root: Path) -> None:
    done = run("sidecarctl add log-tail . --name web -i", root)
    assert done.code == 0, done.stderr
    assert changed(root) == ["deploy/web.yaml"]
    assert "32 files: 1 changed, 5 unchanged, 26 skipped (5 Helm chart, 5 kustomization" in done.stderr


def test_remove_restores_the_repository(root: Path) -> None:
    run("sidecarctl add log-tail . -i", root)
    assert changed(root) == ["deploy/web.yaml", "deploy/api.yaml", "base/cache.yaml", "flux/worker.yaml"]
    done = run("sidecarctl remove --all . -i", root)
    assert (done.code, changed(root)) == (0, []), done.stderr


@pytest.mark.parametrize("command", ["status .", "graph ."])
def test_command_shows_every_workload(command: str, root: Path) -> None:
    done = run(f"sidecarctl {command}", root)
    assert done.code == 0, done.stderr
    assert "skipped 26 files: 5 Helm chart" in done.stderr
    if command == "graph .":
        assert "Deployment/${NAMESPACE}/worker" in done.stdout


def test_render_reads_the_manifests_of_the_composition_without_what_it_excludes(root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run("sidecarctl render --check -v", root)
    assert done.code == 1, done.stderr
    assert "Deployment/web: would add log-tail" in done.stderr
    assert "skipped flux/: excluded" in done.stderr
    assert "1 of 5 files outdated" in done.stderr
    assert run("sidecarctl render -i", root).code == 0
    assert changed(root) == ["deploy/web.yaml"]
    assert run("sidecarctl render --check", root).code == 0


def test_manifests_and_exclude_are_relative_to_the_composition(root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run("sidecarctl status", root / "overlays")
    assert done.code == 0, done.stderr
    assert "Deployment/web" in done.stdout
    assert "worker" not in done.stdout


def test_init_reads_the_manifests_only(root: Path) -> None:
    done = run("sidecarctl init .", root)
    assert done.code == 0, done.stderr


def test_export_reads_the_manifests_only(root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run("sidecarctl export --to kustomize-component", root)
    assert (done.code, "Deployment" in done.stdout) == (0, True), done.stderr


def test_paths_after_f_and_as_arguments_are_equal(root: Path) -> None:
    def out(command: str) -> Outcome:
        return run(f"sidecarctl {command}", root)

    assert out("validate deploy base") == out("validate -f deploy -f base")
    assert out("add log-tail deploy/web.yaml") == out("add log-tail -f deploy/web.yaml")
    assert out("status deploy") == out("status -f deploy")


def test_directory_with_the_name_of_a_sidecar_is_no_path_without_a_sidecar(root: Path) -> None:
    (root / "log-tail").mkdir()
    done = run("sidecarctl add log-tail deploy/web.yaml", root)
    assert (done.code, "name: log-tail" in done.stdout) == (0, True), done.stderr


NOTHING = {
    "validate of nothing": ("validate", "", 2, "no input: stdin is empty"),
    "validate of blank lines": ("validate", " \n\n", 2, "no input: stdin is empty"),
    "status of nothing": ("status", "", 2, "no input: stdin is empty"),
    "graph of nothing": ("graph", "", 2, "no input: stdin is empty"),
    "add to nothing": ("add logger", "", 2, "no input: stdin is empty"),
    "remove from nothing": ("remove --all", "", 2, "no input: stdin is empty"),
    "validate of a comment": ("validate", "# a\n", 2, "nothing to validate: no object in stdin"),
    "status without a workload": ("status", "apiVersion: v1\nkind: Namespace\n", 2, "no workload found in stdin"),
    "an empty directory": ("validate empty", "", 2, "no manifests in empty"),
    "a chart": ("validate chart/templates", "", 2, "no manifests in chart/templates: skipped 2 files: 2 Helm chart"),
    "a missing file": ("validate missing.yaml", "", 3, "no such file or directory: missing.yaml"),
    "an empty path": ("add logger -i -f ''", "", 2, "empty path"),
    "an empty output": ("add logger web.yaml -o ''", "", 2, "empty path for --output"),
    "a pattern without a match": ("validate 'x*.yaml'", "", 3, 'no file matches "x*.yaml"'),
}


@pytest.mark.parametrize("what", NOTHING)
def test_command_that_reads_nothing_fails(what: str, root: Path) -> None:
    command, stdin, code, message = NOTHING[what]
    (root / "empty").mkdir()
    done = run(f"sidecarctl {command}", root, stdin=stdin)
    assert (done.code, done.stdout) == (code, "")
    assert message in done.stderr


SELECTIONS = {
    "--name web": ["web"],
    "--name 'w*'": ["web", "worker"],
    "--kind deployment --name api": ["api"],
    "--kind deployments.apps --name api": ["api"],
    "-n '*NAMESPACE*'": ["worker"],
    "-l app=cache": ["cache"],
    "-l 'app in (web, api)'": ["web", "api"],
    "-l 'app notin (web,api)'": ["cache", "worker"],
    "-l app!=web,app!=api": ["cache", "worker"],
    "-l 'app,!tier' --name cache": ["cache"],
}


@pytest.mark.parametrize("flags", SELECTIONS)
def test_flags_select_workloads(flags: str, root: Path) -> None:
    done = run(f"sidecarctl add log-tail . -i {flags}", root)
    assert done.code == 0, done.stderr
    assert sorted(Path(name).stem for name in changed(root)) == sorted(SELECTIONS[flags])
    removed = run(f"sidecarctl remove log-tail . -i {flags}", root)
    assert (removed.code, changed(root)) == (0, [])


UNKNOWN = {
    "--name wep": 'did you mean "web"? the input has',
    "--kind Deploymant": 'did you mean "Deployment"?',
    "--kind CronJob": "the input has Deployment/cache, Deployment/api, Deployment/web, Deployment/${NAMESPACE}/worker",
    "-l app=nothing": "the input has Deployment/cache",
}


@pytest.mark.parametrize("flags", UNKNOWN)
@pytest.mark.parametrize("command", ["add log-tail", "status", "graph"])
def test_selection_of_nothing_says_what_there_is(flags: str, command: str, root: Path) -> None:
    done = run(f"sidecarctl {command} . {flags}", root)
    assert (done.code, done.stdout) == (2, "")
    assert f"no workload matches --{'selector' if flags.startswith('-l') else flags[2:6]}" in done.stderr
    assert UNKNOWN[flags] in " ".join(done.stderr.split())


def test_invalid_label_selector_is_an_error(root: Path) -> None:
    done = run("sidecarctl add log-tail . -l 'a in b'", root)
    assert (done.code, 'invalid label selector "a in b"' in done.stderr) == (2, True)


@pytest.mark.parametrize("command", ["status", "graph", "validate", "render --check"])
def test_one_bad_document_hides_nothing(command: str, root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    bad = root / "deploy" / "bad.yaml"
    bad.write_text("apiVersion: v1\nkind: Pod\nspec:\n  containers: [\n---\n" + repository.WORKLOAD.format(name="web"))
    done = run(f"sidecarctl {command} deploy", root)
    assert done.code == 3
    shown = done.stdout + done.stderr
    assert "deploy/bad.yaml:" in shown
    if command == "render --check":
        assert shown.count("would add log-tail") == 2
    elif command != "validate":
        assert (
            shown.count("Deployment/web") == 2
            if command == "graph"
            else "2 workloads" in shown or "3 workloads" in shown
        )


def test_pre_commit_hooks_work_at_the_root(root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}

    def outcome(name: str) -> Outcome:
        return run([*hooks[name]["entry"].split(), *hooks[name]["args"]], root)

    assert outcome("sidecarctl-validate").code == 0
    assert outcome("sidecarctl-check").code == 1
    assert outcome("sidecarctl-render").code == 0
    assert changed(root) == ["deploy/web.yaml"]
    assert outcome("sidecarctl-check").code == 0


def test_pre_commit_can_pass_every_file_name(root: Path) -> None:
    names = [name for name in repository.FILES if not name.startswith((".", "node_modules", "build"))]
    done = run(["sidecarctl", "validate", "--force-exclude", *names], root)
    assert done.code == 0, done.stdout
    assert done.stdout.endswith("in 6 files\n")
    only = run(["sidecarctl", "validate", "--force-exclude", "docker-compose.yaml"], root)
    assert (only.code, only.stderr) == (0, "")


@pytest.mark.parametrize("command", ["validate", "render --check"])
def test_action_works_at_the_root(command: str, root: Path) -> None:
    """As `action.yml` calls it: the files after -f, and a report for GitHub."""
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run(f"sidecarctl {command} -f . --format github", root)
    assert done.code == (1 if command != "validate" else 0), done.stderr
    assert "::error" not in done.stdout or command != "validate"
    assert "skipped 2" in done.stderr and "5 Helm chart" in done.stderr


def test_post_renderer_works_on_a_rendered_chart_with_other_kinds(root: Path) -> None:
    (root / "sidecarctl.yaml").write_text(COMPOSITION)
    hook = repository.WORKLOAD.format(name="web").replace(
        "  labels:\n", "  annotations:\n    helm.sh/hook: test\n  labels:\n", 1
    )
    chart = (
        "---\n".join(repository.FILES[name] for name in ("deploy/web.yaml", "chart/crds/widget.yaml")) + "---\n" + hook
    )
    done = run("sidecarctl post-render", root, stdin=chart)
    assert (done.code, done.stdout.count("- name: log-tail\n")) == (0, 1), done.stderr
    assert "skipped 1 Helm hook" in done.stderr


def test_adopt_searches_the_manifests_and_counts_what_it_left_out(root: Path) -> None:
    agent = "      - name: agent\n        image: registry.example/agent:1.4.0\n"
    for name in ("deploy/web.yaml", "base/cache.yaml"):
        (root / name).write_text(
            (root / name).read_text().replace("      containers:\n", f"      containers:\n{agent}")
        )
    done = run("sidecarctl adopt . -o platform", root)
    assert done.code == 0, done.stderr
    assert "agent" in done.stderr and "error: " not in done.stderr
    assert "skipped 26 files: 5 Helm chart, 5 kustomization, 4 patch" in done.stderr
    assert (root / "platform" / "sidecars" / "agent" / "sidecar.yaml").exists()


def test_upgrade_reads_the_same_files(root: Path) -> None:
    run("sidecarctl add log-tail . --name web -i", root)
    done = run("sidecarctl upgrade log-tail . --set refresh_interval=7 -i", root)
    assert done.code == 0, done.stderr
    assert changed(root) == ["deploy/web.yaml"]
    assert "32 files: 1 changed, 5 unchanged, 26 skipped (5 Helm chart, 5 kustomization" in done.stderr
