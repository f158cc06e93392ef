"""post-render with Helm 3 and Helm 4: a chart with hooks, a Job, a CronJob, NOTES, several workloads, and a subchart."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecarctl import __version__
from tests.command import ROOT, Outcome
from tests.programs import environment, execute, program

pytestmark = pytest.mark.e2e

EXAMPLE = ROOT / "examples" / "integrations" / "helm"


@dataclass(frozen=True)
class Helm:
    """Helm 3 or Helm 4 with sidecarctl as its post-renderer, in a directory with the chart of the example."""

    program: str
    version: int
    folder: Path
    env: dict[str, str]

    def template(self, *words: str, args: tuple[str, ...] = (), **env: str) -> Outcome:
        own = ("post-render",) if self.version == 3 else ()
        more = [part for each in (*own, *args) for part in ("--post-renderer-args", each)]
        command = [self.program, "template", "r", "chart", "--post-renderer", "sidecarctl", *more, *words]
        return execute(command, self.folder, {**self.env, **env})

    def plain(self, *words: str) -> Outcome:
        return execute([self.program, "template", "r", "chart", *words], self.folder, self.env)

    @property
    def log(self) -> str:
        return (self.folder.parent / "cache/sidecarctl/post-render.log").read_text()


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    binary = program(f"helm{request.param}")
    shutil.copytree(EXAMPLE, tmp_path / "h")
    env = environment(tmp_path)
    if request.param == 4:
        plugin = tmp_path / "sidecarctl"
        plugin.mkdir()
        shutil.copy(ROOT / "plugin.yaml", plugin)
        done = execute([binary, "plugin", "install", str(plugin)], tmp_path, env)
        assert done.code == 0, done.stderr
    return Helm(binary, request.param, tmp_path / "h", env)


def documents(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.stderr
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in yaml.safe_load_all(outcome.stdout) if d}


def sidecars(document: Any) -> list[str]:
    spec = document["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    return [one["name"] for one in template["spec"].get("initContainers", ())]


def test_composition_applies_to_chart_and_subchart(helm: Helm) -> None:
    found = documents(helm.template())
    assert sidecars(found["Deployment/r-web"]) == ["logger", "metrics"]
    assert sidecars(found["StatefulSet/r-worker"]) == ["logger"]
    assert sidecars(found["Deployment/r-cache"]) == ["logger"]
    assert sidecars(found["CronJob/r-report"]) == ["logger"]
    assert sidecars(found["Job/r-import"]) == []
    assert {f"ConfigMap/r-{each}-logger" for each in ("web", "worker", "cache", "report")} <= set(found)


def test_hooks_are_skipped_without_the_hooks_option(helm: Helm) -> None:
    composition = helm.folder / "sidecarctl.yaml"
    composition.write_text(composition.read_text().replace("StatefulSet, CronJob]", "StatefulSet, CronJob, Job]"))
    found = documents(helm.template())
    assert sidecars(found["Job/r-import"]) == ["logger"]
    assert sidecars(found["Job/r-migrate"]) == []
    if helm.version == 4:
        # Helm 3 does not pass hooks to a post-renderer.
        assert sidecars(documents(helm.template(args=("--hooks",)))["Job/r-migrate"]) == ["logger"]


def test_hook_with_an_inject_annotation_gets_its_sidecar(helm: Helm) -> None:
    if helm.version == 3:
        pytest.skip("Helm 3 does not pass hooks to a post-renderer")
    hook = helm.folder / "chart/templates/migrate.yaml"
    hook.write_text(
        hook.read_text().replace("    helm.sh/hook:", "    sidecarctl.dev/inject: log-tail\n    helm.sh/hook:", 1)
    )
    assert sidecars(documents(helm.template())["Job/r-migrate"]) == ["log-tail"]


def test_unselected_documents_equal_the_output_of_helm(helm: Helm) -> None:
    rendered, plain = documents(helm.template()), documents(helm.plain())
    for name in ("Service/r-web", "Job/r-import", "Job/r-migrate"):
        assert rendered[name] == plain[name]
    assert "postrenderer.helm.sh" not in helm.template().stdout


def test_comments_and_source_lines_are_kept(helm: Helm) -> None:
    text = helm.template().stdout
    assert "# This comment is kept in the output." in text
    for each in ("web", "worker", "report", "import", "migrate"):
        assert f"# Source: shop/templates/{each}.yaml" in text
    assert "# Source: shop/charts/cache/templates/cache.yaml" in text


def test_show_only_includes_the_companion(helm: Helm) -> None:
    found = documents(helm.template("-s", "templates/worker.yaml"))
    assert sorted(found) == ["ConfigMap/r-worker-logger", "StatefulSet/r-worker"]


def test_no_document_is_lost_or_duplicated(helm: Helm) -> None:
    plain, rendered = helm.plain().stdout, helm.template().stdout
    added = 4
    assert len(list(yaml.safe_load_all(rendered))) == len(list(yaml.safe_load_all(plain))) + added


def test_post_render_is_idempotent(helm: Helm) -> None:
    once = helm.template()
    again = execute(["sidecarctl", "post-render"], helm.folder, helm.env, once.stdout)
    assert again.code == 0, again.stderr
    assert again.stdout == once.stdout
    assert helm.template().stdout == once.stdout


def test_invalid_composition_fails_the_run_with_the_reason(helm: Helm) -> None:
    composition = helm.folder / "sidecarctl.yaml"
    composition.write_text(composition.read_text().replace("logDir", "logdir"))
    outcome = helm.template()
    assert (outcome.code, outcome.stdout) == (1, "")
    said = outcome.stderr if helm.version == 3 else helm.log
    assert 'did you mean "logDir"?' in said
    assert "sidecarctl.yaml:14:13" in said


def test_nonexistent_composition_fails_the_run(helm: Helm) -> None:
    outcome = helm.template(args=("-c", "nowhere.yaml"))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "cannot read composition nowhere.yaml" in (outcome.stderr if helm.version == 3 else helm.log)


def test_run_without_a_composition_fails(helm: Helm) -> None:
    (helm.folder / "sidecarctl.yaml").unlink()
    outcome = helm.template()
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "no composition found" in (outcome.stderr if helm.version == 3 else helm.log)


def test_conflict_fails_the_run_without_output(helm: Helm) -> None:
    worker = helm.folder / "chart/templates/worker.yaml"
    worker.write_text(worker.read_text().replace("        - name: worker", "        - name: logger"))
    outcome = helm.template()
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "error[container-conflict]" in (outcome.stderr if helm.version == 3 else helm.log)


def test_empty_chart_is_an_error_unless_allowed(helm: Helm) -> None:
    nothing = ("--set", "enabled=false", "--set", "cache.image=")
    outcome = helm.template(*nothing)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "no manifests received from Helm" in (outcome.stderr if helm.version == 3 else helm.log)
    assert helm.template(*nothing, args=("--allow-empty",)).code == 0


def test_log_file_can_be_set_and_the_error_names_it(helm: Helm) -> None:
    log = helm.folder / "run.log"
    assert helm.template(SIDECARCTL_LOG=str(log)).code == 0
    assert "added logger" in log.read_text()
    outcome = helm.template(args=("-c", "nowhere.yaml", "--log-file", str(log)))
    assert outcome.code == 1
    assert log.read_text().count("== ") == 2
    if helm.version == 3:
        assert f"see also {log}" in outcome.stderr


def test_composition_and_environment_options_apply(helm: Helm) -> None:
    composition = helm.folder / "sidecarctl.yaml"
    text = composition.read_text()
    other = helm.folder / "other.yaml"
    other.write_text(
        text + "  environments:\n    dev:\n      rules:\n        - {name: logs, enabled: false}\n"
        "        - {name: metrics, enabled: false}\n"
    )
    assert "logger" not in helm.template(args=("-c", "other.yaml", "--env", "dev", "--fail-on", "error")).stdout


def test_plugin_version_equals_the_package_version() -> None:
    assert yaml.safe_load((ROOT / "plugin.yaml").read_text())["version"] == __version__
