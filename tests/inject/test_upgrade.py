"""`upgrade`, and upgrades by `add` and `render`: parameters, versions, conflicts, and what the report says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.command import Outcome, run

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
"""
METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: agent, version: VERSION, summary: An agent.}
spec:
  parameters:
    properties:
      PERIOD: {type: integer, default: 10}
      level: {type: string, default: info}
"""
TEMPLATE = """\
containers:
- name: {{ instance }}
  image: registry.example/agent:TAG
  args: ["--period={{ params.PERIOD }}", "--level={{ params.level }}"]
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 50m, memory: 32Mi}
"""
CHANGELOG = "# Changelog\n\n## 1.1.0 - 2026-11-01\n\n- The period has a better name.\n\n## 1.0.0 - 2026-10-01\n\n- First version.\n"
IMAGE = "registry.example/agent:1.0.0"


def write_version(root: Path, version: str, period: str, more: str = "") -> None:
    folder = root / "lib" / f"agent@{version}"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(METADATA.replace("VERSION", version).replace("PERIOD", period) + more)
    (folder / "template.yaml.j2").write_text(TEMPLATE.replace("TAG", version).replace("PERIOD", period))
    (folder / "CHANGELOG.md").write_text(CHANGELOG)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    write_version(tmp_path, "1.0.0", "period")
    (tmp_path / "web.yaml").write_text(MANIFEST)
    call(tmp_path, "add agent web.yaml --set period=5 --set level=debug -i")
    write_version(tmp_path, "1.1.0", "interval", "  renamedParameters: {period: interval}\n")
    return tmp_path


def call(repo: Path, command: str, code: int = 0) -> Outcome:
    library = "" if command.startswith("remove") else " --library lib"
    outcome = run(f"sidecarctl {command}{library}", repo, env={"COLUMNS": "200"})
    assert outcome.code == code, outcome.stderr
    return outcome


def text(repo: Path) -> str:
    return (repo / "web.yaml").read_text()


def edit(repo: Path, old: str, new: str) -> None:
    assert old in text(repo)
    (repo / "web.yaml").write_text(text(repo).replace(old, new))


def test_upgrade_keeps_parameters_under_their_new_names(repo: Path) -> None:
    outcome = call(repo, "upgrade web.yaml -i")
    assert "--period=5" in text(repo) and "--level=debug" in text(repo) and "agent:1.1.0" in text(repo)
    assert "updated agent 1.0.0 -> 1.1.0" in outcome.stderr
    assert "The period has a better name." in outcome.stderr and "First version." not in outcome.stderr
    assert "parameter interval: (default) -> 5" in outcome.stderr


def test_upgrade_to_a_pinned_version_and_back(repo: Path) -> None:
    before = text(repo)
    call(repo, "upgrade agent@1.1.0 web.yaml -i")
    assert "agent:1.1.0" in text(repo)
    call(repo, "remove agent web.yaml -i")
    assert text(repo) == MANIFEST != before


@pytest.mark.parametrize(
    ("names", "both"), [("agent@9.0.0 agent@1.1.0", "9.0.0 and 1.1.0"), ("agent agent@1.0.0", "the newest and 1.0.0")]
)
def test_upgrade_refuses_two_versions_of_a_sidecar(names: str, both: str, repo: Path) -> None:
    before = text(repo)
    assert f"two versions of agent: {both}" in call(repo, f"upgrade {names} web.yaml -i", 2).stderr
    assert text(repo) == before
    call(repo, "upgrade agent@1.1.0 agent@1.1.0 web.yaml -i")


def test_add_keeps_recorded_parameters(repo: Path) -> None:
    call(repo, "add agent@1.0.0 web.yaml -i --set level=warn")
    assert "--period=5" in text(repo) and "--level=warn" in text(repo)


def test_unset_returns_a_parameter_to_its_default(repo: Path) -> None:
    call(repo, "upgrade agent@1.0.0 web.yaml -i --unset level")
    assert "--period=5" in text(repo) and "--level=info" in text(repo)


def test_unset_of_an_unknown_parameter_is_an_error(repo: Path) -> None:
    assert 'did you mean "level"?' in call(repo, "upgrade agent@1.0.0 web.yaml --unset levle", 2).stderr


def test_unset_of_an_unknown_parameter_of_a_new_instance_is_an_error(repo: Path) -> None:
    before = text(repo)
    outcome = call(repo, "add agent@1.0.0 --as other web.yaml -i --unset levle", 2)
    assert 'unknown parameter "levle" for sidecar agent' in outcome.stderr
    assert 'did you mean "level"?' in outcome.stderr
    assert text(repo) == before
    call(repo, "add agent@1.0.0 --as other web.yaml -i --unset level")


def test_reset_values_returns_all_parameters_to_their_defaults(repo: Path) -> None:
    call(repo, "add agent@1.0.0 web.yaml -i --reset-values --set level=warn")
    assert "--period=10" in text(repo) and "--level=warn" in text(repo)


def test_parameter_that_is_gone_is_an_error_with_the_way_out(repo: Path) -> None:
    file = repo / "lib" / "agent@1.1.0" / "sidecar.yaml"
    file.write_text(file.read_text().replace("  renamedParameters: {period: interval}\n", ""))
    outcome = call(repo, "upgrade web.yaml", 2)
    assert 'unknown parameter "period"' in outcome.stderr and "--unset period" in outcome.stderr
    call(repo, "upgrade agent web.yaml -i --unset period")
    assert "--period=10" in text(repo)


def test_image_that_a_bot_updated_stays(repo: Path) -> None:
    edit(repo, IMAGE, 'registry.example/agent:1.0.3 # {"$imagepolicy": "flux:agent"}')
    call(repo, "add agent@1.0.0 web.yaml -i --set level=warn")
    assert 'agent:1.0.3 # {"$imagepolicy": "flux:agent"}' in text(repo) and "--level=warn" in text(repo)


def test_conflict_names_the_three_values_and_writes_nothing(repo: Path) -> None:
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    before = text(repo)
    outcome = call(repo, "upgrade web.yaml -i", 1)
    assert "error[upgrade-conflict]" in outcome.stderr and "web.yaml:" in outcome.stderr
    for tag in ("1.0.0", "1.0.3", "1.1.0"):
        assert f"registry.example/agent:{tag}" in outcome.stderr
    assert text(repo) == before


@pytest.mark.parametrize(("policy", "tag"), [("keep", "1.0.3"), ("overwrite", "1.1.0")])
def test_conflict_is_a_warning_if_the_policy_decides(policy: str, tag: str, repo: Path) -> None:
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    outcome = call(repo, f"upgrade web.yaml -i --on-conflict {policy}")
    assert "warning[upgrade-conflict]" in outcome.stderr
    assert f"registry.example/agent:{tag}\n" in text(repo)


def test_status_after_an_upgrade_is_in_sync_or_edited(repo: Path) -> None:
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    call(repo, "upgrade web.yaml -i --on-conflict keep")
    (workload,) = json.loads(call(repo, "status web.yaml --format json").stdout)["workloads"]
    (instance,) = workload["instances"]
    assert instance["state"] == "edited" and len(instance["edits"]) == 1
    call(repo, "upgrade web.yaml -i --enforce")
    assert "in sync" in call(repo, "status web.yaml --check").stdout


def test_enforce_lists_overwritten_edits_and_fails_a_check(repo: Path) -> None:
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    outcome = call(repo, "add agent@1.0.0 web.yaml --enforce --check", 1)
    assert "warning[edit-overwritten]" in outcome.stderr
    assert "would update agent" in outcome.stderr


def test_composition_sets_the_policy(repo: Path) -> None:
    rule = "{name: all, select: {kinds: [Deployment]}, sidecars: [{name: agent@1.0.0}]}"
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: team}\nspec:\n"
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    (repo / "sidecarctl.yaml").write_text(f"{head}  rules:\n  - {rule}\n")
    call(repo, "render web.yaml -i")
    assert "agent:1.0.3" in text(repo) and "--period=10" in text(repo)
    (repo / "sidecarctl.yaml").write_text(f"{head}  enforce: true\n  rules:\n  - {rule}\n")
    assert "edit-overwritten" in call(repo, "render web.yaml --check", 1).stderr


def test_conditional_wording_in_a_dry_run(repo: Path) -> None:
    assert "would update agent 1.0.0 -> 1.1.0" in call(repo, "upgrade web.yaml --diff").stderr


def test_instance_newer_than_the_library_is_not_downgraded(repo: Path) -> None:
    call(repo, "upgrade web.yaml -i")
    (repo / "lib" / "agent@1.1.0").rename(repo / "away")
    before = text(repo)
    assert "newer-than-library" in call(repo, "upgrade web.yaml -i").stderr
    assert text(repo) == before


def test_sidecar_that_no_library_has_is_reported(repo: Path) -> None:
    (repo / "lib").rename(repo / "away")
    (repo / "lib").mkdir()
    before = text(repo)
    assert "warning[sidecar-not-in-library]" in call(repo, "upgrade web.yaml -i").stderr
    assert text(repo) == before
    assert 'unknown sidecar "agent"' in call(repo, "upgrade agent web.yaml -i", 2).stderr


def test_lost_version_with_an_edit_is_a_conflict_unless_the_parameters_determine_it(repo: Path) -> None:
    (repo / "lib" / "agent@1.0.0").rename(repo / "away")
    edit(repo, IMAGE, "registry.example/agent:1.0.3")
    outcome = call(repo, "upgrade web.yaml --set agent.level=warn", 1)
    assert "the version that wrote it is unknown" in outcome.stderr
    call(repo, "upgrade web.yaml -i --set agent.level=warn --on-conflict keep")
    assert "agent:1.0.3" in text(repo) and "--level=warn" in text(repo)


def test_lost_version_without_edits_is_upgraded(repo: Path) -> None:
    (repo / "lib" / "agent@1.0.0").rename(repo / "away")
    call(repo, "upgrade web.yaml -i")
    assert "agent:1.1.0" in text(repo) and "--period=5" in text(repo)


def test_json_report_has_parameters_and_fields(repo: Path) -> None:
    report = json.loads(call(repo, "add agent@1.0.0 web.yaml --set level=warn --format json -o out.yaml").stdout)
    (instance,) = report["changes"][0]["instances"]
    assert instance["parameters"] == [{"path": "level", "before": "debug", "after": "warn"}]
    assert [field["path"] for field in instance["fields"]] == ["spec.template.spec.initContainers[agent].args"]


@pytest.mark.parametrize("sidecars", [("logger", "vector"), ("log-tail", "logger", "vector")])
def test_conflict_of_a_later_sidecar_names_the_line_of_the_file(sidecars: tuple[str, ...], tmp_path: Path) -> None:
    given = " ".join(f"--set {name}.logDir=/srv/{name}" for name in sidecars)
    more = " --set log-tail.path=a.log" if "log-tail" in sidecars else ""
    (tmp_path / "web.yaml").write_text(MANIFEST)
    run(f"sidecarctl add {' '.join(sidecars)} -f web.yaml -i {given}{more}", tmp_path)
    lines = (tmp_path / "web.yaml").read_text().split("\n")
    line = next(i for i in range(lines.index("      - name: vector"), len(lines)) if "memory: 64Mi" in lines[i])
    lines[line] = lines[line].replace("64Mi", "99Mi")
    (tmp_path / "web.yaml").write_text("\n".join(lines))
    changes = " ".join(f"--set {name}.env.LEVEL=debug" for name in sidecars[:-1])
    outcome = run(f"sidecarctl upgrade -f web.yaml -i {changes} --set vector.resources.requests.memory=77Mi", tmp_path)
    assert outcome.code == 1
    assert f"web.yaml:{line + 1}:" in outcome.stderr
    assert outcome.stderr.count("error[") == 1


COMPANION = """\
documents:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: {{ companion }}, labels: {tier: TIER}, annotations: {wave: "1"}}
  data: {a: b}
