"""git-sync's flags agree with its mounts, ports and probes, and each way of running it renders what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest
from sidecar_cases import all_containers, argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("git-sync")
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}
HTTPS, SSH = "https://git.example.com/web/site.git", "git@git.example.com:web/site.git"
KEY = {"secretName": "key"}


def git_sync(repo: str = HTTPS, mode: str = "native", instance: str = "", **params: Any) -> Fragment:
    given = {"repo": repo, **params}
    return rendered("git-sync", params=given, manifest=MANIFEST, mode=mode, instance=instance)


def flag(fragment: Fragment, name: str) -> str | None:
    return argument(all_containers(fragment)[0], f"--{name}")


def files(fragment: Fragment, path: str, container: Mapping[str, Any]) -> set[str]:
    """Names of the files that the volume at `path` brings along."""
    volume = mounted(container, fragment, path)
    assert volume is not None, f"nothing is mounted at {path}"
    if "secret" in volume:
        return {item["path"] for item in volume["secret"]["items"]}
    if "projected" in volume:
        return {item["path"] for each in volume["projected"]["sources"] for item in each["configMap"]["items"]}
    return {key for document in fragment.documents for key in document["data"]}


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("git-sync", case, mode=mode)) == []


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_file_that_a_flag_names_is_mounted(case: str, mode: str) -> None:
    fragment = rendered("git-sync", case, mode=mode)
    for container in all_containers(fragment):
        for name in ("password-file", "ssh-key-file", "ssh-known-hosts-file", "sparse-checkout-file",
            "github-app-private-key-file", "exechook-command"):  # fmt: skip
            path = argument(container, f"--{name}")
            if path:
                assert PurePosixPath(path).name in files(fragment, path, container)


@pytest.mark.parametrize("case", CASES)
def test_root_and_the_temporary_directory_are_writable_volumes(case: str) -> None:
    fragment = rendered("git-sync", case, mode="classic")
    for container in all_containers(fragment):
        for path in (argument(container, "--root"), "/tmp"):
            (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == path]
            assert not mount.get("readOnly")
            assert mounted(container, fragment, str(path)) is not None


@pytest.mark.parametrize("case", CASES)
def test_the_app_mounts_the_volume_of_root_as_a_whole(case: str) -> None:
    fragment = rendered("git-sync", case)
    container = all_containers(fragment)[0]
    (mount,) = fragment.volume_mounts
    root = mounted(container, fragment, str(argument(container, "--root")))
    assert root is not None and mount["name"] == root["name"]
    assert "subPath" not in mount


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_probes_ask_the_port_that_git_sync_binds_and_a_single_fetch_has_none(case: str, mode: str) -> None:
    for container in all_containers(rendered("git-sync", case, mode=mode)):
        probes = [container[key]["httpGet"] for key in ("startupProbe", "livenessProbe") if key in container]
        if "--one-time" in container["args"]:
            assert not probes and "ports" not in container and argument(container, "--http-bind") is None
        else:
            (port,) = [each["containerPort"] for each in container["ports"]]
            assert probes == [{"path": "/", "port": port}] * 2
            assert argument(container, "--http-bind") == f":{port}"


@pytest.mark.parametrize("case", CASES)
def test_names_follow_the_instance_so_that_two_fit_into_one_pod(case: str) -> None:
    first, second = (rendered("git-sync", case, mode="classic", instance=name) for name in ("git-sync", "templates"))
    for names in (lambda f: {each["name"] for each in all_containers(f)}, lambda f: {v["name"] for v in f.volumes}):
        assert not names(first) & names(second)


# --- once, on and on, or both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sync", "mode", "init", "beside"),
    [
        ("auto", "native", [], ["git-sync"]),
        ("auto", "classic", ["git-sync-init"], ["git-sync"]),
        ("auto", "init", [], ["git-sync"]),
        ("continuous", "classic", [], ["git-sync"]),
        ("one-time", "native", ["git-sync"], []),
        ("one-time", "classic", ["git-sync"], []),
        ("both", "native", ["git-sync-init"], ["git-sync"]),
    ],
)
def test_what_runs_follows_sync_and_mode(sync: str, mode: str, init: list[str], beside: list[str]) -> None:
    fragment = git_sync(sync=sync, mode=mode)
    assert [each["name"] for each in fragment.init_containers] == init
    assert [each["name"] for each in fragment.containers] == beside
    once = [*fragment.init_containers, *(fragment.containers if mode == "init" else ())]
    assert ["--one-time" in each["args"] for each in all_containers(fragment)] == [
        each in once for each in all_containers(fragment)
    ]


def test_a_native_sidecar_holds_the_app_back_until_the_first_fetch() -> None:
    probe = git_sync(startupTimeout=45).containers[0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 45


def test_a_git_server_that_is_away_does_not_take_the_app_out_of_service() -> None:
    fragment = git_sync()
    assert flag(fragment, "max-failures") == "-1"
    assert "readinessProbe" not in fragment.containers[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sync": "both", "mode": "init"}, "runs once"),
        ({"sync": "one-time", "webhook": {"url": "http://127.0.0.1/x"}}, "sync=one-time runs once"),
        ({"repo": "https://user:token@git.example.com/x"}, "visible in the manifest"),
        ({"repo": SSH}, "requires a private key"),
        ({"repo": SSH, "credentials": {**KEY, "username": "bob"}}, "credentials.username requires HTTPS"),
        ({"credentials": {"username": "bob"}}, "requires a password"),
        ({"knownHosts": "x y z"}, "knownHosts requires an SSH repository"),
        ({"repo": SSH, "credentials": KEY, "ca": {"configMapName": "ca"}}, "ca requires HTTPS"),
        ({"link": "../x"}, "inside root"),
        ({"group-write": True}, "readOnly=false"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        git_sync(**params)


def test_the_repository_is_required() -> None:
    with pytest.raises(UsageError, match="repo"):
        rendered("git-sync", params={}, manifest=MANIFEST)


@pytest.mark.parametrize("period", ["60", "1 m", "soon", "-5s"])
def test_a_time_without_its_unit_is_refused(period: str) -> None:
    with pytest.raises(UsageError, match="period"):
        git_sync(period=period)


# --- layout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repo", "link"),
    [
        (HTTPS, "site"),
        ("https://git.example.com/web/site/", "site"),
        (SSH, "site"),
        ("git@git.example.com:site.git", "site"),
        ("ssh://git@git.example.com:2222/web/site", "site"),
    ],
)
def test_the_link_is_named_after_the_repository(repo: str, link: str) -> None:
    params = {} if repo.startswith("https") else {"credentials": KEY}
    assert flag(git_sync(repo, **params), "link") == link


def test_the_app_sees_root_where_it_wants_it_and_read_only() -> None:
    fragment = git_sync(mountPath="/usr/share/nginx", link="html")
    assert flag(fragment, "root") == "/git"
    assert fragment.volume_mounts == ({"name": "git-sync-content", "mountPath": "/usr/share/nginx", "readOnly": True},)
    assert git_sync(root="/srv/git").volume_mounts[0]["mountPath"] == "/srv/git"


def test_an_app_that_writes_gets_the_group_and_the_mount_for_it() -> None:
    fragment = git_sync(**{"group-write": True}, readOnly=False, fsGroup=2000)
    assert "--group-write" in fragment.containers[0]["args"]
    assert "readOnly" not in fragment.volume_mounts[0]
    assert fragment.security_context == {"fsGroup": 2000}


def test_the_pods_group_is_left_alone_unless_asked_for() -> None:
    assert git_sync(SSH, credentials=KEY).security_context == {}


def test_sparse_checkout_patterns_stand_one_a_line_in_the_config_map() -> None:
    patterns = ["/docs/", "!/docs/drafts/", "# no comment: a pattern", "*.md "]
    fragment = git_sync(sparseCheckout=patterns)
    (document,) = fragment.documents
    assert document["data"]["sparse-checkout"].split("\n")[:-1] == patterns
    assert flag(fragment, "sparse-checkout-file") == "/etc/git-sync/sparse-checkout"


def test_settings_for_git_survive_commas_and_quotes() -> None:
    fragment = git_sync(**{"git-config": {"http.proxy": 'http://p:3128,"x"'}}, ca={"configMapName": "ca"})
    assert flag(fragment, "git-config") == (r'"http.proxy":"http://p:3128,\"x\"","http.sslCAInfo":"/etc/git-ca/ca.crt"')


def test_a_dollar_sign_is_not_taken_for_a_variable_of_the_container() -> None:
    assert flag(git_sync(ref="a$(HOME)b"), "ref") == "a$$(HOME)b"


# --- credentials -----------------------------------------------------------------------------------------------------


def test_a_public_repository_needs_no_credentials() -> None:
    fragment = git_sync()
    assert {volume["name"] for volume in fragment.volumes} == {"git-sync-content", "git-sync-tmp"}
    assert "env" not in fragment.containers[0] and fragment.documents == ()


def test_user_and_password_come_from_the_secret() -> None:
    fragment = git_sync(credentials={**KEY, "passwordKey": "token"})
    (env,) = fragment.containers[0]["env"]
    assert env == {
        "name": "GITSYNC_USERNAME",
        "valueFrom": {"secretKeyRef": {"name": "key", "key": "username"}},
    }
    secret = mounted(fragment.containers[0], fragment, str(flag(fragment, "password-file")))
    assert secret and secret["secret"] == {"secretName": "key", "items": [{"key": "token", "path": "password"}]}


def test_a_user_name_that_is_no_secret_is_given_as_a_flag() -> None:
    fragment = git_sync(credentials={**KEY, "username": "reader"})
    assert flag(fragment, "username") == "reader" and "env" not in fragment.containers[0]


def test_an_ssh_key_and_the_servers_key_come_from_the_secret() -> None:
    fragment = git_sync(SSH, credentials={**KEY, "sshKey": "ssh-privatekey"})
    secret = mounted(fragment.containers[0], fragment, str(flag(fragment, "ssh-key-file")))
    assert secret and secret["secret"]["items"] == [
        {"key": "ssh-privatekey", "path": "ssh"},
        {"key": "known_hosts", "path": "known_hosts"},
    ]
    assert flag(fragment, "ssh-known-hosts-file") == "/etc/git-secret/known_hosts"


def test_the_servers_key_may_stand_in_the_config_map() -> None:
    fragment = git_sync(SSH, credentials=KEY, knownHosts="a ssh-ed25519 X\nb ssh-rsa Y\n")
    (document,) = fragment.documents
    assert document["data"]["known_hosts"] == "a ssh-ed25519 X\nb ssh-rsa Y\n"
    assert flag(fragment, "ssh-known-hosts-file") == "/etc/git-sync/known_hosts"


def test_the_servers_key_is_checked_unless_told_otherwise() -> None:
    assert "--ssh-known-hosts=false" not in git_sync(SSH, credentials=KEY).containers[0]["args"]
    assert (
        "--ssh-known-hosts=false" in git_sync(SSH, credentials=KEY, **{"ssh-known-hosts": False}).containers[0]["args"]
    )


def test_the_webhook_is_called_by_the_container_that_goes_on() -> None:
    fragment = git_sync(sync="both", webhook={"url": "http://127.0.0.1:8080/reload", "method": "GET"})
    (once,), (beside,) = fragment.init_containers, fragment.containers
    assert argument(once, "--webhook-url") is None
    assert argument(beside, "--webhook-url") == "http://127.0.0.1:8080/reload"
    assert argument(beside, "--webhook-method") == "GET"


# --- a GitHub App, commands, and web servers --------------------------------------------------------------------------

APP = {"secretName": "app", "clientId": "Iv1.8a61f9b3a7aba766", "installationId": 42}


def test_a_github_app_authenticates_with_the_key_of_its_secret() -> None:
    fragment = git_sync(githubApp=APP)
    (container,) = fragment.containers
    assert files(fragment, flag(fragment, "github-app-private-key-file") or "", container) == {"private-key.pem"}
    assert flag(fragment, "github-app-client-id") == APP["clientId"]
    assert flag(fragment, "github-app-installation-id") == "42"
    assert flag(fragment, "github-app-application-id") is None and flag(fragment, "password-file") is None
    other = git_sync(githubApp={"secretName": "app", "applicationId": 7, "installationId": 42, "baseUrl": "http://g"})
    assert (flag(other, "github-app-application-id"), flag(other, "github-base-url")) == ("7", "http://g")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"repo": SSH, "credentials": KEY, "githubApp": APP}, "requires an https:// repository"),
        ({"githubApp": APP, "credentials": KEY}, "cannot combine githubApp and credentials"),
        ({"githubApp": {"secretName": "app", "clientId": "x"}}, "set githubApp.installationId"),
        ({"githubApp": {**APP, "applicationId": 7}}, "cannot combine githubApp.clientId"),
        ({"githubApp": {"clientId": "x"}}, "set githubApp.secretName"),
        ({"exechook": {"command": "/a", "script": "#!/bin/sh"}}, "cannot combine exechook.command"),
    ],
)
def test_settings_of_apps_and_commands_that_do_not_go_together_are_refused(
    params: dict[str, Any], message: str
) -> None:
    with pytest.raises(LibraryError, match=message):
        git_sync(**params)


def test_a_script_is_an_executable_file_in_the_config_map() -> None:
    fragment = git_sync(exechook={"script": "#!/bin/sh\ntrue\n"})
    (container,) = fragment.containers
    path = flag(fragment, "exechook-command") or ""
    volume = mounted(container, fragment, path)
    assert volume and volume["configMap"]["defaultMode"] == 0o555
    assert fragment.documents[0]["data"] == {PurePosixPath(path).name: "#!/bin/sh\ntrue\n"}


def test_the_command_runs_in_the_container_that_goes_on() -> None:
    fragment = git_sync(sync="both", exechook={"command": "/a"})
    (first,), (second,) = fragment.init_containers, fragment.containers
    assert (argument(first, "--exechook-command"), argument(second, "--exechook-command")) == (None, "/a")
    once = git_sync(sync="one-time", exechook={"command": "/a"})
    assert argument(all_containers(once)[0], "--exechook-command") == "/a"


def served(image: str, *mounts: str, **params: Any) -> tuple[str, str]:
    """The path of the volume in the app, and the link."""
    app = {"name": "web", "image": image, "volumeMounts": [{"name": "x", "mountPath": each} for each in mounts]}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [app]}}
    fragment = rendered("git-sync", params={"repo": HTTPS, **params}, manifest=pod)
    return fragment.volume_mounts[0]["mountPath"], flag(fragment, "link") or ""


@pytest.mark.parametrize(
    "image", ["nginx", "nginx:1.30", "docker.io/library/nginx@sha256:1", "nginxinc/nginx-unprivileged:1.30.4"]
)
def test_nginx_serves_the_repository_without_further_settings(image: str) -> None:
    assert served(image) == ("/usr/share/nginx", "html")


def test_other_images_and_settings_keep_the_repository_apart() -> None:
    assert served("registry.example.com/nginx-exporter:1") == ("/git", "site")
    assert served("nginx:1.30", "/usr/share/nginx/html") == ("/git", "site")
    assert served("nginx:1.30", "/usr/share/nginx") == ("/git", "site")
    assert served("nginx:1.30", "/etc/nginx/conf.d") == ("/usr/share/nginx", "html")
    assert served("nginx:1.30", mountPath="/srv") == ("/srv", "site")
    assert served("nginx:1.30", link="www") == ("/git", "www")
