"""Tests of `krm` as kustomize and kpt call it: forms of functionConfig, invalid input, and moved or renamed items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.inject.companions import read_owner
from sidecarctl.integrations import resource_list
from sidecarctl.integrations.renames import follow_renames
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.yamltext.stream import Document, split
from tests.calls import count_calls
from tests.command import Outcome, run

PATH = "internal.config.kubernetes.io/path"
INDEX = "internal.config.kubernetes.io/index"


def deployment(name: str = "web", **pod: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": {PATH: "web.yaml", INDEX: "0"}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": "nginx:1.29.3"}], **pod},
            },
        },
    }


def injection(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "SidecarInjection",
        "metadata": {"name": "logs"},
        "spec": {"sidecar": "logger", **spec},
    }


def composition(**spec: Any) -> dict[str, Any]:
    rules = [{"select": {"all": True}, "sidecars": ["logger"]}]
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Composition",
        "metadata": {"name": "platform"},
        "spec": {"rules": rules, **spec},
    }


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "function-input"}, "data": data}


def listed(items: list[Any], config: Any = None, version: str = "config.kubernetes.io/v1") -> dict[str, Any]:
    rest = {"functionConfig": config} if config is not None else {}
    return {"apiVersion": version, "kind": "ResourceList", "items": items, **rest}


def krm(value: Any, folder: Path, *words: str, env: dict[str, str] | None = None) -> Outcome:
    text = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
    return run(["sidecarctl", "krm", *words], folder, stdin=text, env=env)


def items(outcome: Outcome) -> list[Any]:
    assert outcome.code == 0, outcome.stderr
    found: list[Any] = yaml.safe_load(outcome.stdout)["items"]
    return found


def sidecars(item: Any) -> list[str]:
    return [one["name"] for one in item["spec"]["template"]["spec"].get("initContainers", ())]


# ---- forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        injection(),
        composition(),
        config_map(sidecars="logger"),
        config_map(sidecar="logger", logDir="/srv/log"),
        config_map(sidecars="logger@1.0.0", **{"logger.logDir": "/srv/log"}),
        injection(select={"kinds": ["Deployment"]}, kubeVersion="1.34", containers=["w*"]),
    ],
)
def test_each_function_config_form_adds_the_sidecar(config: dict[str, Any], tmp_path: Path) -> None:
    found = items(krm(listed([deployment()], config), tmp_path))
    assert sidecars(found[0]) == ["logger"]
    assert [each["kind"] for each in found] == ["Deployment", "ConfigMap"]


def test_config_map_sets_parameters_per_sidecar(tmp_path: Path) -> None:
    config = config_map(sidecars="logger, metrics", **{"metrics.exporter": "nginx", "logger.logDir": "/srv/log"})
    (web, _) = items(krm(listed([deployment()], config), tmp_path))
    assert sidecars(web) == ["logger", "metrics"]
    assert "/srv/log" in json.dumps(web)


def test_config_map_can_name_a_composition_and_its_environment(tmp_path: Path) -> None:
    text = yaml.safe_dump(composition(environments={"dev": {"excludeNamespaces": ["*"]}}))
    (tmp_path / "platform.yaml").write_text(text)
    for config, wanted in (
        (config_map(composition="platform.yaml"), ["logger"]),
        (config_map(composition="platform.yaml", env="dev"), []),
    ):
        web = deployment()
        web["metadata"]["namespace"] = "dev"
        assert sidecars(items(krm(listed([web], config), tmp_path))[0]) == wanted


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_composition_that_cannot_be_a_path_is_an_error_at_the_field(name: str, tmp_path: Path) -> None:
    outcome = krm(listed([deployment()], config_map(composition=name)), tmp_path)
    assert (outcome.code in (2, 3), "internal error" in outcome.stderr) == (True, False)
    assert "functionConfig ConfigMap/function-input, data.composition" in outcome.stderr


def test_default_composition_applies_without_function_config(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(yaml.safe_dump(composition()))
    assert sidecars(items(krm(listed([deployment()]), tmp_path))[0]) == ["logger"]
    (tmp_path / "sidecarctl.yaml").rename(tmp_path / "other.yaml")
    assert sidecars(items(krm(listed([deployment()]), tmp_path, "-c", "other.yaml"))[0]) == ["logger"]
    assert krm(listed([deployment()]), tmp_path).code == 2


def test_environment_variables_set_composition_options(tmp_path: Path) -> None:
    outcome = krm(listed([deployment()], composition()), tmp_path, env={"SIDECARCTL_KUBE_VERSION": "1.28"})
    (web, _) = items(outcome)
    assert sidecars(web) == []
    assert [each["name"] for each in web["spec"]["template"]["spec"]["containers"]] == ["web", "logger"]


@pytest.mark.parametrize("version", resource_list.VERSIONS)
def test_output_keeps_the_api_version(version: str, tmp_path: Path) -> None:
    outcome = krm(listed([deployment()], injection(), version), tmp_path)
    assert yaml.safe_load(outcome.stdout)["apiVersion"] == version


# ---- what comes out ----------------------------------------------------------------------------------------------

COMMENTED = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
# the service
- apiVersion: v1
  kind: Service
  metadata: {name: web}   # stays
  spec: {ports: [{port: 80}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web
    annotations:
      internal.config.kubernetes.io/path: 'web.yaml'
      internal.config.kubernetes.io/index: '1'
      config.k8s.io/id: "2"
      kustomize.config.k8s.io/id: |
        kind: Deployment
        name: web
  spec:
    # why three
    replicas: 3
    selector: {matchLabels: {app: web}}
    template:
      metadata:
        labels: {app: web}
      spec:
        containers:
        - name: web  # the app
          image: "nginx"
          args:
          - |
            first

              second
functionConfig: {apiVersion: sidecarctl.dev/v1alpha1, kind: SidecarInjection, metadata: {name: a}, spec: {sidecar: logger}}
"""