"""


def write_version_with_companion(root: Path, version: str, tier: str) -> None:
    write_version(root, version, "period")
    template = root / "lib" / f"agent@{version}" / "template.yaml.j2"
    template.write_text(template.read_text() + COMPANION.replace("TIER", tier))


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A repository with a workload whose sidecar has a ConfigMap."""
    write_version_with_companion(tmp_path, "1.0.0", "a")
    (tmp_path / "web.yaml").write_text(MANIFEST)
    call(tmp_path, "add agent web.yaml -i")
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  name: web-agent\n", "  name: web-agent\n  namespace: shop\n  finalizers: [example.com/keep]\n"),
        ("tier: a", "tier: b"),
        ('    wave: "1"\n', ""),
        ("  labels:\n    tier: a\n", ""),
    ],
)
@pytest.mark.parametrize("command", ["upgrade web.yaml -i", "add agent web.yaml -i"])
def test_metadata_that_a_person_changed_in_a_companion_stays(
    command: str, before: str, after: str, beside: Path
) -> None:
    path = beside / "web.yaml"
    assert before in path.read_text()
    path.write_text(edited := path.read_text().replace(before, after))
    call(beside, command)
    assert path.read_text() == edited
    write_version_with_companion(beside, "1.1.0", "a")
    call(beside, command)
    workload, _, companion = path.read_text().partition("---\n")
    assert ("agent:1.1.0" in workload, companion) == (True, edited.partition("---\n")[2])


