"""Tests of `export`: the structure of each policy, errors with their location, and patches equivalent to `render`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.integrations.exports import cel
from sidecarctl.integrations.exports.patches import compute_operations
from tests.command import ROOT, Outcome, run
from tests.repository import WORKLOAD

MANIFESTS = ROOT / "examples" / "integrations" / "manifests"
POLICIES = ("mutatingadmissionpolicy", "kyverno")


def composition(*rules: dict[str, Any], **spec: Any) -> str:
    value = {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Composition",
        "metadata": {"name": "platform"},
        "spec": {"kubeVersion": "1.37", "rules": list(rules), **spec},
    }
    return yaml.safe_dump(value, sort_keys=False)


LOGGER = {"name": "logger", "parameters": {"logDir": "/var/log/nginx"}}
METRICS = {"name": "metrics", "parameters": {"exporter": "nginx"}}


def export(folder: Path, engine: str, text: str, *words: str) -> Outcome:
    (folder / "c.yaml").write_text(text)
    return run(["sidecarctl", "export", "--to", engine, "-c", "c.yaml", *words], folder)


def objects(outcome: Outcome) -> list[Any]:
    assert outcome.code == 0, outcome.stderr
    return [each for each in yaml.safe_load_all(outcome.stdout) if each]


# ---- policies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "group"), [("1.32", "v1alpha1"), ("1.34", "v1beta1"), ("1.36", "v1"), ("1.37", "v1")]
)
def test_admission_policies_match_the_schema_of_each_version(version: str, group: str, tmp_path: Path) -> None:
    select = {
        "names": ["web-*"],
        "namespaces": ["shop", "front-*"],
        "labels": {"tier": "front"},
        "matchExpressions": [
            {"key": "app", "operator": "NotIn", "values": ["x"]},
            {"key": "zone", "operator": "Exists"},
        ],
        "annotations": {"a/b": "*"},
        "containers": ["web"],
    }
    text = composition({"select": select, "sidecars": [LOGGER, METRICS]}, excludeNamespaces=["kube-*"])
    found = objects(export(tmp_path, "mutatingadmissionpolicy", text, "--kube-version", version))
    assert {each["apiVersion"] for each in found[:-1]} == {f"admissionregistration.k8s.io/{group}"}
    for each in found:
        kubernetes_validate.validate(each, version, strict=True)
    policies = [each for each in found if each["kind"] == "MutatingAdmissionPolicy"]
    bindings = {each["spec"]["policyName"] for each in found if each["kind"] == "MutatingAdmissionPolicyBinding"}
    assert bindings == {each["metadata"]["name"] for each in policies}
    assert all(len(each["spec"]["mutations"]) == 2 for each in policies)


def test_rejects_version_without_admission_policies(tmp_path: Path) -> None:
    outcome = export(tmp_path, "mutatingadmissionpolicy", composition(), "--kube-version", "1.31")
    assert outcome.code == 2
    assert "requires Kubernetes 1.32 or later, got 1.31" in outcome.stderr


@pytest.mark.parametrize("engine", POLICIES)
def test_header_lists_differences_from_render(engine: str, tmp_path: Path) -> None:
    text = composition({"select": {"kinds": ["Deployment"]}, "sidecars": [LOGGER]})
    outcome = export(tmp_path, engine, text)
    comments = [line for line in outcome.stdout.splitlines() if line.startswith("#")]
    assert outcome.stdout.startswith("# The composition platform for ")
    assert "# What differs from `sidecarctl render`:" in comments
    header = " ".join(line[1:].strip() for line in comments)
    for each in (
        "No record is written",
        "Companions are shared by all workloads",
        "A workload with a target container after",
    ):
        assert each in header


SIGNAL = {
    "name": "config-reloader",
    "parameters": {
        "watched-dir": [{"path": "/etc/app", "configMapName": "app"}],
        "reload-method": "signal",
        "process-executable-name": "app",
    },
}


@pytest.mark.parametrize("engine", POLICIES)
def test_shares_process_namespace_unless_the_pod_sets_it(engine: str, tmp_path: Path) -> None:
    text = export(tmp_path, engine, composition({"select": {"kinds": ["Deployment"]}, "sidecars": [SIGNAL]})).stdout
    assert "shareProcessNamespace.hasValue() ? [] : [" in text


def test_skips_jobs_for_classic_sidecars(tmp_path: Path) -> None:
    text = composition({"select": {"kinds": ["Deployment", "Job"]}, "sidecars": [{**METRICS, "mode": "classic"}]})
    outcome = export(tmp_path, "kyverno", text)
    (policy,) = objects(outcome)
    assert policy["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == ["deployments"]
    assert "Job is skipped" in outcome.stdout


@pytest.mark.parametrize(
    ("engine", "rules", "message"),
    [
        ("kyverno", [{"select": {"all": True}, "sidecars": ["network-x"]}], "network-x"),
        (
            "kyverno",
            [{"select": {"all": True}, "sidecars": [{**LOGGER, "override": True}]}],
            '"override" of instance "logger" is not supported',
        ),
        (
            "mutatingadmissionpolicy",
            [
                {"select": {"all": True}, "sidecars": [LOGGER]},
                {"select": {"kinds": ["Pod"]}, "sidecars": ["logger"]},
            ],
            "request different settings",
        ),
        (
            "sidecarset",
            [{"select": {"labels": {"a": "b"}}, "sidecars": [LOGGER]}],
            "cannot add volume mounts to app containers",
        ),
        ("sidecarset", [{"select": {"kinds": ["Deployment"]}, "sidecars": [METRICS]}], "cannot select by kinds"),
        ("sidecarset", [{"select": {"all": True}, "sidecars": [METRICS]}], "requires a label selector"),
        (
            "sidecarset",
            [{"select": {"labels": {"a": "b"}, "namespaces": ["x-*"]}, "sidecars": [METRICS]}],
            "does not support wildcards",
        ),
    ],
)
def test_rejects_unsupported_features_at_their_location(
    engine: str, rules: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    outcome = export(tmp_path, engine, composition(*rules))
    assert (outcome.code, outcome.stdout) == (2, "")
    assert message in outcome.stderr
    assert " --> c.yaml:" in outcome.stderr


def test_rejects_template_that_depends_on_the_workload(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / "looker"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
        "metadata: {name: looker, version: 1.0.0, summary: Looks.}\nspec: {engine: jinja}\n"
    )
    (folder / "template.yaml.j2").write_text(
        "containers:\n  - name: {{ instance }}\n    image: busybox:1.37\n    args: [{{ workload.kind | quote }}]\n"
    )
    text = composition({"select": {"all": True}, "sidecars": ["looker"]}, libraries=["lib"])
    outcome = export(tmp_path, "kyverno", text)
    assert outcome.code == 2
    assert "depends on the workload (containers)" in outcome.stderr


def test_sidecarset_contains_selectors_and_containers_of_the_rule(tmp_path: Path) -> None:
    select = {"labels": {"tier": "front"}, "namespaces": ["shop"]}
    text = composition({"name": "m", "select": select, "sidecars": [METRICS]}, excludeNamespaces=["kube-system"])
    (found,) = objects(export(tmp_path, "sidecarset", text))
    assert (found["apiVersion"], found["kind"]) == ("apps.kruise.io/v1alpha1", "SidecarSet")
    spec = found["spec"]
    assert spec["selector"] == {"matchLabels": {"tier": "front"}}
    assert [each["operator"] for each in spec["namespaceSelector"]["matchExpressions"]] == ["In", "NotIn"]
    (container,) = spec["initContainers"]
    assert (container["name"], container["restartPolicy"]) == ("metrics", "Always")
    assert spec["patchPodMetadata"][0]["patchPolicy"] == "Retain"
    assert spec["updateStrategy"] == {"type": "NotUpdate"}
    fields = {"selector", "namespaceSelector", "initContainers", "volumes", "patchPodMetadata", "updateStrategy"}
    assert set(spec) <= fields


def test_sidecarset_header_contains_the_configuration_that_allows_its_annotations(tmp_path: Path) -> None:
    text = composition({"name": "m", "select": {"labels": {"tier": "front"}}, "sidecars": [METRICS]})
    (found,) = objects(outcome := export(tmp_path, "sidecarset", text))
    (line,) = [line for line in outcome.stdout.splitlines() if "SidecarSet_PatchPodMetadata_WhiteList" in line]
    (rule,) = json.loads(line.partition("'")[2].rstrip("'"))["rules"]
    for key in found["spec"]["patchPodMetadata"][0]["annotations"]:
        assert any(re.fullmatch(one.strip("^$"), key) for one in rule["allowedAnnotationKeyExprs"])


def test_sidecarset_of_a_sidecar_without_containers_is_rejected(tmp_path: Path) -> None:
    linkerd = {"name": "linkerd", "as": "mesh"}
    text = composition({"name": "m", "select": {"labels": {"tier": "front"}}, "sidecars": [linkerd]})
    outcome = export(tmp_path, "sidecarset", text)
    assert outcome.code == 2
    assert "a SidecarSet requires a container, and mesh adds none" in outcome.stderr


def test_policy_engines_reject_manifests(tmp_path: Path) -> None:
    outcome = export(tmp_path, "kyverno", composition(), "-f", ".")
    assert outcome.code == 2
    assert "does not take manifests" in outcome.stderr


def test_requires_an_engine(tmp_path: Path) -> None:
    outcome = run("sidecarctl export", tmp_path)
    assert outcome.code == 2
    assert "kustomize-component" in outcome.stderr


def names_by_kind(found: list[Any]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for each in found:
        names.setdefault(each["kind"], []).append(each["metadata"]["name"].removeprefix("platform-"))
    return names


@pytest.mark.parametrize("engine", POLICIES)
def test_policies_have_distinct_names(engine: str, tmp_path: Path) -> None:
    """kubectl replaces an object by the next one with its name."""
    every = ["Deployment", "StatefulSet", "Widget", "Gadget"]
    names = ["My Rule", "my-rule", "my_rule", "日本", "ロシア", "my-rule-deployment-2"]
    rules = [
        {"name": name, "select": {"kinds": ["Deployment"]}, "sidecars": [{**METRICS, "as": f"m{number}"}]}
        for number, name in enumerate(names)
    ]
    kinds = {f"example.com/{kind}": "spec.pod.template" for kind in ("Widget", "Gadget")}
    text = composition({"name": "all", "select": {"kinds": every}, "sidecars": [METRICS]}, *rules, kinds=kinds)
    found = names_by_kind(objects(export(tmp_path, engine, text)))
    expected = [
        "all-workloads",
        "all-workloads-2",
        "my-rule-deployment",
        "my-rule-deployment-2",
        "my-rule-deployment-3",
    ]
    expected += ["rule-deployment", "rule-deployment-2", "my-rule-deployment-2-deployment"]
    for kind in found.keys() - {"ConfigMap"}:
        assert found[kind] == expected


@pytest.mark.parametrize("engine", POLICIES)
def test_policies_name_an_earlier_sidecar_of_several_rules_once(engine: str, tmp_path: Path) -> None:
    """Else the output of rules with one sidecar grows with their square."""
    rules = [{"name": f"r{n}", "select": {"namespaces": [f"n{n}"]}, "sidecars": [LOGGER]} for n in range(4)]
    specs = [each.get("spec", {}) for each in objects(export(tmp_path, engine, composition(*rules)))]
    texts = [str(spec["mutations"]) for spec in specs if "mutations" in spec]
    assert any('c.name in ["logger"]' in text for text in texts)
    assert not any('"logger", "logger"' in text for text in texts)


def test_sidecarsets_have_distinct_names(tmp_path: Path) -> None:
    names = ["My Rule", "my-rule", "my-rule-2"]
    rules = [
        {"name": name, "select": {"labels": {"a": name[-1]}}, "sidecars": [{**METRICS, "as": f"m{number}"}]}
        for number, name in enumerate(names)
    ]
    found = names_by_kind(objects(export(tmp_path, "sidecarset", composition(*rules))))
    assert found["SidecarSet"] == ["my-rule", "my-rule-3", "my-rule-2"]


# ---- patches -----------------------------------------------------------------------------------------------------


def apply_patch(value: Any, patch: list[dict[str, Any]]) -> Any:
    """Apply the subset of RFC 6902 that exports use."""
    import copy

    value = copy.deepcopy(value)
    for each in patch:
        *above, last = [step.replace("~1", "/").replace("~0", "~") for step in each["path"].split("/")[1:]] or [""]
        if each["path"] == "":
            value = each["value"]
            continue
        holder = value
        for step in above:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        if isinstance(holder, list):
            if each["op"] == "add":
                holder.insert(int(last), each["value"])
            elif each["op"] == "replace":
                holder[int(last)] = each["value"]
            else:
                holder.pop(int(last))
        elif each["op"] == "remove":
            del holder[last]
        else:
            assert each["op"] == "add" or last in holder
            holder[last] = each["value"]
    return value


def test_patches_produce_the_result_of_render(tmp_path: Path) -> None:
    rendered = run("sidecarctl render -c sidecarctl.yaml -f web.yaml", MANIFESTS)
    outcome = run("sidecarctl export --to json-patch -c sidecarctl.yaml -f web.yaml", MANIFESTS)
    exported, *companions = objects(outcome)
    (patch,) = exported["patches"]
    assert patch["target"] == {"group": "apps", "version": "v1", "kind": "Deployment", "name": "web"}
    before = yaml.safe_load((MANIFESTS / "web.yaml").read_text())
    assert [apply_patch(before, yaml.safe_load(patch["patch"])), *companions] == list(
        yaml.safe_load_all(rendered.stdout)
    )


def test_rejects_manifests_that_already_have_the_sidecars(tmp_path: Path) -> None:
    rendered = run("sidecarctl render -c sidecarctl.yaml -f web.yaml", MANIFESTS)
    (tmp_path / "web.yaml").write_text(rendered.stdout)
    (tmp_path / "c.yaml").write_text((MANIFESTS / "sidecarctl.yaml").read_text())
    outcome = run("sidecarctl export --to json-patch -c c.yaml -f web.yaml", tmp_path)
    assert outcome.code == 3
    assert "changes no manifest" in outcome.stderr


def patches_by_name(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    exported = objects(outcome)[0]
    return {each["target"]["name"]: yaml.safe_load(each["patch"]) for each in exported["patches"]}


def test_leaves_out_what_render_leaves_out(tmp_path: Path) -> None:
    """Helm hooks, and the workloads of a Namespace that opts out, in another file."""
    web = WORKLOAD.format(name="web")
    hook = WORKLOAD.format(name="hook").replace("  labels:\n", "  annotations: {helm.sh/hook: test}\n  labels:\n", 1)
    quiet = WORKLOAD.format(name="quiet").replace("  labels:\n", "  namespace: quiet\n  labels:\n", 1)
    (tmp_path / "all.yaml").write_text("---\n".join((web, hook, quiet)))
    (tmp_path / "namespace.yaml").write_text(
        'apiVersion: v1\nkind: Namespace\nmetadata: {name: quiet, annotations: {sidecarctl.dev/inject: "false"}}\n'
    )
    text = composition({"select": {"all": True}, "sidecars": ["log-tail"]})
    assert list(patches_by_name(export(tmp_path, "json-patch", text, "all.yaml", "namespace.yaml"))) == ["web"]


@pytest.mark.parametrize("enabled", [True, False])
def test_patches_change_services_that_bypass_a_sidecar(enabled: bool, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WORKLOAD.format(name="web"))
    (tmp_path / "service.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web-service}\n"
        "spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}\n"
    )
    text = composition({"select": {"all": True}, "sidecars": ["proxy"]}, retarget=enabled)
    outcome = export(tmp_path, "json-patch", text, "service.yaml", "web.yaml")
    changed = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 10000}]
    assert patches_by_name(outcome).get("web-service") == (changed if enabled else None)
    assert ("service-bypasses-sidecar" in outcome.stderr) is not enabled


def test_companion_of_a_removed_sidecar_is_removed(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WORKLOAD.format(name="web"))
    (tmp_path / "c.yaml").write_text(composition({"select": {"all": True}, "sidecars": [LOGGER]}))
    assert run("sidecarctl render -c c.yaml web.yaml -o out.yaml", tmp_path).code == 0
    assert "kind: ConfigMap" in (tmp_path / "out.yaml").read_text()
    component = objects(export(tmp_path, "kustomize-component", composition(), "out.yaml"))[0]
    assert [each["target"]["name"] for each in component["patches"]] == ["web", "web-logger"]
    assert yaml.safe_load(component["patches"][1]["patch"]) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web-logger"},
        "$patch": "delete",
    }
    outcome = export(tmp_path, "json-patch", composition(), "out.yaml")
    assert "delete ConfigMap/web-logger, which `render` removes" in outcome.stdout


def test_component_with_companions_requires_a_directory(tmp_path: Path) -> None:
    outcome = run("sidecarctl export --to kustomize-component -c sidecarctl.yaml -f web.yaml", MANIFESTS)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "-o DIR" in outcome.stderr


@pytest.mark.parametrize("kept", ["kustomization.yaml", "companions.yaml"])
def test_file_that_no_export_wrote_is_kept(kept: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WORKLOAD.format(name="web"))
    text = composition({"select": {"all": True}, "sidecars": [LOGGER]})
    words = ["web.yaml", "-o", "out/"]
    assert export(tmp_path, "kustomize-component", text, *words).code == 0
    assert export(tmp_path, "kustomize-component", text.replace("nginx", "app"), *words).code == 0
    assert "/var/log/app" in (tmp_path / "out" / "kustomization.yaml").read_text()
    others = {path: path.read_text() for path in (tmp_path / "out").iterdir() if path.name != kept}
    own = "# The composition of these resources was made by hand.\nresources: [web.yaml]\n"
    (tmp_path / "out" / kept).write_text(own)
    outcome = export(tmp_path, "kustomize-component", text, *words)
    assert outcome.code == 3
    assert f"{kept} already exists, and no export wrote it; no files written" in outcome.stderr
    assert (tmp_path / "out" / kept).read_text() == own
    assert {path: path.read_text() for path in others} == others


@pytest.mark.parametrize("name", ["platform", "a-" * 31 + "z"])
def test_single_file_is_replaced_if_an_export_wrote_it_or_it_is_empty(name: str, tmp_path: Path) -> None:
    text = composition({"select": {"labels": {"a": "b"}}, "sidecars": [METRICS]}).replace(
        "name: platform", f"name: {name}"
    )
    output = tmp_path / "policy.yaml"
    output.touch()
    for engine in ("kyverno", "mutatingadmissionpolicy", "sidecarset"):
        assert export(tmp_path, engine, text, "-o", "policy.yaml").code == 0
    output.write_text(before := WORKLOAD.format(name="web"))
    assert export(tmp_path, "kyverno", text, "-o", "policy.yaml").code == 3
    assert output.read_text() == before
    assert export(tmp_path, "kyverno", text, "-o", "/dev/stdout").stdout.startswith("# The composition ")


def test_companions_of_an_earlier_export_are_named_and_kept(tmp_path: Path) -> None:
    logger, metrics = (
        composition({"select": {"labels": {"a": "b"}}, "sidecars": [sidecar]}) for sidecar in (LOGGER, METRICS)
    )
    stale = tmp_path / "out" / "companions.yaml"
    assert export(tmp_path, "kyverno", logger, "-o", "out/").stderr == ""
    before = stale.read_text()
    assert export(tmp_path, "kyverno", logger, "-o", "out/").stderr == ""
    assert export(tmp_path, "kyverno", metrics, "-o", "out/", "-q").stderr == ""
    done = export(tmp_path, "kyverno", metrics, "-o", "out")
    assert done.code == 0
    assert done.stderr.splitlines() == [
        "warning: out/companions.yaml is from an earlier export: this one has no such file",
        "help: delete it if no other export needs it",
    ]
    assert stale.read_text() == before
    stale.write_text("# Of a person.\n")
    assert export(tmp_path, "kyverno", metrics, "-o", "out/").stderr == ""


def test_conflict_prevents_the_export(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text((MANIFESTS / "web.yaml").read_text().replace("- name: web", "- name: logger"))
    (tmp_path / "c.yaml").write_text((MANIFESTS / "sidecarctl.yaml").read_text())
    outcome = run("sidecarctl export --to json-patch -c c.yaml -f web.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "container-conflict" in outcome.stderr


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("abcd"), "v": inner}), max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_VALUES, _VALUES)
def test_operations_turn_one_value_into_the_other(before: Any, after: Any) -> None:
    found = apply_patch(before, list(compute_operations(before, after)))
    assert repr(found) == repr(after) or found == after


# ---- CEL ---------------------------------------------------------------------------------------------------------


def test_mixed_types_are_wrapped_in_dyn() -> None:
    assert cel.literal({"a": "b"}) == '{"a": "b"}'
    assert cel.literal({"a": 1, "b": "x"}) == '{"a": dyn(1), "b": dyn("x")}'
    assert cel.literal([{"a": 1}, {"a": "x"}]) == '[dyn({"a": 1}), dyn({"a": "x"})]'
    assert cel.literal([True, None]) == "[dyn(true), dyn(null)]"


@pytest.mark.parametrize("engine", [*POLICIES, "sidecarset"])
def test_jobs_are_skipped_if_they_would_need_other_companions(engine: str, tmp_path: Path) -> None:
    sidecar = tmp_path / "lib" / "mode"
    sidecar.mkdir(parents=True)
    (sidecar / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
        "metadata: {name: mode, version: 1.0.0, summary: Differs for Jobs.}\nspec: {engine: jinja}\n"
    )
    (sidecar / "template.yaml.j2").write_text(
        "containers: [{name: mode, image: 'registry.example/mode:1.0.0', resources: {limits: {memory: 20Mi}}}]\n"
        "documents:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: mode}\n"
        "  data: {mode: {{ 'job' if workload.kind in ['Job', 'CronJob'] else 'server' }}}\n"
    )
    select = {"labels": {"a": "b"}} | ({} if engine == "sidecarset" else {"kinds": ["Deployment", "CronJob"]})
    rule = {"select": select, "sidecars": ["mode"]}
    outcome = export(tmp_path, engine, composition(rule, libraries=["./lib"]))
    comments = " ".join(line[1:].strip() for line in outcome.stdout.splitlines() if line.startswith("#"))
    assert "mode has other companions for Jobs, and an export has one of each name" in comments
    assert "mode: job" not in outcome.stdout and "mode: server" in outcome.stdout
    assert "cronjobs" not in outcome.stdout


def test_globs_become_re2_expressions() -> None:
    assert cel.matches("n", ["web", "a.b"]) == 'n in ["web", "a.b"]'
    assert cel.matches("n", ["web-*", "a.b?", "[!x]y"]) == 'n.matches("(?s)^(web-.*|a\\\\.b.|[^x]y)$")'
    assert cel.matches("n", ["*", "[z-a]"]) == 'n.matches("(?s)^(.*|[^\\\\x00-\\\\x{10FFFF}])$")'


WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web.v1}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {generateName: NAME-}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "job:1"}]}}}
"""


