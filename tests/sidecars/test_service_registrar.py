"""The registrar registers the app's port, keeps the lease alive while the app is well, and deregisters it on stop."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sidecar_cases import breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("service-registrar")
ETCD = {"backend": "etcd", "address": "http://etcd:2379"}


def registrar(case: str = "deployment", mode: str = "native", **params: Any) -> Fragment:
    return rendered("service-registrar", case, params=params, mode=mode)


def env(fragment: Fragment) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in fragment.containers[0]["env"]}


def data(fragment: Fragment) -> dict[str, str]:
    (document,) = fragment.documents
    found: dict[str, str] = document["data"]
    return found


def service(fragment: Fragment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data(fragment)["service.json"])
    return found


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("service-registrar", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_script_and_all_that_it_reads_are_mounted(case: str) -> None:
    fragment = rendered("service-registrar", case)
    (container,) = fragment.containers
    script = container["command"][1]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sh", script, "stop"]
    folder, name = script.rsplit("/", 1)
    names = env(fragment)["SERVICES"].split()
    assert {name, "curl.conf", "service.json", *(f"{each}.json" for each in names[1:])} == data(fragment).keys()
    assert f"\nhere={folder}\n" in data(fragment)[name]
    volume = mounted(container, fragment, script)
    assert volume is not None and volume["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
    state = mounted(container, fragment, "/run/service-registrar")
    assert state is not None and "emptyDir" in state and "\nstate=/run/service-registrar\n" in data(fragment)[name]
    for path in [part for part in data(fragment)["curl.conf"].split('"') if part.startswith("/")]:
        secret = mounted(container, fragment, path)
        assert secret is not None and path.rsplit("/", 1)[1] in [each["path"] for each in secret["secret"]["items"]]


def test_the_token_is_mounted_where_the_script_looks_for_it() -> None:
    fragment = registrar(token={"secretName": "consul", "key": "acl"})
    volume = mounted(fragment.containers[0], fragment, "/etc/service-registrar-token/token")
    assert volume is not None and volume["secret"]["items"] == [{"key": "acl", "path": "token"}]


def test_consul_gets_a_service_with_a_check_that_runs_out() -> None:
    found = service(registrar(tags=["front"], meta={"zone": "a"}, ttl=60, deregisterAfter=300))
    assert found == {
        "ID": "shop-@POD_NAME@",
        "Name": "shop",
        "Address": "@POD_IP@",
        "Port": 8080,
        "Tags": ["front"],
        "Meta": {"zone": "a"},
        "Check": {"TTL": "60s", "DeregisterCriticalServiceAfter": "300s"},
    }


def test_consul_is_the_agent_of_the_node_unless_it_has_an_address() -> None:
    fragment = registrar()
    names = [each["name"] for each in fragment.containers[0]["env"]]
    assert env(fragment)["REGISTRY_ADDRESS"] == "http://$(HOST_IP):8500"
    assert names.index("HOST_IP") < names.index("REGISTRY_ADDRESS")
    assert env(registrar(address="http://consul:8500"))["REGISTRY_ADDRESS"] == "http://consul:8500"


def test_etcd_gets_the_address_alone() -> None:
    assert service(registrar(**ETCD)) == {"Address": "@POD_IP@", "Port": 8080, "Tags": [], "Meta": {}}


def test_further_ports_are_services_of_their_own() -> None:
    found = data(registrar(tags=["front"], ports=[{"port": 9090}, {"port": 81, "service": "admin", "tags": []}]))
    first, second = (json.loads(found[name]) for name in ("shop-9090.json", "admin.json"))
    assert (first["ID"], first["Name"], first["Port"], first["Tags"]) == (
        "shop-9090-@POD_NAME@",
        "shop-9090",
        9090,
        ["front"],
    )
    assert (second["Name"], second["Port"], second["Tags"]) == ("admin", 81, [])
    assert json.loads(data(registrar(**ETCD, ports=[{"port": 81}]))["shop-81.json"])["Port"] == 81


def test_the_user_of_etcd_is_mounted_where_the_script_looks_for_it() -> None:
    fragment = registrar(**ETCD, user={"secretName": "etcd", "usernameKey": "name"})
    volume = mounted(fragment.containers[0], fragment, "/etc/service-registrar-user/password")
    assert volume is not None
    assert volume["secret"]["items"] == [{"key": "name", "path": "username"}, {"key": "password", "path": "password"}]


@pytest.mark.parametrize("ttl", [10, 30, 100])
def test_the_lease_is_renewed_three_times_before_it_runs_out(ttl: int) -> None:
    found = env(registrar(ttl=ttl))
    assert 3 * int(found["PERIOD"]) <= int(found["TTL"]) == ttl


def test_the_port_is_the_one_named_http_unless_it_is_set() -> None:
    assert service(rendered("service-registrar", "pod-restricted"))["Port"] == 3000
    assert service(registrar("pod-restricted", port=9229))["Port"] == 9229
    assert env(registrar(healthPath="/ok", healthScheme="https"))["HEALTH_URL"] == "https://127.0.0.1:8080/ok"
    assert env(registrar())["HEALTH_URL"] == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backend": "etcd"}, "set address"),
        ({**ETCD, "token": {"secretName": "consul"}}, "leave token unset"),
        ({"user": {"secretName": "etcd"}}, "leave user unset"),
        ({"ports": [{"port": 9090, "service": "shop"}]}, "set another service in ports"),
        ({"address": "http://consul:8500", "tls": {"caSecretName": "ca"}}, "requires an https address; change address"),
        ({"tls": {"clientSecretName": "me"}}, "requires an https address; change address"),
        ({"case": "cronjob"}, "declares no TCP port; set port"),
        ({"mode": "init"}, "use mode auto"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        registrar(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given", [{"address": "http://etcd:2379/v3"}, {"ttl": 5}, {"service": "Shop"}, {"backend": "zookeeper"}]
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        registrar(**given)


class Registry:
    """A server that answers as Consul and etcd do, as far as the script goes, and the app's health."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.tokens: set[str | None] = set()
        self.well, self.lost = True, False
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                registry.calls.append((self.command, self.path, body))
                registry.tokens.add(self.headers.get("X-Consul-Token"))
                status, answer = registry.answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer.encode())

            do_POST = do_PUT

            def do_GET(self) -> None:
                self.send_response(200 if registry.well else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> tuple[int, str]:
        if self.lost and ("check/pass" in path or "keepalive" in path):
            self.lost = False
            return (404, "") if "check" in path else (200, '{"result":{"header":{"revision":"3"},"ID":"7587"}}')
        if "keepalive" in path:
            return 200, '{"result":{"header":{"revision":"3"},"ID":"7587","TTL":"30"}}'
        return 200, '{"header":{"cluster_id":"14","revision":"2"},"ID":"7587","TTL":"30"}' if "grant" in path else "{}"

    def asked(self, part: str) -> list[str]:
        return [body for _, path, body in list(self.calls) if part in path]


@pytest.fixture
def registry() -> Iterator[Registry]:
    found = Registry()
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


Run = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def run(registry: Registry, tmp_path: Path) -> Iterator[Run]:
    """Return what starts the script with a fragment's files, in a folder of its own; what it starts is ended."""
    if not (shutil.which("curl") and shutil.which("base64")):
        pytest.skip("curl or base64 is not installed")
    started: list[subprocess.Popen[bytes]] = []

    def start(fragment: Fragment, *words: str) -> subprocess.Popen[bytes]:
        for folder in ("etc", "etc-token", "run"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "etc-token" / "token").write_text("s3cret\n")
        for name, text in data(fragment).items():
            own = text.replace("=/etc/service-registrar\n", f"={tmp_path}/etc\n").replace(
                "=/run/service-registrar\n", f"={tmp_path}/run\n"
            )
            (tmp_path / "etc" / name).write_text(own)
        given = {
            **env(fragment),
            "POD_NAME": "shop-0",
            "POD_IP": "192.0.2.7",
            "REGISTRY_ADDRESS": registry.url,
            "PERIOD": "0.2",
        }
        if given["HEALTH_URL"]:
            given["HEALTH_URL"] = registry.url
        started.append(
            subprocess.Popen(
                ["/bin/sh", str(tmp_path / "etc" / "registrar.sh"), *words], env={"PATH": os.environ["PATH"], **given}
            )
        )
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            each.kill()
            each.wait()


def eventually(true: Callable[[], object]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.mark.e2e
def test_consul_hears_of_the_pod_until_it_is_told_to_stop(registry: Registry, run: Run) -> None:
    process = run(registrar())
    eventually(lambda: len(registry.asked("/v1/agent/check/pass/service:shop-shop-0")) > 2)
    (body,) = registry.asked("/v1/agent/service/register")
    assert json.loads(body)["ID"] == "shop-shop-0" and json.loads(body)["Address"] == "192.0.2.7"
    registry.lost = True
    eventually(lambda: len(registry.asked("/v1/agent/service/register")) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert len(registry.asked("/v1/agent/service/deregister/shop-shop-0")) == 1
    assert {method for method, _, _ in registry.calls} == {"PUT"} and registry.tokens == {"s3cret"}


@pytest.mark.e2e
def test_etcd_hears_of_the_pod_until_it_is_told_to_stop(registry: Registry, run: Run) -> None:
    process = run(registrar(**ETCD))
    eventually(lambda: len(registry.asked("/v3/lease/keepalive")) > 2)
    (put,) = [json.loads(body) for body in registry.asked("/v3/kv/put")]
    assert base64.b64decode(put["key"]) == b"/services/shop/shop-0" and put["lease"] == "7587"
    assert json.loads(base64.b64decode(put["value"]))["Address"] == "192.0.2.7"
    registry.lost = True
    eventually(lambda: len(registry.asked("/v3/lease/grant")) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert [json.loads(body) for body in registry.asked("/v3/lease/revoke")] == [{"ID": "7587"}]


@pytest.mark.e2e
def test_pre_stop_deregisters_and_the_registrar_does_not_register_again(registry: Registry, run: Run) -> None:
    process = run(registrar())
    eventually(lambda: registry.asked("/v1/agent/check/pass"))
    assert run(registrar(), "stop").wait(10) == 0
    count = len(registry.asked("/v1/agent/service/register"))
    time.sleep(0.8)
    assert len(registry.asked("/v1/agent/service/register")) == count
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert registry.asked("/v1/agent/service/deregister/shop-shop-0")


@pytest.mark.e2e
def test_a_lease_is_not_renewed_while_the_app_is_not_well(registry: Registry, run: Run) -> None:
    registry.well = False
    run(registrar(healthPath="/healthz"))
    time.sleep(0.8)
    assert not registry.calls
    registry.well = True
    eventually(lambda: registry.asked("/v1/agent/check/pass"))
