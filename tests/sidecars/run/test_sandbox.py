"""The sandbox gives a container what a kubelet gives it, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sidecars.sandbox.network import DUAL_STACK, FAMILIES, IPV4_ONLY
from tests.sidecars.sandbox.pod import Pod

pytestmark = pytest.mark.e2e

SECURITY = {
    "runAsUser": 1234,
    "runAsGroup": 2345,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod(
    script: str, volumes: list[dict[str, Any]] | None = None, mounts: list[dict[str, Any]] | None = None, **more: Any
) -> str:
    container = {
        "name": "box", "image": "busybox:1.36", "command": ["sh", "-c", script], "securityContext": SECURITY,
        "volumeMounts": mounts or [], **more.pop("container", {}),
    }  # fmt: skip
    spec = {"initContainers": [container], "containers": [], "volumes": volumes or [], **more}
    metadata = {"name": "web", "labels": {"app": "web"}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    return yaml.safe_dump_all([{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, settings])


def printed(script: str, folder: Path, manifest: str = "", **more: Any) -> list[str]:
    with Pod(manifest or pod(script), folder, **more) as made:
        return made.finish("box").splitlines()


def test_a_container_runs_as_its_user_without_capabilities(tmp_path: Path) -> None:
    assert printed("id -u; id -g; id -G; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; echo $$$$", tmp_path) == [
        "1234", "2345", "2345", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "1",
    ]  # fmt: skip


def test_the_root_is_read_only_and_shared_memory_is_not(tmp_path: Path) -> None:
    tries = "for dir in / /tmp /etc /dev/shm; do touch $dir/x 2>/dev/null && echo $dir; done; true"
    assert printed(tries, tmp_path) == ["/dev/shm"]


def test_an_empty_directory_is_world_writable_without_sticky_bit(tmp_path: Path) -> None:
    volumes, mounts = [{"name": "data", "emptyDir": {}}], [{"name": "data", "mountPath": "/data"}]
    script = "stat -c '%a %u %g' /data; touch /data/x; stat -c '%u %g' /data/x"
    assert printed("", tmp_path, pod(script, volumes, mounts)) == ["777 0 0", "1234 2345"]
    with_group = pod(script, volumes, mounts, securityContext={"fsGroup": 3000})
    assert printed("", tmp_path, with_group) == ["2777 0 3000", "1234 3000"]


def test_config_maps_and_secrets_are_links_that_an_update_replaces(tmp_path: Path) -> None:
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
    ]
    mounts = [{"name": "settings", "mountPath": "/settings"}, {"name": "keys", "mountPath": "/keys"}]
    script = (
        "readlink /settings/a; cat /settings/a; touch /settings/b 2>/dev/null && echo writable; "
        "cat /keys/k 2>/dev/null || echo unreadable; until grep -q 2 /settings/a; do sleep 0.05; done; echo updated"
    )
    with Pod(pod(script, volumes, mounts), tmp_path, secrets={"keys": {"k": b"secret"}}) as made:
        box = made.launch("box")
        while "unreadable" not in box.log():
            assert box.exit_code() is None, box.log()
        made.update("settings", {"a": b"2"})
        while box.exit_code() is None:
            pass
        assert box.log().split() == ["..data/a", "1unreadable", "updated"]


def test_the_environment_comes_from_values_fields_secrets_and_resources(tmp_path: Path) -> None:
    env = [
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)$(NONE)$$(A)"},
        {"name": "IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        {"name": "MIB", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    more = {"env": env, "resources": {"limits": {"memory": "64Mi"}}}
    manifest = pod("echo $B $IPS $APP $KEY $MIB", container=more)
    found = printed("", tmp_path, manifest, addresses=DUAL_STACK, secrets={"keys": {"k": b"secret"}})
    assert found == ["a$(NONE)$(A) 10.244.3.7,fd00:10:244::7 web secret 64"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pod_has_its_addresses_and_no_other(family: str, tmp_path: Path) -> None:
    with Pod(pod("sleep 60"), tmp_path, addresses=FAMILIES[family]) as made:
        shown = made.network.run(["ip", "-o", "address"])
    for address in ("10.244.3.7", "fd00:10:244::7"):
        assert (address in shown) == (address in FAMILIES[family].pod)


def test_a_kernel_without_ipv6_opens_no_ipv6_socket(tmp_path: Path) -> None:
    script = "wget -O- http://[::1]:1/ 2>&1 || true"
    assert "not supported" in " ".join(printed(script, tmp_path, addresses=IPV4_ONLY))


def test_containers_share_processes_where_the_pod_says_so(tmp_path: Path) -> None:
    manifest = pod("echo $$$$; cat /proc/1/comm", shareProcessNamespace=True)
    first, second = printed("", tmp_path, manifest)
    assert int(first) > 1 and second.startswith("python")


def test_a_command_runs_in_the_container_of_its_probe(tmp_path: Path) -> None:
    probe = {
        "exec": {"command": ["sh", "-c", "id -u; id -g; test $(id -u) = 1234 && test -e /proc/1 && ! touch /tmp/x"]}
    }
    with Pod(pod("trap 'exit 7' TERM; sleep 60 & wait", container={"startupProbe": probe}), tmp_path) as made:
        box = made.start("box")
        assert made.stop("box") < 5
        assert box.exit_code() == 7


def test_a_container_that_ignores_its_signal_is_a_failure(tmp_path: Path) -> None:
    with Pod(pod("sleep 60", terminationGracePeriodSeconds=1), tmp_path) as made:
        made.launch("box")
        with pytest.raises(AssertionError, match="ran on for"):
            made.stop("box")
