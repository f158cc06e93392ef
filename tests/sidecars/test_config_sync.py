"""k8s-sidecar's variables agree with its mounts and probe, and its Role allows what it asks for and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from sidecar_cases import all_containers, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("config-sync")
MODES = ("native", "classic", "init")
# A case that requests a URL of the app makes no sense as an init container.
EVERY = [(case, mode) for case in CASES for mode in MODES if (case, mode) != ("request-and-script", "init")]
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def sync(*, mode: str = "native", **params: Any) -> Fragment:
    given = {"label": "a/b", "serviceAccountName": "shop", **params}
    return rendered("config-sync", "deployment", params=given, mode=mode)


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def kinds(fragment: Fragment) -> dict[str, Mapping[str, Any]]:
    return {each["kind"]: each for each in fragment.documents}


@pytest.mark.parametrize(("case", "mode"), EVERY)
def test_it_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("config-sync", case, mode=mode)) == []


@pytest.mark.parametrize(("case", "mode"), EVERY)
def test_it_writes_where_the_app_reads(case: str, mode: str) -> None:
    fragment = rendered("config-sync", case, mode=mode)
    (shared,) = fragment.volume_mounts
    assert shared["readOnly"] is True
    for container in all_containers(fragment):
        folder = variables(container)["FOLDER"]
        volume = mounted(container, fragment, folder)
        assert volume and (volume["name"], folder) == (shared["name"], shared["mountPath"])


@pytest.mark.parametrize("case", CASES)
def test_it_is_probed_at_the_port_that_it_is_told(case: str) -> None:
    (container,) = rendered("config-sync", case).containers
    port = int(variables(container)["HEALTH_PORT"])
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": port}
    assert [each["containerPort"] for each in container["ports"]] == [port]
    assert "livenessProbe" not in container, "its health hangs on the cluster's API"


@pytest.mark.parametrize("mode", MODES)
def test_it_has_a_token_of_its_own_with_all_that_a_client_looks_for(mode: str) -> None:
    fragment = sync(mode=mode)
    for container in all_containers(fragment):
        volume = mounted(container, fragment, f"{TOKEN}/token")
        assert volume
        token, ca, facts = volume["projected"]["sources"]
        paths = [
            token["serviceAccountToken"]["path"],
            ca["configMap"]["items"][0]["path"],
            facts["downwardAPI"]["items"][0]["path"],
        ]
        assert paths == ["token", "ca.crt", "namespace"]


@pytest.mark.parametrize(
    ("resource", "resources"),
    [("configmap", ["configmaps"]), ("secret", ["secrets"]), ("both", ["configmaps", "secrets"])],
)
def test_the_role_allows_to_read_what_is_collected_and_no_more(resource: str, resources: list[str]) -> None:
    fragment = sync(resource=resource)
    assert variables(fragment.containers[0])["RESOURCE"] == resource
    expected = [{"apiGroups": [""], "resources": resources, "verbs": ["get", "list", "watch"]}]
    assert kinds(fragment)["Role"]["rules"] == expected


def test_the_role_is_bound_to_the_service_account_in_the_namespace_of_the_pod() -> None:
    found = kinds(sync(createServiceAccount=True))
    binding = found["RoleBinding"]
    assert binding["roleRef"]["name"] == found["Role"]["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "shop", "namespace": "front"}]
    assert found["ServiceAccount"]["metadata"]["name"] == "shop"
    assert set(kinds(sync())) == {"Role", "RoleBinding"}


def test_other_namespaces_are_asked_for_and_their_roles_left_to_the_user() -> None:
    fragment = rendered("config-sync", "cronjob")
    assert variables(fragment.containers[0])["NAMESPACE"] == "billing,shared"
    assert fragment.documents == ()


def test_a_classic_one_collects_in_an_init_container_first() -> None:
    fragment = sync(mode="classic")
    (first,), (second,) = fragment.init_containers, fragment.containers
    assert [variables(each)["METHOD"] for each in (first, second)] == ["LIST", "WATCH"]
    assert "startupProbe" not in first and "ports" not in first


def test_an_init_container_collects_once() -> None:
    fragment = sync(mode="init")
    (container,) = fragment.containers
    assert (fragment.init_containers, variables(container)["METHOD"]) == ((), "LIST")
    assert "startupProbe" not in container


def test_without_a_namespace_it_asks_for_one() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    with pytest.raises(LibraryError, match="set podNamespace, or rbac=false"):
        rendered("config-sync", params={"label": "a", "serviceAccountName": "web"}, manifest=pod)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"podNamespace": "back"}, "remove podNamespace"),
        ({"namespaces": ["billing"]}, "set rbac=false and create Roles for billing"),
        ({"reqUrl": "http://127.0.0.1/", "mode": "init"}, "remove reqUrl, or use mode native"),
        ({"reqPayload": "{}"}, "set reqUrl"),
        ({"reqAuth": {"secretName": "s"}}, "set reqUrl"),
        ({"reqUrl": "http://127.0.0.1/", "reqPayload": "{}"}, "set reqMethod=POST"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        sync(**params)


@pytest.mark.parametrize(
    "params", [{"label": ""}, {"resource": "pods"}, {"folder": "a"}, {"defaultFileMode": "rw"}, {"healthPort": 80}]
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        sync(**params)


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_the_app_is_told_of_changes_and_not_before_it_runs(mode: str) -> None:
    fragment = sync(mode=mode, reqUrl="http://127.0.0.1:8080/$(X)", reqMethod="POST", reqPayload="{}")
    found = variables(fragment.containers[0])
    assert (found["REQ_URL"], found["REQ_METHOD"]) == ("http://127.0.0.1:8080/$$(X)", "POST")
    assert (found["REQ_PAYLOAD"], found["REQ_SKIP_INIT"]) == ("{}", "true")
    assert all("REQ_URL" not in variables(each) for each in fragment.init_containers)


def test_the_password_for_the_request_comes_from_the_secret() -> None:
    fragment = sync(reqUrl="http://127.0.0.1/", reqAuth={"secretName": "reload", "usernameKey": "user"})
    found = {each["name"]: each["valueFrom"] for each in fragment.containers[0]["env"] if "valueFrom" in each}
    assert found == {
        "REQ_USERNAME": {"secretKeyRef": {"name": "reload", "key": "user"}},
        "REQ_PASSWORD": {"secretKeyRef": {"name": "reload", "key": "password"}},
    }


@pytest.mark.parametrize("mode", MODES)
def test_the_script_is_an_executable_file_where_the_variable_says(mode: str) -> None:
    script = "#!/bin/sh\necho '{{ x }}' $(date)\n"
    fragment = sync(mode=mode, script=script)
    for container in all_containers(fragment):
        path = variables(container)["SCRIPT"]
        volume = mounted(container, fragment, path)
        assert volume and volume["configMap"]["defaultMode"] == 0o555
        (config_map,) = [each for each in fragment.documents if each["kind"] == "ConfigMap"]
        assert volume["configMap"]["name"] == config_map["metadata"]["name"]
        assert config_map["data"][path.rsplit("/", 1)[1]] == script