def test_keeps_every_input_line_in_order(tmp_path: Path) -> None:
    outcome = krm(COMMENTED, tmp_path)
    assert outcome.code == 0, outcome.stderr
    rest = iter(outcome.stdout.splitlines())
    assert all(line in rest for line in COMMENTED.splitlines())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["...\n", "...", "... # end\n", "...\n# after\n", "---\n", "...\n---\n", "# after"])
@pytest.mark.parametrize("last", ["items", "functionConfig"])
def test_results_are_inside_the_document(last: str, end: str, newline: str) -> None:
    parts = {"items": "items:\n- kind: Pod\n", "functionConfig": "functionConfig: {a: b}\n"}
    given = "".join(sorted(parts.values(), key=lambda part: part.startswith(last)))
    text = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{given}{end}".replace("\n", newline)
    results = [{"message": "a"}]
    written = resource_list.write(resource_list.read(text), None, results)
    (value,) = (found for found in yaml.safe_load_all(written) if found is not None)
    assert value == {**yaml.safe_load(text.partition(end[:3])[0]), "results": results}
    rest = iter(written.splitlines())
    assert all(line in rest for line in text.splitlines())
    assert written.replace("\r\n", "").count("\n") == (0 if newline == "\r\n" else written.count("\n"))


@pytest.mark.parametrize(
    "before", ["results:\n- {message: b} # c\n", "results: [{message: b}]\n", "results: [] # c\n", "results:\n"]
)
@pytest.mark.parametrize("first", [True, False])
def test_results_are_appended_to_existing_ones(first: bool, before: str) -> None:
    head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
    rest = "items:\n- kind: Pod # c\n  x: 0x10\n# end\n"
    text = head + before + rest if first else head + rest + before
    added = [{"message": "a"}, {"message": "c", "severity": "info"}, {"message": "d"}]
    written = resource_list.write(resource_list.read(text), None, added)
    assert rest in written
    assert ("# c" in before) == (written.count("# c") == 2)
    was = yaml.safe_load(text)
    assert yaml.safe_load(written) == {**was, "results": [*(was["results"] or ()), *added]}


