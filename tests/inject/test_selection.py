"""Selectors of rules, annotations of workloads, and conflicting rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.model import load_from_document
from sidecarctl.composition.select import Selection, WorkloadChoice, resolve_selection
from sidecarctl.composition.workload_filter import make_filter
from sidecarctl.errors import UsageError
from sidecarctl.kube.workload import workloads
from sidecarctl.record import annotation as records
from sidecarctl.yamltext.stream import split

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-1
  namespace: prod
  labels: {team: shop, tier: back}
  annotations: {own: "yes"}
spec:
  template:
    metadata:
      labels: {app: web, tier: front}
      annotations: {note: "hello world"}
    spec:
      containers: [{name: web, image: x}, {name: helper, image: y}]
"""


def chosen(rules: list[dict[str, Any]], version: str = "1.34", **spec: Any) -> Selection:
    value = {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Composition",
        "metadata": {"name": "platform"},
        "spec": {"rules": rules, **spec},
    }
    (document,) = split(yaml.safe_dump(value, sort_keys=False), "c.yaml")
    return resolve_selection(load_from_document(document, (), Path()), open_catalog([], {}), version)


def choice(ready: Selection, text: str = WEB) -> WorkloadChoice:
    (document,) = split(text)
    (workload,) = workloads(document.value, ready.composition.kinds)
    return ready.choose(workload, records.read(workload))


def annotated(**annotations: str) -> str:
    lines = "".join(f"        {key}: {json.dumps(value)}\n" for key, value in annotations.items())
    return WEB.replace('      annotations: {note: "hello world"}\n', f"      annotations:\n{lines}")


def own(name: str, value: str) -> str:
    return annotated(**{f"sidecarctl.dev/{name}": value})


LOGGER = {"select": {"all": True}, "sidecars": ["logger"]}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"all": True}, True),
        ({"kinds": ["Deployment"]}, True),
        ({"kinds": ["StatefulSet", "D*"]}, True),
        ({"kinds": ["StatefulSet"]}, False),
        ({"groups": ["apps"]}, True),
        ({"groups": ["core"]}, False),
        ({"names": ["web-*"]}, True),
        ({"names": ["Web-*"]}, False),
        ({"namespaces": ["prod", "stage"]}, True),
        ({"namespaces": ["stage"]}, False),
        ({"labels": {"tier": "front"}}, True),
        ({"labels": {"tier": "back"}}, False),  # the label of the pod template takes precedence
        ({"labels": {"team": "shop"}}, True),  # the workload's label, if the pod template has none
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "x"]}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"annotations": {"note": "hello *"}}, True),
        ({"annotations": {"own": "*"}}, True),
        ({"annotations": {"other": "*"}}, False),
        ({"containers": ["web", "help*"]}, True),
        ({"containers": ["web", "db"]}, False),
        ({"names": ["web-*"], "namespaces": ["stage"]}, False),
    ],
)
def test_every_condition_of_a_selector_must_hold(select: dict[str, Any], expected: bool) -> None:
    ready = chosen([{"select": select, "sidecars": ["logger"]}])
    found = choice(ready)
    assert bool(found.requests) is expected
    assert bool(ready.find_unused(found.rules)) is not expected


def test_reports_place_of_a_rule_that_selects_nothing() -> None:
    (warning,) = chosen([{"name": "db", "select": {"names": ["db"]}, "sidecars": ["logger"]}]).find_unused(())
    assert warning.rule == "rule-selects-nothing"
    assert 'rule "db"' in warning.message
    assert (warning.place and warning.place.file, warning.place and warning.place.line) == ("c.yaml", 7)


def test_ignores_rules_for_other_kubernetes_versions() -> None:
    ready = chosen([{**LOGGER, "when": {"kubeVersion": ">=1.35"}}])
    assert not choice(ready).requests
    assert not ready.find_unused(())


def test_excluded_namespaces_get_no_sidecars() -> None:
    assert not choice(chosen([LOGGER], excludeNamespaces=["pr*"])).requests