def test_objects_without_a_name_that_no_rule_selects_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(composition({"select": {"kinds": ["Deployment"]}, "sidecars": ["log-tail"]}))
    (tmp_path / "web.yaml").write_text("---\n".join([JOB.replace("NAME", "a"), WEB, JOB.replace("NAME", "b")]))
    exported = objects(run("sidecarctl export --to json-patch -c c.yaml -f web.yaml", tmp_path))[0]
    assert [patch["target"]["kind"] for patch in exported["patches"]] == ["Deployment"]


@pytest.mark.parametrize("name", ['{name: ""}', "{name: null}", "{generateName: a-}"])
@pytest.mark.parametrize("target", ["json-patch", "kustomize-component"])
def test_workload_without_a_name_that_a_rule_selects_is_an_error(target: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(composition({"select": {"all": True}, "sidecars": ["log-tail"]}))
    (tmp_path / "web.yaml").write_text(WEB.replace("{name: web.v1}", name))
    done = run(f"sidecarctl export --to {target} -c c.yaml -f web.yaml", tmp_path)
    assert (done.code, "web.yaml:1:1" in done.stderr, "a name" in done.stderr) == (2, True, True), done.stderr


def test_names_in_the_patch_list_match_only_themselves(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(composition({"select": {"kinds": ["Deployment"]}, "sidecars": ["log-tail"]}))
    (tmp_path / "web.yaml").write_text(WEB)
    (patch,) = objects(run("sidecarctl export --to json-patch -c c.yaml -f web.yaml", tmp_path))[0]["patches"]
    assert re.fullmatch(patch["target"]["name"], "web.v1")
    assert not re.fullmatch(patch["target"]["name"], "web-v1")


@pytest.mark.parametrize("files", [("all.yaml",), ("a.yaml", "b.yaml")])
def test_target_that_matches_two_objects_is_an_error(files: tuple[str, ...], tmp_path: Path) -> None:
    """kustomize applies a patch to every object that its target matches; a target without namespace matches any."""
    web = WORKLOAD.format(name="web")
    both = [web, web.replace("  labels:\n", "  namespace: prod\n  labels:\n", 1)]
    for name, text in zip(files, both if len(files) > 1 else ["---\n".join(both)], strict=True):
        (tmp_path / name).write_text(text)
    text = composition({"select": {"all": True}, "sidecars": ["log-tail"]})
    (tmp_path / "c.yaml").write_text(text)
    named = [word for name in files for word in ("-f", name)]
    outcome = run(
        ["sidecarctl", "export", "--to", "kustomize-component", "-c", "c.yaml", *named, "-o", "out/"], tmp_path
    )
    assert outcome.code == 2
    assert "cannot export a patch for Deployment/web: its target also matches Deployment/prod/web" in outcome.stderr
    assert f"--> {files[-1]}:" in outcome.stderr
    assert not (tmp_path / "out").exists()
    assert run(["sidecarctl", "export", "--to", "json-patch", "-c", "c.yaml", *named], tmp_path).code == 0
