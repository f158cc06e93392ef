"""Sidecars that do not fit the pod: refused, warned about, or adapted, with the place that says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import Outcome, run

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "registry.example/web:1.0.0"}]},
}
AFFINITY = {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}]}
LINUX_TERM = {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}


def affinity(*terms: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


def pod(metadata: dict[str, Any] | None = None, **spec: Any) -> str:
    return yaml.safe_dump(
        {**POD, "metadata": {**POD["metadata"], **(metadata or {})}, "spec": {**POD["spec"], **spec}}, sort_keys=False
    )


def add(text: str, tmp_path: Path, *words: str) -> Outcome:
    return run(["sidecarctl", "add", *words], tmp_path, stdin=text)


@pytest.mark.parametrize(
    "spec",
    [
        {"os": {"name": "windows"}},
        {"nodeSelector": {"kubernetes.io/os": "windows"}},
        {"nodeSelector": {"beta.kubernetes.io/os": "windows"}},
        affinity(AFFINITY),
        affinity(AFFINITY, AFFINITY),
        {"runtimeClassName": "windows-2022"},
        {"hostNetwork": True, "securityContext": {"windowsOptions": {"hostProcess": True}}},
    ],
    ids=lambda spec: next(iter(spec)),
)
@pytest.mark.parametrize("sidecar", ["log-tail", "linkerd"])
def test_refuses_linux_sidecar_on_windows_nodes(spec: dict[str, Any], sidecar: str, tmp_path: Path) -> None:
    done = add(pod(**spec), tmp_path, sidecar)
    assert done.code == 1 and "error[linux-sidecar-on-windows]" in done.stderr


@pytest.mark.parametrize(
    "spec",
    [{"nodeSelector": {"kubernetes.io/os": "linux"}}, affinity(AFFINITY, LINUX_TERM), {"runtimeClassName": "gvisor"}],
)
def test_accepts_pods_that_can_run_on_linux(spec: dict[str, Any], tmp_path: Path) -> None:
    assert add(pod(**spec), tmp_path, "log-tail").code == 0


def test_refuses_mesh_on_host_network(tmp_path: Path) -> None:
    for mesh in ("istio", "linkerd", "consul-dataplane", "open-service-mesh"):
        done = add(pod(hostNetwork=True), tmp_path, mesh)
        assert done.code == 1 and "error[mesh-on-host-network]" in done.stderr, mesh


MESHES = {
    "istio": {"labels": {"sidecar.istio.io/inject": "true"}},
    "linkerd": {"annotations": {"linkerd.io/inject": "enabled"}},
    "consul-dataplane": {"annotations": {"consul.hashicorp.com/connect-inject": "true"}},
    "kuma": {"labels": {"kuma.io/sidecar-injection": "enabled"}},
}


@pytest.mark.parametrize("present", MESHES)
def test_refuses_second_mesh(present: str, tmp_path: Path) -> None:
    for mesh in ("istio", "linkerd", "consul-dataplane", "open-service-mesh"):
        done = add(pod(MESHES[present]), tmp_path, mesh)
        assert (mesh == present) is ("error[second-mesh]" not in done.stderr), mesh


def test_refuses_mesh_beside_injected_proxy_container(tmp_path: Path) -> None:
    proxy = {"name": "istio-proxy", "image": "registry.example/proxy:1.0.0"}
    done = add(pod(containers=[*POD["spec"]["containers"], proxy]), tmp_path, "linkerd")
    assert done.code == 1 and "error[second-mesh]" in done.stderr


def test_refuses_two_meshes_in_one_run_and_accepts_a_disabled_one(tmp_path: Path) -> None:
    assert "error[second-mesh]" in add(pod(), tmp_path, "istio", "linkerd").stderr
    off = {"annotations": {"consul.hashicorp.com/connect-inject": "false"}}
    assert add(pod(off), tmp_path, "linkerd").code == 0


def test_warns_about_ports_opened_on_the_node(tmp_path: Path) -> None:
    done = add(pod(hostNetwork=True), tmp_path, "logger")
    assert (
        done.code == 0 and "warning[host-network-ports]: port 2020 of the sidecar is opened on the node" in done.stderr
    )
    assert "host-network-ports" not in add(pod(hostNetwork=True), tmp_path, "log-tail").stderr


@pytest.mark.parametrize(
    ("annotations", "port", "clashes"),
    [
        ({"dapr.io/enabled": "true"}, 9090, True),
        ({"dapr.io/enabled": "true", "dapr.io/metrics-port": "9100"}, 9090, False),
        ({"dapr.io/enabled": "true", "dapr.io/metrics-port": "9100"}, 9100, True),
        ({"dapr.io/enabled": "true", "dapr.io/enable-metrics": "false"}, 9090, False),
        ({"dapr.io/enabled": "false"}, 9090, False),
        ({"sidecar.istio.io/inject": "true"}, 15090, True),
        ({"linkerd.io/inject": "enabled"}, 4191, True),
        ({"linkerd.io/inject": "enabled"}, 9090, False),
    ],
)
def test_ports_of_injected_proxies_are_taken(
    annotations: dict[str, str], port: int, clashes: bool, tmp_path: Path
) -> None:
    text = pod({"annotations": annotations})
    done = add(
        text, tmp_path, "cloud-sql-proxy", "--set", "instances[0]=proj:europe-west1:db", "--set", f"http-port={port}"
    )
    assert done.code == (1 if clashes else 0), done.stderr
    assert clashes is ("error[mesh-port-clash]" in done.stderr)


@pytest.mark.parametrize(("grace", "sleep"), [(3, 1), (4, 2), (1, 1), (0, None), (5, 5), (60, 5)])
def test_shortens_sleep_to_grace_period(grace: int, sleep: int | None, tmp_path: Path) -> None:
    text = pod(terminationGracePeriodSeconds=grace)
    done = add(text, tmp_path, "log-tail")
    assert done.code == 0, done.stderr
    container = yaml.safe_load(done.stdout)["spec"]["initContainers"][0]
    hook = container.get("lifecycle", {}).get("preStop")
    assert hook == ({"sleep": {"seconds": sleep}} if sleep else None)
    assert (sleep != 5) is ("info[shortened-sleep]" in done.stderr)
    assert run(["sidecarctl", "remove", "log-tail"], tmp_path, stdin=done.stdout).stdout == text
    assert run(["sidecarctl", "add", "log-tail"], tmp_path, stdin=done.stdout).stdout == done.stdout


CLASSIC = ["--mode", "classic", "--set", "instances[0]=proj:europe-west1:db"]


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_classic_sidecar_in_pod_that_completes_is_refused_unless_it_ends_itself(policy: str, tmp_path: Path) -> None:
    text = pod(restartPolicy=policy)
    done = add(text, tmp_path, "cloud-sql-proxy", *CLASSIC)
    assert done.code == 1 and "error[job-never-completes]" in done.stderr
    done = add(text, tmp_path, "cloud-sql-proxy", *CLASSIC, "--set", "quitquitquit=true")
    assert done.code == 0, done.stderr
    assert run(["sidecarctl", "validate"], tmp_path, stdin=done.stdout).code == 0


INIT = [
    {"name": "wait", "image": "registry.example/wait:1.0.0"},
    {"name": "net", "image": "registry.example/net:1.0.0", "restartPolicy": "Always"},
    {"name": "migrate", "image": "registry.example/migrate:1.0.0"},
]


def names(text: str, field: str = "initContainers") -> list[str]:
    return [each["name"] for each in yaml.safe_load(text)["spec"][field]]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("first", ["log-tail", "wait", "net", "migrate"]),
        ("last", ["wait", "net", "migrate", "log-tail"]),
        ("before=net", ["wait", "log-tail", "net", "migrate"]),
        ("after=net", ["wait", "net", "log-tail", "migrate"]),
        ("before=web", ["wait", "net", "migrate", "log-tail"]),
    ],
)
def test_position_of_native_sidecar(position: str, expected: list[str], tmp_path: Path) -> None:
    text = pod(initContainers=INIT)
    done = add(text, tmp_path, "log-tail", "--position", position)
    assert done.code == 0 and names(done.stdout) == expected
    assert run(["sidecarctl", "remove", "log-tail"], tmp_path, stdin=done.stdout).stdout == text
    assert run(["sidecarctl", "add", "log-tail"], tmp_path, stdin=done.stdout).stdout == done.stdout


def test_position_of_classic_sidecar(tmp_path: Path) -> None:
    for position, expected in {
        "first": ["log-tail", "web"],
        "before=web": ["log-tail", "web"],
        "after=web": ["web", "log-tail"],
        "after=net": ["log-tail", "web"],
    }.items():
        done = add(pod(initContainers=INIT), tmp_path, "log-tail", "--mode", "classic", "--position", position)
        assert names(done.stdout, "containers") == expected, position


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--position", "after=nat"], 'no container "nat"'),
        (["--position", "after=web"], 'a native sidecar cannot start after container "web"'),
        (["--position", "before=net", "--mode", "classic"], 'a classic sidecar cannot start before container "net"'),
        (["--position", "behind"], 'invalid position "behind"'),
        (["--set", "position=middle"], "position"),
    ],
)
def test_impossible_position_is_an_error(words: list[str], message: str, tmp_path: Path) -> None:
    done = add(pod(initContainers=INIT), tmp_path, "log-tail", *words)
    assert done.code and message in done.stderr and not done.stdout


def test_init_container_that_starts_later_gets_mounts_and_variables(tmp_path: Path) -> None:
    words = [
        "cloud-sql-proxy",
        "--set",
        "instances[0]=proj:europe-west1:db",
        "--container",
        "migrate",
        "--container",
        "web",
    ]
    text = pod(initContainers=INIT)
    done = add(text, tmp_path, *words)
    assert done.code == 0, done.stderr
    spec = yaml.safe_load(done.stdout)["spec"]
    holders = [each["name"] for key in ("initContainers", "containers") for each in spec[key] if "DB_HOST" in str(each)]
    assert holders == ["migrate", "web"]
    assert run(["sidecarctl", "remove", "cloud-sql-proxy"], tmp_path, stdin=done.stdout).stdout == text


def test_glob_names_init_containers_only_if_it_matches_no_app_container(tmp_path: Path) -> None:
    for glob, expected in {"*": ["web"], "mig*": ["migrate"]}.items():
        done = add(pod(initContainers=INIT), tmp_path, "log-tail", "--container", glob)
        spec = yaml.safe_load(done.stdout)["spec"]
        holders = [
            each["name"]
            for key in ("initContainers", "containers")
            for each in spec[key]
            if each["name"] != "log-tail" and "volumeMounts" in each
        ]
        assert holders == expected


def test_init_container_that_starts_earlier_is_refused(tmp_path: Path) -> None:
    words = ["log-tail", "--container", "wait", "--position", "after=net"]
    done = add(pod(initContainers=INIT), tmp_path, *words)
    assert done.code == 1 and "error[target-starts-first]" in done.stderr and "before=wait" in done.stderr
    done = add(pod(initContainers=INIT), tmp_path, "log-tail", "--container", "wait", "--mode", "classic")
    assert done.code == 1 and "error[target-starts-first]" in done.stderr


@pytest.mark.parametrize("proxy", ["istio-proxy", "linkerd-proxy", "daprd", "consul-dataplane", "envoy-sidecar"])
def test_injected_proxy_is_no_default_target(proxy: str, tmp_path: Path) -> None:
    containers = [{"name": proxy, "image": "registry.example/proxy:1.0.0"}, *POD["spec"]["containers"]]
    done = add(pod(containers=containers), tmp_path, "log-tail")
    first, second = yaml.safe_load(done.stdout)["spec"]["containers"]
    assert "volumeMounts" not in first and "volumeMounts" in second
    done = add(pod(containers=containers), tmp_path, "log-tail", "--container", proxy)
    assert "volumeMounts" in yaml.safe_load(done.stdout)["spec"]["containers"][0]
