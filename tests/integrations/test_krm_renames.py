"""`krm` after kustomize has renamed objects: each companion stays with the workload that uses it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integrations.test_krm import composition, deployment, items, krm, listed

PREVIOUS = "internal.config.kubernetes.io/previousNames"
OWNER = "sidecarctl.dev/owner"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Deployment web with the logger, and ConfigMap web-logger."""
    return items(krm(listed([deployment()], composition()), tmp_path_factory.mktemp("base")))


def overlay(base: list[Any], prefix: str) -> list[Any]:
    """Return copies of a workload and its companion as kustomize renames them with `namePrefix`."""
    workload, companion = copy.deepcopy(base)
    for each in (workload, companion):
        each["metadata"]["annotations"][PREVIOUS] = each["metadata"]["name"]
        each["metadata"]["name"] = prefix + each["metadata"]["name"]
    refer(workload, companion["metadata"]["name"])
    return [workload, companion]


def refer(workload: Any, name: str) -> None:
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        if "configMap" in volume:
            volume["configMap"]["name"] = name


def rendered(found: list[Any], names: list[str], folder: Path) -> dict[str, Any]:
    """Return the items after a run that gives the logger to workloads of these names, by name; two of one name are an error."""
    rules = [{"select": {"names": names}, "sidecars": ["logger"]}]
    after = items(krm(listed(copy.deepcopy(found), composition(rules=rules)), folder))
    by_name = {each["metadata"]["name"]: each for each in after}
    assert len(by_name) == len(after)
    return by_name


def owner(item: Any) -> str:
    return str(item["metadata"]["annotations"][OWNER])


@pytest.mark.parametrize("reverse", [False, True])
def test_companions_of_two_overlays_and_their_base_stay_with_their_workloads(
    base: list[Any], reverse: bool, tmp_path: Path
) -> None:
    given = [*base, *overlay(base, "dev-"), *overlay(base, "prod-")]
    after = rendered(given[::-1] if reverse else given, ["web", "*-web"], tmp_path)
    assert {name: owner(each) for name, each in after.items() if each["kind"] == "ConfigMap"} == {
        f"{prefix}web-logger": f"Deployment/{prefix}web/logger" for prefix in ("", "dev-", "prod-")
    }


MONITOR = {"name": "metrics", "parameters": {"exporter": "nginx", "scrape": "podmonitor"}}
# Two variants of one base in one namespace, as (prefix, suffix).
VARIANTS = [[("", ""), ("a-", "")], [("", ""), ("web-", "")], [("prod-", ""), ("prod-", "-x")], [("", "-x"), ("", "")]]


@pytest.mark.parametrize("order", ["variant", "kind", "reverse"])
@pytest.mark.parametrize("variants", VARIANTS)
def test_companions_that_no_volume_names_stay_with_their_variant(
    variants: list[tuple[str, str]], order: str, tmp_path: Path
) -> None:
    def run_rule(found: list[Any], names: list[str]) -> list[Any]:
        rules = [{"select": {"names": names}, "sidecars": [MONITOR]}]
        return items(krm(listed(copy.deepcopy(found), composition(rules=rules)), tmp_path))

    given = []
    for prefix, suffix in variants:
        for each in copy.deepcopy(run_rule([deployment()], ["web"])):
            metadata = each["metadata"]
            metadata.setdefault("annotations", {})[PREVIOUS] = metadata["name"]
            metadata["annotations"]["internal.config.kubernetes.io/previousNamespaces"] = "default"
            metadata |= {"name": f"{prefix}{metadata['name']}{suffix}", "namespace": "shop"}
            given.append(each)
    given = {"variant": given, "kind": sorted(given, key=lambda each: str(each["kind"])), "reverse": given[::-1]}[order]
    for kept in variants:
        workload, monitor = (f"{kept[0]}{name}{kept[1]}" for name in ("web", "web-metrics"))
        after = run_rule(given, [workload])
        monitors = {each["metadata"]["name"]: owner(each) for each in after if each["kind"] == "PodMonitor"}
        assert monitors == {monitor: f"Deployment/shop/{workload}/metrics"}


def test_removal_deletes_the_companion_of_its_own_overlay(base: list[Any], tmp_path: Path) -> None:
    after = rendered([*overlay(base, "dev-"), *overlay(base, "prod-")], ["dev-web"], tmp_path)
    assert set(after) == {"dev-web", "dev-web-logger", "prod-web"}


def test_removal_without_the_own_companion_deletes_no_other_one(base: list[Any], tmp_path: Path) -> None:
    after = rendered([*overlay(base, "dev-"), overlay(base, "prod-")[0]], ["dev-web"], tmp_path)
    assert set(after) == {"dev-web", "dev-web-logger", "prod-web"}


def test_workload_that_claims_a_former_name_gets_no_companion_of_another(base: list[Any], tmp_path: Path) -> None:
    claims = copy.deepcopy(base[0])
    claims["metadata"] = {"name": "other", "annotations": {PREVIOUS: "web"}}
    refer(claims, "other-logger")
    marked = copy.deepcopy(base)
    marked[1]["metadata"]["annotations"][PREVIOUS] = "web-logger"
    assert "web-logger" in rendered([*marked, claims], ["web"], tmp_path)


def test_object_that_claims_the_former_name_of_a_companion_stays(base: list[Any], tmp_path: Path) -> None:
    claims = copy.deepcopy(base[1])
    claims["metadata"]["name"] = "important"
    claims["metadata"]["annotations"][PREVIOUS] = "web-logger"
    claims["data"] = {"key": "value"}
    after = rendered([*base, claims], ["nothing"], tmp_path)
    assert yaml.safe_dump(after["important"]["data"]) == "key: value\n"
    assert set(after) == {"web", "important"}


@pytest.mark.parametrize("namespace", [{}, {"namespace": "other"}])
@pytest.mark.parametrize("first", [True, False])
def test_object_that_claims_the_former_name_of_a_renamed_companion_stays(
    base: list[Any], first: bool, namespace: dict[str, str], tmp_path: Path
) -> None:
    workload, companion = overlay(base, "dev-")
    template = workload["spec"]["template"]
    template["spec"]["volumes"] = [each for each in template["spec"]["volumes"] if "configMap" not in each]
    annotations = template["metadata"]["annotations"]
    record = json.loads(annotations["sidecarctl.dev/sidecars"])
    record["instances"]["logger"]["documents"] = ["ConfigMap/web-logger"]  # no volume uses it
    annotations["sidecarctl.dev/sidecars"] = json.dumps(record)
    claims = copy.deepcopy(companion)
    claims["metadata"] |= {"name": "important", **namespace}
    found = [workload, claims, companion] if first else [workload, companion, claims]
    assert set(rendered(found, ["nothing"], tmp_path)) == {"dev-web", "important"}


def test_long_names_and_many_former_names_take_little_time(base: list[Any], tmp_path: Path) -> None:
    workload, companion = copy.deepcopy(base)
    metadata = workload["metadata"]
    metadata["annotations"][PREVIOUS], metadata["name"] = "web", "web" * 30_000
    companion["metadata"]["annotations"][PREVIOUS] = ",".join(
        ["b"] * 50_000 + [f"b{number}" for number in range(9_000)]
    )
    given = listed([workload, companion], composition(rules=[{"select": {"kinds": ["Job"]}, "sidecars": ["logger"]}]))
    outcome = krm(given, tmp_path, env={"SIDECARCTL_MAX_STEP_SECONDS": "20"})
    assert outcome.code == 0, outcome.stderr