def test_keeps_the_order_of_the_rules() -> None:
    rules = [{"select": {"all": True}, "sidecars": ["proxy", "logger"]}]
    assert [r.instance for r in choice(chosen(rules)).requests] == ["proxy", "logger"]


def test_rules_override_defaults_field_by_field() -> None:
    rule = {
        "select": {"all": True},
        "sidecars": [{"name": "logger", "parameters": {"resources": {"limits": {"cpu": "1"}}}}],
    }
    defaults = {
        "logger": {"mode": "classic", "parameters": {"parser": "json", "resources": {"limits": {"memory": "1Gi"}}}}
    }
    (request,) = choice(chosen([rule], defaults=defaults)).requests
    assert request.mode == "classic"
    assert request.parameters.values["parser"] == "json"
    assert request.parameters.common["resources"] == {"limits": {"memory": "1Gi", "cpu": "1"}}


# ---- several rules for one instance ------------------------------------------------------------------------------


def rules_of(*sidecars: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"r{i}", "select": {"all": True}, "sidecars": [one]} for i, one in enumerate(sidecars)]


def test_equal_requests_of_rules_are_merged() -> None:
    found = choice(chosen(rules_of({"name": "logger"}, {"name": "logger", "parameters": {"parser": "none"}})))
    assert len(found.requests) == 1
    assert found.rules == {0, 1}


def test_conflicting_rules_are_an_error() -> None:
    rules = rules_of({"name": "logger"}, {"name": "logger", "parameters": {"logDir": "/srv"}})
    with pytest.raises(UsageError) as caught:
        choice(chosen(rules))
    assert 'rule "r0"' in caught.value.message
    assert 'rule "r1"' in caught.value.message
    assert "Deployment/prod/web-1" in caught.value.message
    assert "override: true" in caught.value.hint
    assert caught.value.where.startswith("c.yaml:")


def test_more_specific_rule_does_not_take_precedence() -> None:
    rules = rules_of({"name": "logger"}, {"name": "logger", "parameters": {"logDir": "/srv"}})
    rules[1]["select"] = {"names": ["web-1"]}
    with pytest.raises(UsageError):
        choice(chosen(rules))


def test_override_is_merged_key_by_key() -> None:
    rules = rules_of(
        {"name": "logger", "override": True, "parameters": {"logDir": "/srv"}},
        {"name": "logger", "parameters": {"logDir": "/a", "parser": "json"}, "containers": ["web"]},
    )
    (request,) = choice(chosen(rules)).requests
    assert (request.parameters.values["logDir"], request.parameters.values["parser"]) == ("/srv", "json")
    assert request.containers == ("web",)


def test_override_without_a_base_applies() -> None:
    (request,) = choice(chosen(rules_of({"name": "logger", "override": True, "mode": "classic"}))).requests
    assert request.mode == "classic"


def test_conflicting_overrides_are_an_error() -> None:
    one, two = ({"name": "logger", "override": True, "parameters": {"logDir": d}} for d in ("/a", "/b"))
    with pytest.raises(UsageError, match="logDir"):
        choice(chosen(rules_of({"name": "logger"}, one, two)))


def test_adds_a_sidecar_twice_under_two_names() -> None:
    rules = rules_of({"name": "logger"}, {"name": "logger", "as": "audit", "parameters": {"logDir": "/srv"}})
    assert [r.instance for r in choice(chosen(rules)).requests] == ["logger", "audit"]


def test_rejects_starts_after_cycles(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "template.yaml").write_text("containers: []\n")
        (tmp_path / name / "sidecar.yaml").write_text(
            "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
            f"metadata: {{name: {name}, version: 1.0.0, summary: For a test.}}\n"
            f"spec: {{engine: plain, startsAfter: [{other}]}}\n"
        )
    ready = resolve_selection(chosen([]).composition, open_catalog([tmp_path], {}), "1.34")
    text = own("inject", "one,two")
    with pytest.raises(UsageError, match=r"one -> two -> one|two -> one -> two") as caught:
        choice(ready, text)
    assert caught.value.where == "c.yaml"


# ---- annotations of a workload -----------------------------------------------------------------------------------


