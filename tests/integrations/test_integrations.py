"""Tests of the integration examples: files are valid for their tool, and commands do what their page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecarctl import __version__
from tests.command import ROOT, run
from tests.pages import example_of, own, replayed
from tests.programs import environment, execute

EXAMPLES = ROOT / "examples" / "integrations"
DOCS = ROOT / "docs" / "integrations"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "README.md")
LOGGER = "fluent-bit"
# A link to a file of the examples, and the block below it.
_SNIPPET = re.compile(r"\]\(\.\./\.\./(examples/integrations/[^)]+)\)[^\n]*\n\n```yaml\n(.*?)```\n", re.DOTALL)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository whose directory `manifests` has a composition that is not rendered yet."""
    shutil.copytree(EXAMPLES / "manifests", tmp_path / "manifests")
    return tmp_path


def shell(script: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {**environment(cwd / ".home"), **env}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=cwd, env=whole, capture_output=True, text=True, timeout=120
    )


def test_files_for_other_tools_name_the_current_version() -> None:
    assert read(ROOT / "plugin.yaml")["version"] == __version__
    assert read(ROOT / "action.yml")["inputs"]["version"]["default"] == ""
    assert next(yaml.safe_load_all((ROOT / "templates/sidecarctl.yml").read_text()))["spec"]["inputs"]["version"][
        "default"
    ] == (__version__)
    assert read(ROOT / ".krew.yaml")["spec"]["version"] == f"v{__version__}"
    for path in EXAMPLES.rglob("*.y*ml"):
        for found in re.findall(r"sidecarctl(?:/sidecarctl)*(?:==|@v?|:)(\d+\.\d+\.\d+)", path.read_text()):
            assert found == __version__, path


# ---- the pages ---------------------------------------------------------------------------------------------------