def test_results_after_a_block_scalar_do_not_change_its_value() -> None:
    text = (
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- kind: ConfigMap\n  data:\n    a: |\n      b"
    )
    written = resource_list.write(resource_list.read(text), None, [{"message": "a"}])
    assert yaml.safe_load(written) == {**yaml.safe_load(text), "results": [{"message": "a"}]}


def test_keeps_other_annotations_out_of_the_pod_template(tmp_path: Path) -> None:
    (_, web, _) = items(krm(COMMENTED, tmp_path))
    before = yaml.safe_load(COMMENTED)["items"][1]["metadata"]["annotations"]
    assert web["metadata"]["annotations"] == before
    assert all(key.startswith("sidecarctl.dev/") for key in web["spec"]["template"]["metadata"]["annotations"])


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    once = krm(COMMENTED, tmp_path).stdout
    first, _, _ = once.partition("results:\n")
    again = krm(first, tmp_path)
    assert (again.code, again.stdout) == (0, first)


def test_rewrites_json_and_lists_with_aliases_across_items(tmp_path: Path) -> None:
    value = listed([deployment()], injection())
    wanted = items(krm(value, tmp_path))
    assert items(krm(json.dumps(value), tmp_path)) == wanted
    alias = COMMENTED.replace("metadata: {name: web}   #", "metadata: &m {name: web}   #").replace(
        "matchLabels: {app: web}", "matchLabels: &l {app: web}"
    )
    crossing = alias.replace(
        "- apiVersion: apps/v1", "- {apiVersion: v1, kind: Service, metadata: *m}\n- apiVersion: apps/v1"
    )
    assert [each["kind"] for each in items(krm(crossing, tmp_path))] == [
        "Service",
        "Service",
        "Deployment",
        "ConfigMap",
    ]