def test_annotation_requests_sidecars() -> None:
    found = choice(chosen([]), own("inject", "proxy, logger"))
    assert [(r.instance, r.by) for r in found.requests] == [("proxy", "platform"), ("logger", "platform")]


def test_annotation_opts_out() -> None:
    found = choice(chosen([LOGGER]), own("inject", "false"))
    assert not found.requests
    assert found.rules == {0}  # the rule selects it


def test_annotation_sets_parameters() -> None:
    text = annotated(**{"sidecarctl.dev/logger.logDir": "/srv/log", "sidecarctl.dev/logger.logVolume.sizeLimit": "2Gi"})
    (request,) = choice(chosen([LOGGER]), text).requests
    assert request.parameters.values["logDir"] == "/srv/log"
    assert request.parameters.values["logVolume"]["sizeLimit"] == "2Gi"


def test_pod_template_annotation_takes_precedence() -> None:
    text = own("logger.logDir", "/pods").replace('{own: "yes"}', "{sidecarctl.dev/logger.logDir: /own}")
    (request,) = choice(chosen([LOGGER]), text).requests
    assert request.parameters.values["logDir"] == "/pods"


def test_sidecar_parameters_apply_to_all_its_instances() -> None:
    rules = rules_of({"name": "logger"}, {"name": "logger", "as": "audit", "parameters": {"logDir": "/srv"}})
    found = choice(
        chosen(rules), annotated(**{"sidecarctl.dev/audit.logDir": "/x", "sidecarctl.dev/logger.parser": "json"})
    )
    values = {r.instance: r.parameters.values for r in found.requests}
    assert (values["audit"]["logDir"], values["logger"]["logDir"]) == ("/x", "/var/log/app")
    assert values["logger"]["parser"] == "json"


@pytest.mark.parametrize(
    ("name", "value", "rule", "hint"),
    [
        ("inject", "loger", "unknown-injected-sidecar", 'did you mean "logger"?'),
        ("logger.logDri", "/x", "invalid-inject-parameter", 'did you mean "logDir"?'),
        ("logger.rotate_wait", "soon", "invalid-inject-parameter", ""),
        ("loger.logDir", "/x", "unused-parameter-annotation", 'did you mean "logger"?'),
        ("proxy.port", "1", "unused-parameter-annotation", "add proxy to the annotation"),
    ],
)
def test_reports_the_annotation_of_an_error(name: str, value: str, rule: str, hint: str) -> None:
    (finding,) = choice(chosen([LOGGER]), own(name, value)).findings
    assert finding.rule == rule
    assert hint in finding.help
    assert finding.path[-1] == f"sidecarctl.dev/{name}"


def test_annotations_added_by_sidecarctl_are_not_requests() -> None:
    text = annotated(
        **{
            "sidecarctl.dev/logger.config-hash": "0123",
            "sidecarctl.dev/ignore.web": "floating-image",
            "x/inject": "metrics",
        }
    )
    found = choice(chosen([]), text)
    assert not found.requests
    assert not found.findings


def test_annotation_can_set_required_parameters() -> None:
    rules = [{"select": {"all": True}, "sidecars": ["metrics"]}]
    (request,) = choice(chosen(rules), own("metrics.exporter", "nginx")).requests
    assert request.parameters.values["exporter"] == "nginx"
    with pytest.raises(UsageError, match='missing required parameter "exporter"') as caught:
        choice(chosen(rules))
    assert "--set" not in caught.value.hint


def test_manifest_without_a_namespace_matches_no_namespace_condition() -> None:
    text = WEB.replace("  namespace: prod\n", "")
    every = [{"select": {"namespaces": ["*"]}, "sidecars": ["logger"]}]
    assert len(choice(chosen(every)).requests) == 1
    assert choice(chosen(every), text).requests == ()
    rules = [{"select": {"all": True}, "sidecars": ["logger"]}]
    assert choice(chosen(rules, excludeNamespaces=["*"])).requests == ()
    assert len(choice(chosen(rules, excludeNamespaces=["*"]), text).requests) == 1
    (document,) = split(text)
    (workload,) = workloads(document.value)
    assert not make_filter(namespaces=["*"]).matches(workload)