def test_pages_and_examples_match() -> None:
    linked = {page: set(re.findall(r"\(\.\./\.\./examples/integrations/([^/)]+)", page.read_text())) for page in PAGES}
    assert [page.name for page, found in linked.items() if not found] == []
    assert set().union(*linked.values()) == {path.name for path in EXAMPLES.iterdir()}
    index = (DOCS / "README.md").read_text()
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == {page.name for page in PAGES}
    assert all("\n## Troubleshooting\n" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_equal_example_files(page: Path) -> None:
    text = page.read_text()
    found = _SNIPPET.findall(text)
    assert len(found) == text.count("```yaml")
    for name, snippet in found:
        assert snippet == (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (DOCS / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_commands_produce_the_shown_output(page: Path, tmp_path: Path) -> None:
    """Run the commands of this program; end-to-end tests run those of other programs."""
    text = page.read_text()
    real = replayed(text, example_of(page, tmp_path), environment(tmp_path / ".home"), own)
    if os.environ.get("UPDATE_GALLERY"):
        page.write_text(real)
    assert real == page.read_text()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        assert not re.search("^sidecarctl", block, re.MULTILINE), f"this can be run: {block}"


# ---- GitHub ------------------------------------------------------------------------------------------------------


def action(repository: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the action like a runner: substitute expressions, then run bash."""
    definition = read(ROOT / "action.yml")
    values = {name: str(each.get("default", "")) for name, each in definition["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in inputs.items()}
    step = next(each for each in definition["runs"]["steps"] if each["name"] == "Run sidecarctl")
    env = {
        key: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: values[found[1]], text)
        for key, text in step["env"].items()
    }
    return shell(step["run"], repository, **env)


def test_action_fails_and_annotates_outdated_manifests(repository: Path) -> None:
    done = action(repository, files="manifests", composition="manifests/sidecarctl.yaml", env="prod")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=manifests/web.yaml,line=1,title=outdated::")
    rendered = run("sidecarctl render -c manifests/sidecarctl.yaml -f manifests --env prod -i", repository)
    assert rendered.code == 0, rendered.stderr
    done = action(repository, files="manifests", composition="manifests/sidecarctl.yaml", env="prod")
    assert done.returncode == 0, done.stderr


def test_action_takes_a_command_of_several_lines(repository: Path) -> None:
    files = {"files": "manifests/web.yaml"}
    assert action(repository, command="validate", **files).returncode == 0
    done = action(repository, command="validate\n\n--pod-security\n  restricted\n", **files)
    assert done.returncode == 1, done.stderr
    assert "title=pod-security" in done.stdout


def test_action_reports_composition_errors(repository: Path) -> None:
    composition = repository / "manifests" / "sidecarctl.yaml"
    composition.write_text(composition.read_text().replace("logDir", "logdir"))
    done = action(repository, files="manifests", composition="manifests/sidecarctl.yaml")
    assert done.returncode == 2
    assert 'did you mean "logDir"?' in done.stderr


def test_workflow_uses_existing_action_inputs(repository: Path) -> None:
    steps = read(EXAMPLES / "github" / "check.yaml")["jobs"]["check"]["steps"]
    given = next(step["with"] for step in steps if step["uses"].startswith("sidecarctl/"))
    assert set(given) <= set(read(ROOT / "action.yml")["inputs"])
    assert action(repository, **{key.replace("-", "_"): value for key, value in given.items()}).returncode == 1


# ---- GitLab ------------------------------------------------------------------------------------------------------


def test_gitlab_job_writes_a_report_and_fails_on_outdated_manifests(repository: Path) -> None:
    head, job = yaml.safe_load_all((ROOT / "templates" / "sidecarctl.yml").read_text())
    given = read(EXAMPLES / "gitlab" / ".gitlab-ci.yml")["include"][0]["inputs"]
    assert set(given) <= set(head["spec"]["inputs"])
    values = {name: each["default"] for name, each in head["spec"]["inputs"].items()} | given

    def filled(text: str) -> str:
        return re.sub(r"\$\[\[ inputs\.([a-z]+) \]\]", lambda found: values[found[1]], text)

    env = {name: filled(text) for name, text in job["sidecarctl"]["variables"].items()}
    script = "\n".join(filled(line) for line in job["sidecarctl"]["script"])
    done = shell(script, repository, **env)
    assert done.returncode == 1, done.stderr
    (found,) = read(repository / "gl-code-quality-report.json")
    assert (found["check_name"], found["location"]["path"]) == ("outdated", "manifests/web.yaml")


# ---- Argo CD -----------------------------------------------------------------------------------------------------


def test_argo_cd_plugin_generates_manifests_with_sidecars(repository: Path) -> None:
    plugin = read(EXAMPLES / "argocd" / "plugin.yaml")
    assert (plugin["apiVersion"], plugin["kind"]) == ("argoproj.io/v1alpha1", "ConfigManagementPlugin")
    application = read(EXAMPLES / "argocd" / "application.yaml")["spec"]["source"]["plugin"]
    assert application["name"] == f"{plugin['metadata']['name']}-{plugin['spec']['version']}"
    folder = repository / "manifests"
    assert (folder / plugin["spec"]["discover"]["fileName"]).is_file()
    generate = plugin["spec"]["generate"]
    variables = {f"ARGOCD_ENV_{each['name']}": each["value"] for each in application["env"]}
    env = environment(repository / ".home", **variables)
    done = execute([*generate["command"], *generate["args"]], folder, env)
    assert (done.code, done.stderr) == (0, "")
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Deployment", "ConfigMap"]
    assert 'log_level: "error"' in done.stdout


def test_repo_server_patch_runs_the_plugin_as_argo_cd_user() -> None:
    pod = read(EXAMPLES / "argocd" / "repo-server-patch.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["/var/run/argocd/argocd-cmp-server"]
    assert container["securityContext"]["runAsUser"] == 999
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert {"/var/run/argocd", "/home/argocd/cmp-server/config/plugin.yaml", "/tmp"} <= mounts


# ---- Flux, Skaffold, helmfile ------------------------------------------------------------------------------------


def test_flux_applies_rendered_manifests(repository: Path) -> None:
    steps = read(EXAMPLES / "flux" / "render.yaml")["jobs"]["render"]["steps"]
    script = next(step["run"] for step in steps if step.get("name") == "Render")
    done = shell(script, repository)
    assert done.returncode == 0, done.stderr
    target = read(EXAMPLES / "flux" / "kustomization.yaml")["spec"]["path"]
    assert LOGGER in (repository / target / "web.yaml").read_text()
    (repository / "manifests" / "web.yaml").rename(repository / "manifests" / "site.yaml")
    assert shell(script, repository).returncode == 0
    assert sorted(path.name for path in (repository / target).glob("*.yaml")) == ["site.yaml"]


def test_skaffold_hook_transforms_manifests() -> None:
    folder = EXAMPLES / "skaffold"
    manifests = read(folder / "skaffold.yaml")["manifests"]
    (hook,) = manifests["hooks"]["after"]
    assert hook["host"]["withChange"] is True
    given = "---\n".join((folder / path).read_text() for path in manifests["rawYaml"])
    done = run(hook["host"]["command"], folder, stdin=given)
    assert done.code == 0, done.stderr
    assert LOGGER in done.stdout


def test_helmfile_post_renderer_command_exists(tmp_path: Path) -> None:
    defaults = read(EXAMPLES / "helmfile" / "helmfile.yaml")["helmDefaults"]
    shutil.copy(EXAMPLES / "manifests" / "sidecarctl.yaml", tmp_path)
    command = [defaults["postRenderer"], *defaults["postRendererArgs"]]
    done = run(command, tmp_path, stdin=(EXAMPLES / "manifests" / "web.yaml").read_text())
    assert done.code == 0, done.stderr
    assert LOGGER in done.stdout


# ---- kpt ---------------------------------------------------------------------------------------------------------


def test_kptfile_pipeline_adds_and_then_validates() -> None:
    folder = EXAMPLES / "kpt"
    pipeline = read(folder / "Kptfile")["pipeline"]
    mutator, validator = pipeline["mutators"][0], pipeline["validators"][0]
    given = {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": [read(folder / "web.yaml")],
        "functionConfig": read(folder / mutator["configPath"]),
    }
    refused = run(validator["exec"], folder, stdin=yaml.safe_dump(given))
    assert refused.code == 1
    assert "outdated" in refused.stderr
    added = run(mutator["exec"], folder, stdin=yaml.safe_dump(given))
    assert added.code == 0, added.stderr
    assert run(validator["exec"], folder, stdin=added.stdout).code == 0


# ---- Docker, pre-commit, krew ------------------------------------------------------------------------------------


def test_image_has_pinned_base_no_root_user_and_krm_as_default() -> None:
    lines = [line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isalpha()]
    final = lines[max(index for index, words in enumerate(lines) if words[0] == "FROM") :]
    instructions = dict(reversed(final))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions["USER"])
    bases = {words[1].partition(" AS ")[0] for words in lines if words[0] == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-alpine\d+\.\d+", bases.pop())
    assert (instructions["ENTRYPOINT"], instructions["CMD"]) == ('["sidecarctl"]', '["krm"]')


def test_container_function_example_runs_without_files() -> None:
    config = read(EXAMPLES / "docker" / "sidecars.yaml")
    function = yaml.safe_load(config["metadata"]["annotations"]["config.kubernetes.io/function"])
    assert function == {"container": {"image": f"ghcr.io/sidecarctl/sidecarctl:{__version__}"}}
    given = {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": [read(EXAMPLES / "docker" / "pod.yaml")],
        "functionConfig": config,
    }
    done = run("sidecarctl krm", Path("/"), stdin=yaml.safe_dump(given))
    assert done.code == 0, done.stderr
    assert LOGGER in done.stdout


def test_image_build_context_contains_all_package_files() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text()
    forced = re.findall(r'^"([\w/.-]+)" = "sidecarctl/_data', project, re.MULTILINE)
    assert {"sidecarctl", "pyproject.toml", "README.md", "LICENSE", *(name.split("/")[0] for name in forced)} <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_pre_commit_hooks_run_existing_commands(repository: Path) -> None:
    hooks = read(ROOT / ".pre-commit-hooks.yaml")
    assert len({hook["id"] for hook in hooks}) == len(hooks)
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)
        done = run([*hook["entry"].split(), "-f", "manifests/web.yaml", "--help"], repository)
        assert done.code == 0, done.stderr
    wanted = read(EXAMPLES / "pre-commit" / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert {each["id"] for each in wanted} <= {hook["id"] for hook in hooks}


def test_krew_manifest_has_required_fields() -> None:
    manifest = read(ROOT / ".krew.yaml")
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert len(manifest["spec"]["shortDescription"]) <= 50
    assert os.access(ROOT / "tools" / "krew.py", os.R_OK)