def test_results_describe_changes_and_their_location(tmp_path: Path) -> None:
    outcome = krm(listed([deployment()], injection()), tmp_path)
    (result,) = yaml.safe_load(outcome.stdout)["results"]
    assert (result["severity"], result["file"]) == ("info", {"path": "web.yaml", "index": 0})
    assert result["resourceRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert result["message"] == "added logger 1.0.0"
    assert outcome.stderr == ""


def test_updates_a_moved_companion_in_place(tmp_path: Path) -> None:
    web, companion = items(krm(listed([deployment()], injection()), tmp_path))
    companion["metadata"]["annotations"] |= {PATH: "configmap.yaml", "config.k8s.io/id": "7"}
    other = deployment("other")
    del other["spec"]["template"]["spec"]["containers"]
    value = listed([companion, other, web], injection())
    assert items(krm(value, tmp_path)) == value["items"]
    value["functionConfig"]["spec"]["parameters"] = {"log_level": "error"}
    changed = items(krm(value, tmp_path))
    assert [each["metadata"]["name"] for each in changed] == ["web-logger", "other", "web"]
    assert changed[0]["metadata"] == companion["metadata"]
    assert 'log_level: "error"' in changed[0]["data"]["fluent-bit.yaml"]


def test_removes_deselected_sidecar_and_its_companion(tmp_path: Path) -> None:
    before = deployment()
    added = items(krm(listed([before], injection()), tmp_path))
    config = injection(select={"kinds": ["StatefulSet"]})
    assert items(krm(listed(added, config), tmp_path)) == [before]


def test_comments_around_a_removed_companion_are_no_item(tmp_path: Path) -> None:
    before = deployment()
    added = items(krm(listed([before], injection()), tmp_path))
    deselected = listed(added, injection(select={"kinds": ["StatefulSet"]}))
    before_companion, companion = yaml.safe_dump(deselected, sort_keys=False).split(
        "- apiVersion: v1\n  kind: ConfigMap"
    )
    text = f"{before_companion}- apiVersion: v1\n  # noted\n  kind: ConfigMap{companion}"
    at = text.index("functionConfig:")
    assert items(krm(f"{text[:at]}# after\n{text[at:]}", tmp_path)) == [before]


# ---- errors ------------------------------------------------------------------------------------------------------


def refused(outcome: Outcome, code: int) -> list[Any]:
    """Return the results of a failed run, whose items are unchanged."""
    assert outcome.code == code, outcome.stderr
    value = yaml.safe_load(outcome.stdout)
    assert value["kind"] == "ResourceList"
    assert "Traceback" not in outcome.stderr
    results: list[Any] = value["results"]
    assert all(each["message"].split(" (")[0].split(": ")[-1] in outcome.stderr for each in results)
    return results


def test_conflict_is_reported_as_result_and_on_stderr(tmp_path: Path) -> None:
    web = deployment()
    web["spec"]["template"]["spec"]["containers"].append({"name": "logger", "image": "busybox"})
    outcome = krm(listed([web], injection()), tmp_path)
    (result,) = refused(outcome, 1)
    assert result["field"] == {"path": "spec.template.spec.containers[1].name"}
    assert result["tags"] == {"rule": "container-conflict"}
    assert yaml.safe_load(outcome.stdout)["items"] == [web]
    assert "--> web.yaml" in outcome.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (injection(parameters={"logdir": "/x"}), "functionConfig SidecarInjection/logs, spec.parameters.logdir"),
        (injection(sidecar="loger"), 'did you mean "logger"?'),
        (injection(paramters={}), 'did you mean "parameters"?'),
        (injection(mode="natve"), "spec.mode"),
        ({**injection(), "kind": "SidecarInjetion"}, 'did you mean "SidecarInjection"?'),
        ({**injection(), "apiVersion": "v1"}, "sidecarctl.dev/v1alpha1"),
        ({**injection(), "spec": None}, "missing required field: spec"),
        ({**injection(), "metadata": {}}, "name"),
        (composition(rules=[{"select": {}, "sidecars": ["logger"]}]), "all: true"),
        (composition(ruels=[]), 'did you mean "rules"?'),
        (config_map(sidcar="logger"), 'did you mean "sidecar"?'),
        (config_map(sidecars="logger", logdir="/x"), "functionConfig ConfigMap/function-input, data.logdir"),
        (config_map(sidecars="logger,metrics", logDir="/x"), "it can belong to 2 sidecars"),
        (config_map(sidecar="logger", sidecars="metrics"), "data has sidecars and sidecar"),
        (config_map(composition="nowhere.yaml"), "nowhere.yaml"),
        (config_map(composition="a.yaml", sidecars="logger"), "cannot be combined with sidecars"),
        ("logger", "functionConfig is not an object"),
        ([1], "functionConfig is not an object"),
    ],
)
def test_rejects_invalid_function_config_and_names_the_field(config: Any, message: str, tmp_path: Path) -> None:
    outcome = krm(listed([deployment()], config), tmp_path)
    (result,) = refused(outcome, 2)
    assert message in result["message"]
    assert message in outcome.stderr


