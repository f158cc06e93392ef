"""The agent's configuration agrees with its mounts, its startup probe and what the app sees; secrets stay in Vault."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sidecar_cases import all_containers, argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("vault-agent")
MODES = ("native", "classic", "init")
ONE = {"name": "a", "secret": "kv/data/a"}


def agent(*, mode: str = "native", **params: Any) -> Fragment:
    given = {"address": "https://vault.example.com", "auth": {"role": "shop"}, "templates": [ONE], **params}
    return rendered("vault-agent", "deployment", params=given, mode=mode)


def config(fragment: Fragment, container: Any) -> dict[str, Any]:
    file = argument(container, "-config") or ""
    volume = mounted(container, fragment, file)
    (document,) = fragment.documents
    assert volume and volume["configMap"]["name"] == document["metadata"]["name"]
    parsed: dict[str, Any] = json.loads(document["data"][file.rsplit("/", 1)[1]])
    return parsed


def template(fragment: Fragment, name: str) -> str:
    return str(fragment.documents[0]["data"][f"{name}.ctmpl"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("vault-agent", case, mode=mode)) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_every_file_of_the_configuration_is_where_it_says(case: str, mode: str) -> None:
    fragment = rendered("vault-agent", case, mode=mode)
    (shared,) = fragment.volume_mounts
    for container in all_containers(fragment):
        parsed = config(fragment, container)
        for each in parsed["template"]:
            source, target = (
                mounted(container, fragment, each["source"]),
                mounted(container, fragment, each["destination"]),
            )
            assert source and source["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
            assert each["source"].rsplit("/", 1)[1] in fragment.documents[0]["data"]
            assert target and target["name"] == shared["name"] and target["emptyDir"]["medium"] == "Memory"
            assert each["destination"].startswith(f"{shared['mountPath']}/")
        (method,) = parsed["auto_auth"]["method"]
        for path in [str(each) for each in method["config"].values() if str(each).startswith("/")]:
            login = mounted(container, fragment, path)
            assert login, path
            if "projected" in login:
                assert login["projected"]["sources"][0]["serviceAccountToken"]["path"] == "token"
            else:
                assert path.rsplit("/", 1)[1] in {each["path"] for each in login["secret"]["items"]}
        if "ca_cert" in parsed["vault"]:
            (source,) = mounted(container, fragment, parsed["vault"]["ca_cert"])["projected"]["sources"]  # type: ignore[index]
            assert [item["path"] for one in source.values() for item in one["items"]] == ["ca.crt"]


def test_the_app_may_read_and_not_write() -> None:
    assert agent().volume_mounts == ({"name": "vault-agent-secrets", "mountPath": "/vault/secrets", "readOnly": True},)


def test_a_native_one_has_started_once_every_file_is_there(tmp_path: Path) -> None:
    fragment = agent(mountPath=str(tmp_path), templates=[ONE, {"name": "b", "secret": "kv/data/b"}])
    command = fragment.containers[0]["startupProbe"]["exec"]["command"]

    def started() -> bool:
        return subprocess.run(command, check=False).returncode == 0

    assert not started()
    (tmp_path / "a").touch()
    assert not started()
    (tmp_path / "b").touch()
    assert started()


def test_a_classic_one_renders_in_an_init_container_first() -> None:
    fragment = agent(mode="classic")
    (first,), (second,) = fragment.init_containers, fragment.containers
    assert config(fragment, first)["exit_after_auth"] is True
    assert config(fragment, second)["exit_after_auth"] is False
    assert "startupProbe" not in first and "startupProbe" not in second


def test_an_init_container_renders_once_and_ends() -> None:
    fragment = agent(mode="init")
    assert fragment.init_containers == ()
    (container,) = fragment.containers
    assert config(fragment, container)["exit_after_auth"] is True
    assert "startupProbe" not in container


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, '{{ with secret "kv/data/a" }}{{ .Data.data | toJSONPretty }}\n{{ end }}'),
        ({"key": "pin"}, '{{ with secret "kv/data/a" }}{{ .Data.data.pin }}{{ end }}'),
        ({"engine": "other", "format": "yaml"}, '{{ with secret "kv/data/a" }}{{ .Data | toYAML }}\n{{ end }}'),
        (
            {"format": "env"},
            '{{ with secret "kv/data/a" }}{{ range $key, $value := .Data.data }}{{ $key }}={{ $value }}\n{{ end }}{{ end }}',
        ),
    ],
)
def test_a_path_becomes_a_template(asked: dict[str, Any], text: str) -> None:
    assert template(agent(templates=[{**ONE, **asked}]), "a") == text


@pytest.mark.parametrize("text", ["{{ x }}", "a: b\n  # {{ y }}\n\n", "  lead\n'\"\\\n", "\ttab $(A) ${B}\n"])
def test_a_template_of_ones_own_stays_as_it_is(text: str) -> None:
    assert template(agent(templates=[{"name": "own", "contents": text}]), "own") == text


def test_a_login_by_jwt_does_not_try_to_remove_the_token() -> None:
    fragment = rendered("vault-agent", "pod-restricted")
    (method,) = config(fragment, fragment.containers[0])["auto_auth"]["method"]
    assert (method["type"], method["config"]["remove_jwt_after_reading"]) == ("jwt", False)
    (token,) = [each for each in fragment.volumes if each["name"] == "vault-agent-token"]
    assert token["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "https://vault.example.com"


def test_the_address_is_not_a_variable_which_would_go_before_the_configuration() -> None:
    assert [each["name"] for each in agent().containers[0]["env"]] == ["HOME"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"templates": [ONE, ONE]}, "give each file its own name"),
        ({"templates": [{"name": "a"}]}, "set secret or contents"),
        ({"templates": [{**ONE, "contents": "x"}]}, "remove one of them"),
        ({"templates": [{"name": "a", "secret": "kv/a"}]}, "add it, or set engine=other"),
        ({"tls": {"secretName": "a", "configMapName": "b"}}, "remove tls.secretName or tls.configMapName"),
        ({"address": "http://vault:8200", "tls": {"secretName": "a"}}, "use https:// in address"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        agent(**params)


@pytest.mark.parametrize(
    "params",
    [
        {"templates": []},
        {"templates": [{"name": "../a", "secret": "kv/data/a"}]},
        {"templates": [{"name": "a", "secret": 'kv/data/a" }}'}]},
        {"auth": {}},
        {"address": "https://user:password@vault"},
        {"auth": {"role": "shop", "expirationSeconds": 60}},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        agent(**params)


def test_the_method_is_a_list_because_the_parser_takes_lone_nested_objects_for_labels() -> None:
    assert isinstance(config(agent(), agent().containers[0])["auto_auth"]["method"], list)


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"type": "aws"}, "set auth.role"),
        ({"type": "approle"}, "set auth.secretName"),
        ({"role": "web", "secretName": "login"}, "remove auth.secretName"),
        ({"role": "web", "region": "eu-central-1"}, "set auth.type"),
    ],
)
def test_settings_of_another_auth_method_are_refused(auth: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=said):
        agent(auth=auth)