def test_label_of_a_companion_follows_the_library_unless_a_person_changed_it(beside: Path) -> None:
    path, before = beside / "web.yaml", (beside / "web.yaml").read_text()
    write_version_with_companion(beside, "1.1.0", "c")
    call(beside, "upgrade web.yaml -i")
    assert "tier: c" in path.read_text()
    path.write_text(before.replace("tier: a", "tier: b"))
    outcome = call(beside, "upgrade web.yaml -i", 1)
    assert "ConfigMap/web-agent.metadata.labels.tier was edited here and changed in agent 1.1.0" in outcome.stderr


def test_blanks_behind_a_block_scalar_stay_if_an_upgrade_drops_the_companion(tmp_path: Path) -> None:
    write_version_with_companion(tmp_path, "1.0.0", "a")
    template = tmp_path / "lib" / "agent@1.0.0" / "template.yaml.j2"
    template.write_text(f"{template.read_text()}volumes: [{{name: data, emptyDir: {{sizeLimit: 1Gi}}}}]\n")
    (tmp_path / "web.yaml").write_text(before := f"{MANIFEST}        args:\n        - |+\n          x\n  ")
    call(tmp_path, "add agent web.yaml -i")
    assert "volumes:" in text(tmp_path) and "kind: ConfigMap" in text(tmp_path)
    write_version(tmp_path, "1.1.0", "period")
    call(tmp_path, "upgrade web.yaml -i")
    assert text(tmp_path).endswith(before.partition("args:")[2]) and "kind: ConfigMap" not in text(tmp_path)
    call(tmp_path, "remove --all web.yaml -i")
    assert text(tmp_path) == before