def test_rejects_function_config_with_option_c(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(composition()))
    (result,) = refused(krm(listed([deployment()], composition()), tmp_path, "-c", "c.yaml"), 2)
    assert "remove -c" in result["message"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty input"),
        ("\n\n", "empty input"),
        ("apiVersion: v1\nkind: Pod\n", "expected kind ResourceList, got Pod"),
        ("a\n", "not an object"),
        ("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n", "missing required field: items"),
        ("apiVersion: config.kubernetes.io/v2\nkind: ResourceList\nitems: []\n", "config.kubernetes.io/v2"),
        ("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: {}\n", "items: expected a list"),
        ("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- a\n", "items[0]: expected an object"),
        (
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\nresults: 5\n",
            "results: expected a list",
        ),
        (COMMENTED[: COMMENTED.index('"nginx"') + 4], "standard input:"),
        (COMMENTED.replace("spec: {ports: [{port: 80}]}", "spec: {ports: [{port: 80}"), "standard input:"),
        (COMMENTED + "---\n" + COMMENTED, "2 documents"),
    ],
)
def test_rejects_input_that_is_not_a_resource_list(text: str, message: str, tmp_path: Path) -> None:
    (result,) = refused(krm(text, tmp_path), 3)
    assert message in result["message"]


def test_rejects_input_that_is_not_utf8(tmp_path: Path) -> None:
    outcome = run("sidecarctl krm", tmp_path, stdin=b"\xff\xfe")
    assert outcome.code == 3
    assert "invalid UTF-8" in outcome.stderr


# ---- validator ---------------------------------------------------------------------------------------------------


def test_validator_reports_missing_sidecars_and_changes_nothing(tmp_path: Path) -> None:
    value = listed([deployment()], injection())
    outcome = krm(value, tmp_path, "--check")
    (result,) = refused(outcome, 1)
    assert (result["tags"], result["severity"]) == ({"rule": "outdated"}, "error")
    assert yaml.safe_load(outcome.stdout)["items"] == value["items"]


def test_validator_accepts_output_of_the_function(tmp_path: Path) -> None:
    made = items(krm(listed([deployment()], injection()), tmp_path))
    outcome = krm(listed(made, injection()), tmp_path, "--check")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert items(outcome) == made


