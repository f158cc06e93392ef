"""Tests of `validate --fix`: fixes, refused fixes, output, and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.cli.commands.rules import find_page
from sidecarctl.validate.fix.table import FIXABLE, SAME
from sidecarctl.validate.registry import rules
from tests.command import ROOT, Outcome, run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: registry.example/web:1.0.0
"""
BUDGET = """\
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata:
  name: web
spec:
  minAvailable: 1
  selector:
    matchLabels: {app: web}
"""
DEPLOYMENT = """\
apiVersion: extensions/v1beta1
kind: Deployment
metadata:
  name: web
spec:
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 10
  strategy: {type: Recreate}
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
"""
# Without the fields whose defaults differ between the versions of Deployment.
BARE = DEPLOYMENT.replace(
    "  progressDeadlineSeconds: 600\n  revisionHistoryLimit: 10\n  strategy: {type: Recreate}\n", ""
)
SIDECAR = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  initContainers:
  - name: logger
    image: registry.example/logger:1.0.0
    restartPolicy: Always
    securityContext: {readOnlyRootFilesystem: true}
    volumeMounts:
    - name: logs
      mountPath: /logs
  containers:
  - name: web
    image: registry.example/web:1.0.0
  volumes:
  - name: logs
    emptyDir: {}
"""


def fixed(tmp_path: Path, text: str, flags: str = "") -> str:
    """Return a manifest after `--fix`."""
    file = tmp_path / "in.yaml"
    file.write_bytes(text.encode())
    done = run(f"sidecarctl validate --fix -f in.yaml {flags}", tmp_path)
    assert done.code in (0, 1), done.stderr
    return file.read_bytes().decode()


def report(tmp_path: Path, text: str, flags: str = "") -> dict[str, Any]:
    (tmp_path / "in.yaml").write_text(text)
    data: dict[str, Any] = json.loads(run(f"sidecarctl validate -f in.yaml --format json {flags}", tmp_path).stdout)
    return data


def refusals(tmp_path: Path, text: str, flags: str = "") -> list[str]:
    findings = report(tmp_path, text, flags)["findings"]
    return [one["fix"]["refused"] for one in findings if one["fix"] and one["fix"]["refused"]]


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        ("    env: [{name: A, value: 8080}]\n", "    env: [{name: A, value: \"8080\"}]\n"),
        ("    env:\n    - name: A\n      value: 0644 # x\n", "    env:\n    - name: A\n      value: \"0644\" # x\n"),
        ("    env:\n    - value:   yes\n      name: A\n", "    env:\n    - value:   \"yes\"\n      name: A\n"),
        ("    env: [{name: A, value: 1.0}]\n", "    env: [{name: A, value: \"1.0\"}]\n"),
        ("    env: [{name: A, value: 1e3}]\n", "    env: [{name: A, value: \"1e3\"}]\n"),
        ("    args:\n    - -p\n    - 1_000\n", "    args:\n    - -p\n    - \"1_000\"\n"),
        ("    command: [sleep, 0x1F]\n", "    command: [sleep, \"0x1F\"]\n"),
        ("  nodeSelector:\n    a/ssd: true\n", "  nodeSelector:\n    a/ssd: \"true\"\n"),
        ("    ports: [{containerPort: '8080'}]\n", "    ports: [{containerPort: 8080}]\n"),
        ("    ports:\n    - containerPort: '8080'#c\n", "    ports:\n    - containerPort: 8080 #c\n"),
        ("    stdin: \"true\"\n", "    stdin: true\n"),
        ("  restartPolicy: always\n", "  restartPolicy: Always\n"),
        ("    ports: [{containerPort: 80, protocol: 'tcp'}]\n", "    ports: [{containerPort: 80, protocol: 'TCP'}]\n"),
        ("    imagePullPolicy: \"ifnotpresent\"\n", "    imagePullPolicy: \"IfNotPresent\"\n"),
    ],
)  # fmt: skip
def test_changes_type_or_case_of_scalar_and_keeps_its_text(part: str, becomes: str, tmp_path: Path) -> None:
    assert fixed(tmp_path, POD + part) == POD + becomes


def test_quotes_labels_annotations_and_data(tmp_path: Path) -> None:
    text = POD.replace("  name: web\nspec", "  name: web\n  labels: {v: 1.10}\n  annotations:\n    on: off\nspec")
    assert 'labels: {v: "1.10"}\n  annotations:\n    on: "off"\n' in fixed(tmp_path, text)
    data = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  port: 080\n  on: true\n"
    assert fixed(tmp_path, data).endswith('data:\n  port: "080"\n  on: "true"\n')


def test_quotes_numbers_in_json(tmp_path: Path) -> None:
    value = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1.50,"b":true}}'
    text = fixed(tmp_path, value)
    assert json.loads(text)["data"] == {"a": "1.50", "b": "true"}
    assert text == value.replace("1.50", '"1.50"').replace("true", '"true"')


def test_leaves_secret_data_unchanged(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {pin: 1234}\n"
    assert fixed(tmp_path, text) == text


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (
            "    env:\n    - {name: A, value: x}\n    - name: B\n      value: z\n    - name: A\n      value: x\n",
            "    env:\n    - {name: A, value: x}\n    - name: B\n      value: z\n",
        ),
        (
            "    ports:\n    - containerPort: 80\n    - containerPort: 80\n    - containerPort: 81\n",
            "    ports:\n    - containerPort: 80\n    - containerPort: 81\n",
        ),
        (
            "    ports: [{name: a, containerPort: 80, hostPort: 80}, {name: a, containerPort: 80, hostPort: 80}]\n",
            "    ports: [{name: a, containerPort: 80, hostPort: 80}]\n",
        ),
        ("  imagePullSecrets: [{name: a}, {name: b}, {name: a}]\n", "  imagePullSecrets: [{name: a}, {name: b}]\n"),
        ("  hostAliases:\n  - {ip: 1.1.1.1, hostnames: [a]}\n  - {ip: 1.1.1.1, hostnames: [a]}\n",
         "  hostAliases:\n  - {ip: 1.1.1.1, hostnames: [a]}\n"),
        (
            "    volumeMounts: &m\n    - {name: a, mountPath: /a}\n    - {mountPath: /a, name: a}\n"
            "  volumes:\n  - {name: a, emptyDir: {}}\n  - {name: a, emptyDir: {}}\n",
            "    volumeMounts: &m\n    - {name: a, mountPath: /a}\n  volumes:\n  - {name: a, emptyDir: {}}\n",
        ),
    ],
)  # fmt: skip
def test_removes_identical_items(part: str, becomes: str, tmp_path: Path) -> None:
    assert fixed(tmp_path, POD + part) == POD + becomes


@pytest.mark.parametrize(
    "part",
    [
        # The last one takes effect: without it the value would be z.
        "    env: [{name: A, value: x}, {name: A, value: z}, {name: A, value: x}]\n",
        "    volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]\n"
        "  volumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {}}]\n",
        "    ports: [{name: a, containerPort: 80}, {name: b, containerPort: 80}]\n",
        "  hostAliases: [{ip: 1.1.1.1, hostnames: [a]}, {ip: 1.1.1.1, hostnames: [b]}]\n",
    ],
)
def test_keeps_items_that_differ(part: str, tmp_path: Path) -> None:
    assert fixed(tmp_path, POD + part) == POD + part


def test_keeps_items_with_comments(tmp_path: Path) -> None:
    text = POD + "    ports:\n    - containerPort: 80\n    # a second\n    - containerPort: 80\n"
    assert fixed(tmp_path, text) == text
    assert refusals(tmp_path, text) == ["the item has a comment, which would be lost"]
    inside = POD + "    ports:\n    - containerPort: 80\n    - containerPort: 80 # the second\n"
    assert fixed(tmp_path, inside) == inside
    hash_sign = POD + "    env:\n    - {name: A, value: '#'} # first\n    - {name: A, value: '#'}\n"
    assert fixed(tmp_path, hash_sign) == POD + "    env:\n    - {name: A, value: '#'} # first\n"


def test_replaces_api_version_if_meaning_is_unchanged(tmp_path: Path) -> None:
    assert fixed(tmp_path, BUDGET) == BUDGET.replace("v1beta1", "v1")
    assert fixed(tmp_path, DEPLOYMENT) == DEPLOYMENT.replace("extensions/v1beta1", "apps/v1")
    quoted = BUDGET.replace("policy/v1beta1", "'policy/v1beta1'")
    assert fixed(tmp_path, quoted) == quoted.replace("v1beta1", "v1")
    assert fixed(tmp_path, BUDGET, "--kube-version 1.25") == BUDGET.replace("v1beta1", "v1")


def test_keeps_api_version_if_meaning_changes(tmp_path: Path) -> None:
    budget = BUDGET.replace("matchLabels: {app: web}", "{}").replace("selector:\n    {}", "selector: {}")
    assert fixed(tmp_path, budget) == budget
    assert "selects no pods in the old version and all pods" in refusals(tmp_path, budget)[0]
    daemons = BARE.replace("kind: Deployment", "kind: DaemonSet")
    assert fixed(tmp_path, daemons) == daemons
    assert "updateStrategy" in refusals(tmp_path, daemons)[0]
    explicit = daemons.replace("spec:\n  selector", "spec:\n  updateStrategy: {type: OnDelete}\n  selector")
    assert fixed(tmp_path, explicit) == explicit.replace("extensions/v1beta1", "apps/v1")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("strategy: {type: Recreate}", "replicas: 40", "strategy.rollingUpdate.maxUnavailable"),
        ("{type: Recreate}", "{rollingUpdate: {maxUnavailable: 1}}", "strategy.rollingUpdate.maxSurge"),
        ("  progressDeadlineSeconds: 600\n", "", "progressDeadlineSeconds"),
        ("  revisionHistoryLimit: 10\n", "", "revisionHistoryLimit"),
        ("  revisionHistoryLimit: 10\n", "  revisionHistoryLimit: null\n", "revisionHistoryLimit"),
    ],
)
def test_keeps_api_version_if_a_default_of_a_deployment_changes(old: str, new: str, field: str, tmp_path: Path) -> None:
    text = DEPLOYMENT.replace(old, new)
    assert text != DEPLOYMENT
    assert fixed(tmp_path, text) == text
    assert f"{field} is not set, and its default changes" in refusals(tmp_path, text)[0]
    older = text.replace("extensions/v1beta1", "apps/v1beta1")
    same = field != "revisionHistoryLimit"
    assert fixed(tmp_path, older) == (older.replace("apps/v1beta1", "apps/v1") if same else older)


def test_keeps_a_variable_that_refers_to_one_set_between_it_and_its_twin(tmp_path: Path) -> None:
    item = "    - {name: A, value: '%s'}\n"
    for value, kept in (("$(B)", True), ("x$(A)", True), ("$(C)", False), ("B", False)):
        first = POD + "    env:\n    - {name: C, value: c}\n" + item % value
        text = first + "    - {name: B, value: b}\n" + item % value
        assert (fixed(tmp_path, text) == text) is kept
        if value == "$(B)":
            assert "refers to a variable that is set after the earlier one" in refusals(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("  selector:\n    matchLabels: {app: web}\n", "", "missing-required"),
        ("  selector:\n", "  rollbackTo: {revision: 1}\n  selector:\n", "unknown-field"),
        ("matchLabels: {app: web}", "matchLabels: {app: other}", "selector-mismatch"),
    ],
)
def test_keeps_api_version_if_replacement_causes_errors(old: str, new: str, rule: str, tmp_path: Path) -> None:
    text = DEPLOYMENT.replace(old, new)
    assert fixed(tmp_path, text) == text
    assert refusals(tmp_path, text)[0].startswith(f"the fix causes a new error, {rule}: ")


def test_fixes_findings_hidden_by_removed_api_version(tmp_path: Path) -> None:
    text = DEPLOYMENT + "        env: [{name: A, value: 1}]\n"
    assert fixed(tmp_path, text) == text.replace("extensions/v1beta1", "apps/v1").replace("1}", '"1"}')


def test_table_of_api_versions_has_only_kinds_with_replacement() -> None:
    from sidecarctl.validate.schema.api_versions import find_replacement

    for api_version, kinds in SAME.items():
        for kind in kinds:
            assert find_replacement(api_version, kind, "1.37"), (api_version, kind)


def test_sets_resources_and_size_limit_from_flags(tmp_path: Path) -> None:
    flags = "--size-limit 1Gi --memory-limit 64Mi --cpu-request 10m --memory-request 32Mi"
    text = fixed(tmp_path, SIDECAR, flags)
    added = (
        "    resources:\n      limits:\n        memory: 64Mi\n      requests:\n        cpu: 10m\n        memory: 32Mi\n"
    )
    with_limits = SIDECAR.replace("    securityContext", f"{added}    securityContext")
    assert text == with_limits.replace("emptyDir: {}", "emptyDir:\n      sizeLimit: 1Gi")
    assert fixed(tmp_path, SIDECAR) == SIDECAR


def test_refuses_only_one_of_two_missing_requests(tmp_path: Path) -> None:
    assert refusals(tmp_path, SIDECAR, "--memory-request 32Mi") == ["requires --cpu-request too"]


@pytest.mark.parametrize(
    "resources",
    [
        *("{limits: {memory: {a: b}}}", "{limits: {memory: [a]}}", "{limits: [a]}", "{limits: x}", "[]", "x", "5"),
        *("{requests: {cpu: {a: b}}}", "{requests: [a]}", "{requests: x}", "{requests: {memory: []}}"),
    ],
)
@pytest.mark.parametrize("volume", ["{sizeLimit: {a: b}}", "[]", "x"])
def test_leaves_resources_of_an_unexpected_type(resources: str, volume: str, tmp_path: Path) -> None:
    text = (
        "apiVersion: ${API}\nkind: Pod\nmetadata: {name: web}\nspec:\n"  # types of an unknown version are not checked
        f"  volumes: [{{name: v, emptyDir: {volume}}}]\n"
        "  containers: [{name: web, image: registry.example/web:1.0.0}]\n"
        "  initContainers:\n"
        f"  - {{name: a, image: registry.example/a:1.0.0, restartPolicy: Always, resources: {resources}}}\n"
    )
    flags = "--size-limit 1Gi --memory-limit 64Mi --cpu-request 10m --memory-request 32Mi"
    done = run(f"sidecarctl validate --fix {flags}", tmp_path, stdin=text)
    assert done.code in (0, 1), done.stderr


def test_refuses_memory_limit_below_request(tmp_path: Path) -> None:
    text = SIDECAR.replace("    security", "    resources: {requests: {cpu: 1, memory: 1Gi}}\n    security")
    assert fixed(tmp_path, text, "--memory-limit 64Mi") == text
    assert refusals(tmp_path, text, "--memory-limit 64Mi")[0].startswith("the fix causes a new error, request-over")


@pytest.mark.parametrize("amount", ["64MB", "0", "-1"])
def test_rejects_invalid_quantity_in_flag(amount: str, tmp_path: Path) -> None:
    done = run(f"sidecarctl validate --fix --memory-limit={amount}", tmp_path, stdin=POD)
    assert (done.code, done.stdout) == (2, "")
    assert "--memory-limit" in done.stderr


def test_refused_fix_does_not_block_other_fixes(tmp_path: Path) -> None:
    text = POD.replace("- name: web", "- name: 1_0") + "    env: [{name: A, value: 1}]\n"
    assert fixed(tmp_path, text) == text.replace("value: 1", 'value: "1"')
    assert "invalid-container-name" in refusals(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (POD + "    ports: [{containerPort: &p 80}]\n    env: [{name: A, value: *p}]\n", "the value is an alias (*p)"),
        (
            POD + "    env: [{name: A, value: &p 80}]\n    ports: [{containerPort: *p}]\n",
            "the value has an anchor (&p)",
        ),
        (POD + "    env: [{name: A, value: !!int 80}]\n", "the value has a tag, which sets its type"),
        (
            POD + "    env: &e [{name: A, value: 80}]\n  - {name: b, image: 'b:1', env: *e}\n",
            "cannot edit spec.containers[0].env: the alias *e reuses its value",
        ),
        (
            POD + "    env:\n    - &b {name: A, value: 80}\n    - {<<: *b, name: B}\n",
            "the value comes from a merge key (<<)",
        ),
    ],
)
def test_refuses_fix_of_value_with_anchor_alias_tag_or_merge_key(text: str, why: str, tmp_path: Path) -> None:
    assert fixed(tmp_path, text) == text
    assert why in refusals(tmp_path, text)
    done = run("sidecarctl validate --fix -f in.yaml", tmp_path)
    assert done.code == 1
    assert "= not fixable: " in done.stdout


def test_does_not_fix_ignored_or_unselected_findings(tmp_path: Path) -> None:
    text = POD + "    env: [{name: A, value: 1}] # sidecarctl: ignore[wrong-type] later\n  restartPolicy: always\n"
    assert fixed(tmp_path, text) == text.replace("always", "Always")
    assert fixed(tmp_path, text, "--no-ignores --select wrong-type") == text.replace("value: 1", 'value: "1"')
    assert fixed(tmp_path, text, "--ignore invalid-enum") == text


def test_keeps_line_ends_bom_and_other_documents(tmp_path: Path) -> None:
    other = "--- # other\na:   [1,  2]   # odd\n...\n"
    text = "\ufeff" + (POD + "    args: [1]\n" + other + "---\n" + POD + "    args: [ 2 ]").replace("\n", "\r\n")
    assert fixed(tmp_path, text) == text.replace("args: [1]", 'args: ["1"]').replace("[ 2 ]", '[ "2" ]')


def test_fixes_other_documents_of_file_with_syntax_error(tmp_path: Path) -> None:
    text = POD + "    args: [1]\n---\na: [\n---\n" + POD + "    args: [2]\n"
    (tmp_path / "in.yaml").write_text(text)
    done = run("sidecarctl validate --fix -f in.yaml", tmp_path)
    assert done.code == 3
    assert (tmp_path / "in.yaml").read_text() == text.replace("[1]", '["1"]').replace("[2]", '["2"]')
    broken = text.replace("---\na: [", "--- a: [")
    (tmp_path / "in.yaml").write_text(broken)
    done = run("sidecarctl validate --fix -f in.yaml", tmp_path)
    assert (tmp_path / "in.yaml").read_text() == broken
    assert "the file cannot be split into documents" in done.stdout
    run("sidecarctl validate --fix -f in.yaml --ignore yaml-syntax", tmp_path)
    assert (tmp_path / "in.yaml").read_text() == broken


def test_fixes_files_in_place_and_reports_remaining_findings(tmp_path: Path) -> None:
    for name, part in (("a.yaml", "    args: [1]\n"), ("b.yaml", "    args: {}\n"), ("c.yaml", "")):
        (tmp_path / name).write_text(POD + part)
    before = (tmp_path / "c.yaml").stat().st_mtime_ns
    done = run("sidecarctl validate --fix -f .", tmp_path)
    assert done.code == 1
    assert done.stdout.endswith("1 error in 3 files; 1 fixed\n")
    assert (tmp_path / "a.yaml").read_text() == POD + '    args: ["1"]\n'
    assert (tmp_path / "c.yaml").stat().st_mtime_ns == before
    assert run("sidecarctl validate --fix -v -f a.yaml", tmp_path).stdout == "no findings in 1 file; 0 fixed\n"


def test_writes_fixed_stdin_to_stdout_and_report_to_stderr(tmp_path: Path) -> None:
    done = run("sidecarctl validate --fix", tmp_path, stdin=POD + "    args: [1]\n    tty: maybe\n")
    assert done.code == 1
    assert done.stdout == POD + '    args: ["1"]\n    tty: maybe\n'
    assert done.stderr.endswith("1 error in 1 file; 1 fixed\n")
    sound = run("sidecarctl validate --fix", tmp_path, stdin=POD)
    assert (sound.code, sound.stdout, sound.stderr) == (0, POD, "no findings in 1 file; 0 fixed\n")


def test_writes_nothing_if_input_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(POD + "    args: [1]\n")
    done = run("sidecarctl validate --fix -f in.yaml -f gone.yaml -f -", tmp_path, stdin=POD)
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr.endswith("no files written: 1 error\n")
    assert (tmp_path / "in.yaml").read_text() == POD + "    args: [1]\n"


def test_diff_writes_nothing_and_exits_1_if_there_are_fixes(tmp_path: Path) -> None:
    text = POD + "    args: [1]\n    tty: maybe\n"
    (tmp_path / "in.yaml").write_text(text)
    for flags in ("--fix --diff", "--diff", "--diff --format json"):
        done = run(f"sidecarctl validate {flags} -f in.yaml", tmp_path)
        assert done.code == 1
        assert '-    args: [1]\n+    args: ["1"]\n' in done.stdout
    assert run("sidecarctl validate --diff -f in.yaml", tmp_path).stderr == "would fix 1 finding in 1 file\n"
    assert (tmp_path / "in.yaml").read_text() == text
    assert run("sidecarctl validate --diff -f in.yaml --fail-on never", tmp_path).code == 0
    # As in ruff, findings without a fix do not affect the exit code.
    left = run("sidecarctl validate --diff", tmp_path, stdin=POD + "    tty: maybe\n")
    assert (left.code, left.stdout, left.stderr) == (0, "", "no fixes to apply\n")


def test_diff_reports_syntax_errors(tmp_path: Path) -> None:
    done = run("sidecarctl validate --diff", tmp_path, stdin="a: [\n")
    assert (done.code, done.stdout) == (3, "")
    assert "error[yaml-syntax]" in done.stderr


def test_report_marks_and_counts_fixable_findings(tmp_path: Path) -> None:
    text = POD + "    args: [0644]\n    tty: maybe\n"
    done: Outcome = run("sidecarctl validate", tmp_path, stdin=text)
    assert "error[wrong-type]: [*] args[0]: expected a string, got" in done.stdout
    assert 'help: quote the value: "0644"\n' in done.stdout
    assert "error[wrong-type]: tty: expected a boolean" in done.stdout
    assert done.stdout.endswith("2 errors in 1 file; [*] 1 fixable with --fix\n")


def test_json_report_contains_fixes(tmp_path: Path) -> None:
    data = report(tmp_path, POD + "    args: [0644]\n    tty: maybe\n")
    assert (data["summary"]["fixable"], data["summary"]["fixed"]) == (1, 0)
    assert [one["fix"] for one in data["findings"]] == [
        {"description": 'quote the value: "0644"', "refused": None},
        None,
    ]
    assert report(tmp_path, POD + "    args: [0644]\n", "--fix")["summary"]["fixed"] == 1


def test_fixable_rules_are_documented(tmp_path: Path) -> None:
    assert set(FIXABLE) <= set(rules())
    for name in FIXABLE:
        assert find_page(name).fixable.startswith("with --fix")
    assert find_page("port-conflict").fixable == ""
    shown = run("sidecarctl rules unbounded-emptydir", tmp_path).stdout
    assert "Fixable: with --fix --size-limit, where" in shown
    section = (ROOT / "docs" / "validation.md").read_text().partition("## Safe fixes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"\(rules\.md#([a-z-]+)\)", section)) == set(FIXABLE)
    flags = {flag for known in FIXABLE.values() for flag in known.flags}
    assert all(f"`{flag}" in section for flag in flags)
