"""service-registrar runs as the manifest says, against etcd: with and without a user, and with several ports."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import INSTALL_FOR_SIDECARS, program
from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.network import FAMILIES, Addresses
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e

HOST = {"etcd.example.com": "192.0.2.10"}


class Etcd:
    """etcd at an address outside of the pod."""

    def __init__(self, pod: Pod, folder: Path) -> None:
        self.pod = pod
        outside = pod.addresses.outside[0]
        host = f"[{outside}]" if ":" in outside else outside
        self.url = f"http://{host}:2379"
        words = [program("etcd", INSTALL_FOR_SIDECARS), f"--data-dir={folder}/etcd", f"--listen-client-urls={self.url}"]
        words += [f"--advertise-client-urls={self.url}", "--listen-peer-urls=http://127.0.0.1:2380"]
        self._process = subprocess.Popen(
            [*pod.network.enter(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._ready)

    def _ready(self) -> bool:
        try:
            return self.pod.get(f"{self.url}/health").status == 200
        except OSError:
            return False

    def call(self, path: str, token: str = "", **body: Any) -> Any:
        answer = self.pod.get(
            f"{self.url}/v3/{path}", method="POST", body=json.dumps(body).encode(), headers={"Authorization": token} if token else {}
        )  # fmt: skip
        assert answer.status == 200, answer.body
        return answer.json()

    def keys(self, token: str = "") -> dict[str, Any]:
        """Return what is stored, by key."""
        start, end = (base64.b64encode(each).decode() for each in (b"/services/", b"/services0"))
        found = self.call("kv/range", token, key=start, range_end=end).get("kvs", [])
        return {
            base64.b64decode(each["key"]).decode(): json.loads(base64.b64decode(each["value"])) for each in found
        }  # fmt: skip

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def registered(tmp_path: Path) -> Iterator[Any]:
    """Return what starts a pod with a registrar, beside etcd."""
    to_close: list[Any] = []

    def start(addresses: Addresses | None = None, **parameters: Any) -> tuple[Pod, Etcd]:
        given = {"backend": "etcd", "address": "http://etcd.example.com:2379", "ttl": 10, **parameters}
        manifest = added("service-registrar", deployment(8080), tmp_path, {"service-registrar": given})
        where = addresses or Addresses()
        secrets = {"etcd": {"username": b'sh"op', "password": b'p\\"w'}}
        pod = Pod(manifest, tmp_path, addresses=where, hosts={"etcd.example.com": where.outside[0]}, secrets=secrets)
        to_close.append(lambda: pod.__exit__(None, None, None))
        etcd = Etcd(pod, tmp_path)
        to_close.append(etcd.close)
        return pod, etcd

    yield start
    for close in reversed(to_close):
        close()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pod_is_registered_until_it_stops(family: str, registered: Any) -> None:
    pod, etcd = registered(FAMILIES[family], tags=["front"])
    registrar = pod.start("service-registrar")
    eventually(etcd.keys)
    assert etcd.keys() == {
        "/services/shop/shop-0": {"Address": pod.ip, "Port": 8080, "Tags": ["front"], "Meta": {}},
    }  # fmt: skip
    assert pod.stop("service-registrar") < 10
    assert registrar.exit_code() == 0 and etcd.keys() == {}


def test_each_port_is_a_service_and_is_registered_again_after_its_lease_is_lost(registered: Any) -> None:
    pod, etcd = registered(ports=[{"port": 9090}])
    pod.start("service-registrar")
    eventually(lambda: len(etcd.keys()) == 2)
    lease = etcd.call("lease/leases")["leases"][0]["ID"]
    etcd.call("lease/revoke", ID=lease)
    assert etcd.keys() == {}
    eventually(lambda: {key: value["Port"] for key, value in etcd.keys().items()} == {
        "/services/shop/shop-0": 8080, "/services/shop-9090/shop-0": 9090,
    })  # fmt: skip


def test_a_user_of_etcd_needs_only_its_own_keys(registered: Any) -> None:
    pod, etcd = registered(user={"secretName": "etcd"})
    etcd.call("auth/user/add", name="root", password="root")
    etcd.call("auth/role/add", name="root")
    etcd.call("auth/user/grant", user="root", role="root")
    etcd.call("auth/user/add", name='sh"op', password='p\\"w')
    etcd.call("auth/role/add", name="shop")
    start, end = (base64.b64encode(each).decode() for each in (b"/services/shop", b"/services/shoq"))
    etcd.call("auth/role/grant", name="shop", perm={"permType": "READWRITE", "key": start, "range_end": end})
    etcd.call("auth/user/grant", user='sh"op', role="shop")
    etcd.call("auth/enable")
    token = etcd.call("auth/authenticate", name="root", password="root")["token"]
    registrar = pod.start("service-registrar")
    eventually(lambda: etcd.keys(token))
    assert pod.stop("service-registrar") < 10
    assert etcd.keys(token) == {}, registrar.log()


def test_the_agent_of_an_ipv6_node_is_reached(tmp_path: Path) -> None:
    manifest = added("service-registrar --set ttl=10", deployment(8080), tmp_path)
    manifest = manifest.replace(
        "fieldPath: status.hostIP", "fieldPath: status.podIP"
    )  # the node is at the pod's address
    with Pod(manifest, tmp_path, addresses=FAMILIES["ipv6-only"]) as pod:

        def agent(request: Request) -> Answer:
            return Answer(200, {}, b"{}")

        server = pod.serve(8500, agent, pod.ip)
        registrar = pod.start("service-registrar")
        eventually(lambda: any("check/pass" in each.path for each in server.requests))
        (first, *_) = [each for each in server.requests if "service/register" in each.path]
        assert json.loads(first.body)["Address"] == pod.ip, registrar.log()
        assert pod.stop("service-registrar") < 10
        assert any("deregister/shop-shop-0" in each.path for each in server.requests)