def test_validator_checks_items_that_no_rule_selects(tmp_path: Path) -> None:
    other = deployment("other")
    other["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    config = injection(select={"names": ["web"]})
    made = items(krm(listed([deployment(), other], config), tmp_path))
    results = refused(krm(listed(made, config), tmp_path, "--check"), 1)
    assert [each["tags"]["rule"] for each in results] == ["unknown-field"]


# ---- the wire format ---------------------------------------------------------------------------------------------

_TEXT = st.text(alphabet="ab :#-'\"\n{}[]&*!|>%@`\\0\t", max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_ITEMS = st.lists(st.dictionaries(_TEXT, _VALUES, min_size=1, max_size=4), max_size=4)


@settings(max_examples=150, deadline=None)
@given(_ITEMS, st.booleans())
def test_cut_items_equal_parsed_items(values: list[Any], compact: bool) -> None:
    text = yaml.safe_dump(listed(values), sort_keys=False, indent=2 if compact else 4, width=30)
    given_list = resource_list.read(text)
    assert [document.value for document in given_list.items] == yaml.safe_load(text)["items"]
    assert resource_list.write(given_list, None, []) == text
    said = [{"message": "a", "severity": "info"}]
    assert yaml.safe_load(resource_list.write(given_list, given_list.items, said)) == {
        **listed(values),
        "results": said,
    }


@settings(max_examples=150, deadline=None)
@given(_ITEMS, st.data())
def test_reordered_items_keep_their_documents(values: list[Any], data: st.DataObject) -> None:
    given_list = resource_list.read(yaml.safe_dump(listed(values), sort_keys=False))
    order = data.draw(st.permutations(list(given_list.items)))
    copies = [document.with_text(document.text) for document in order]
    found = yaml.safe_load(resource_list.write(given_list, copies, []))["items"]
    assert found == [document.value for document in order]


def test_index_annotation_of_any_length_is_no_internal_error(tmp_path: Path) -> None:
    web = deployment()
    web["metadata"]["annotations"] = {PATH: "web.yaml", "config.kubernetes.io/index": "1" * 5000}
    outcome = krm(listed([web], injection()), tmp_path)
    (result,) = yaml.safe_load(outcome.stdout)["results"]
    assert (outcome.code, result["file"]) == (0, {"path": "web.yaml"})


@pytest.mark.parametrize(
    ("rule", "code", "found"), [("duplicate-port-name", 0, ""), ("no-such-rule", 2, "unknown rule")]
)
def test_severities_of_a_composition_in_the_function_config_count(
    rule: str, code: int, found: str, tmp_path: Path
) -> None:
    web = deployment()
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = [
        {"name": "a", "containerPort": 80},
        {"name": "a", "containerPort": 81},
    ]
    outcome = krm(listed([web], composition(validate={"rules": {rule: "off"}})), tmp_path)
    assert (outcome.code, found in outcome.stderr) == (code, True), outcome.stderr
    assert krm(listed([web], composition()), tmp_path).code == 1


RECORD = '{"v":2,"instances":{"logger":{"sidecar":"logger","version":"1.0.0","mode":"native"}}}'


def test_previous_names_and_namespaces_are_not_multiplied() -> None:
    def calls(count: int) -> int:
        words = ",".join(f"n{number}" for number in range(count))
        previous = {f"internal.config.kubernetes.io/{key}": words for key in ("previousNames", "previousNamespaces")}
        web = deployment()
        web["metadata"]["annotations"] = previous
        web["spec"]["template"]["metadata"]["annotations"] = {"sidecarctl.dev/sidecars": RECORD}
        owned = {
            "sidecarctl.dev/owner": "Deployment/n2/n1/logger",
            "internal.config.kubernetes.io/previousNames": "old",
        }
        companion = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": owned}}
        documents = [document for each in (web, companion) for document in split(yaml.safe_dump(each))]
        out: list[Document] = []
        counted = count_calls(lambda: out.extend(follow_renames(documents, DEFAULT_KINDS)))
        assert read_owner(out[1]) == "Deployment/web/logger"
        return counted.total()

    calls(5)
    assert calls(400) <= 2.2 * calls(200)


@pytest.mark.parametrize(
    ("variable", "limit"),
    [("SIDECARCTL_MAX_VALUES", 300), ("SIDECARCTL_MAX_DOCUMENT", 2500), ("SIDECARCTL_MAX_DEPTH", 10)],
)
def test_result_beyond_a_limit_is_an_error_that_names_the_variable(variable: str, limit: int, tmp_path: Path) -> None:
    given = listed([deployment(f"web-{number}") for number in range(5)], injection())
    outcome = krm(given, tmp_path, env={variable: str(limit)})
    assert (outcome.code, "the result exceeds a limit" in outcome.stderr) == (3, True), outcome.stderr
    assert variable in outcome.stderr
    assert "kind: ResourceList" in outcome.stdout


def test_error_about_a_list_at_its_limit_is_written_alone(tmp_path: Path) -> None:
    given = listed([deployment()], {**injection(), "unknown": 1})
    outcome = krm(given, tmp_path, env={"SIDECARCTL_MAX_VALUES": "66"})
    assert "the result exceeds a limit: the document has more than 66 values" in outcome.stderr
    assert (outcome.code, yaml.safe_load(outcome.stdout)["items"]) == (3, [])


def test_validator_reports_services_that_bypass_a_sidecar(tmp_path: Path) -> None:
    web, service = deployment(), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    rules = [{"select": {"all": True}, "sidecars": ["proxy"]}]
    made = items(krm(listed([web, service], composition(rules=rules)), tmp_path))
    retargeting = composition(rules=rules, retarget=True)
    found = refused(krm(listed(made, retargeting), tmp_path, "--check"), 1)
    assert ("Service", "error", {"rule": "outdated"}) in [
        (each["resourceRef"]["kind"], each["severity"], each["tags"]) for each in found
    ]
    made = items(krm(listed(made, retargeting), tmp_path))
    assert krm(listed(made, retargeting), tmp_path, "--check").code == 0