@pytest.mark.parametrize("lost", [False, True])
def test_companion_that_an_upgrade_adds_before_another_one_is_no_edit(lost: bool, beside: Path) -> None:
    added = (
        COMPANION.replace("documents:\n", "").replace("{{ companion }}", "{{ companion }}-conf").replace("a: b", "c: d")
    )
    for version in ("1.1.0", "1.2.0"):
        write_version_with_companion(beside, version, "a")
        template = beside / "lib" / f"agent@{version}" / "template.yaml.j2"
        template.write_text(template.read_text().replace("documents:\n", f"documents:\n{added}").replace("TIER", "a"))
    call(beside, "upgrade agent@1.1.0 web.yaml -i")
    names = [yaml.safe_load(each)["metadata"]["name"] for each in text(beside).split("---\n")]
    assert names == ["web", "web-agent", "web-agent-conf"]
    if lost:
        (beside / "lib" / "agent@1.1.0").rename(beside / "away")
    assert "outdated" in call(beside, "status web.yaml").stdout
    call(beside, "upgrade web.yaml -i")
    assert "agent:1.2.0" in text(beside)


@pytest.mark.parametrize("mine", ["", "    owner: me\n"])
def test_metadata_that_a_version_no_longer_has_leaves_the_companion(mine: str, beside: Path) -> None:
    path, before = beside / "web.yaml", (beside / "web.yaml").read_text()
    write_version_with_companion(beside, "1.1.0", "a")
    template = beside / "lib" / "agent@1.1.0" / "template.yaml.j2"
    template.write_text(
        template.read_text().replace(', annotations: {wave: "1"}', "").replace("{tier: a}", "{part: b}")
    )
    path.write_text(before.replace("    tier: a\n", f"    tier: a\n{mine}"))
    call(beside, "upgrade web.yaml -i")
    (companion,) = (yaml.safe_load(each) for each in path.read_text().split("---\n")[1:])
    labels = {"part": "b", **({"owner": "me"} if mine else {})}
    assert companion["metadata"]["labels"] == labels
    assert list(companion["metadata"]["annotations"]) == ["sidecarctl.dev/owner"]
    path.write_text(before.replace("    tier: a\n", "    tier: mine\n"))
    outcome = call(beside, "upgrade web.yaml -i", 1)
    assert "ConfigMap/web-agent.metadata.labels.tier was edited here and removed in agent 1.1.0" in outcome.stderr
