"""Advice about sidecars: what they ask for, what they may do, how they end, and what comes from the cluster beside them."""

from __future__ import annotations

from typing import Any

import pytest
from advice_helpers import RECORD, found, pod, where

from sidecarctl.findings import Severity
from sidecarctl.kube.pod_resources import find_qos_downgrade
from sidecarctl.validate.registry import rules

BOTH = {"cpu": "100m", "memory": "64Mi"}


def asks(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


# ---- resources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "missing"),
    [
        ({}, "sidecar has no cpu or memory request"),
        (asks({"cpu": "1"}), "sidecar has no memory request"),
        (asks(limits={"memory": "1Gi"}), "sidecar has no cpu request"),
        (asks(BOTH), ""),
        (asks(limits=BOTH), ""),
        (asks({"cpu": "1"}, {"memory": "1Gi"}), ""),
    ],
)
@pytest.mark.parametrize("role", ["native", "classic"])
def test_sidecar_needs_cpu_and_memory_requests(resources: dict[str, Any], missing: str, role: str) -> None:
    parts: dict[str, Any] = {"native": {"native": (resources,)}, "classic": {"classic": resources}}[role]
    findings = found("missing-requests", pod({}, **parts))
    assert [one.message for one in findings] == ([missing] if missing else [])
    assert all(one.path[-2:] == ("resources", "requests") for one in findings)


@pytest.mark.parametrize("rule", ["missing-requests", "missing-memory-limit", "writable-root-fs"])
def test_ignores_app_and_init_containers(rule: str) -> None:
    assert where(rule, pod({}, init=({},))) == []


def test_sidecar_needs_memory_limit() -> None:
    name = "missing-memory-limit"
    assert where(name, pod(native=({},))) == ["initContainers[0].resources.limits.memory"]
    assert where(name, pod(native=(asks(BOTH, {"cpu": "1"}),))) == ["initContainers[0].resources.limits.memory"]
    assert where(name, pod(native=(asks(limits={"memory": "64Mi"}),))) == []


def test_pod_level_resources_count_by_version() -> None:
    text = pod(native=({},), resources={"requests": BOTH, "limits": BOTH})
    for name in ("missing-requests", "missing-memory-limit"):
        assert where(name, text, "1.34") == []
        assert len(where(name, text, "1.33")) == 1


GUARANTEED = {"containers": [{"name": "app", **asks(limits=BOTH)}]}


def test_sidecar_without_equal_limits_downgrades_guaranteed_pod() -> None:
    sidecar = asks({"cpu": "10m"}, {"memory": "64Mi"})
    text = pod(asks(limits=BOTH), native=(sidecar,))
    (finding,) = found("qos-downgrade", text, options={"qos-downgrade": {"Pod/example": GUARANTEED}})
    assert finding.path == ("spec", "initContainers", 0, "resources")
    assert finding.message == "QoS class changes from Guaranteed to Burstable"
    assert finding.help == "add the sidecar with --keep-qos, or set these requests and limits: sidecar {cpu: 10m}"


@pytest.mark.parametrize(
    ("sidecar", "before"),
    [(asks(limits=BOTH), GUARANTEED), (asks(BOTH), {"containers": [{"name": "app", **asks(BOTH)}]}), (asks(BOTH), {})],
    ids=["equal limits", "it was Burstable", "it was BestEffort"],
)
def test_sidecar_with_equal_limits_keeps_qos_class(sidecar: dict[str, Any], before: dict[str, Any]) -> None:
    text = pod(asks(limits=BOTH), native=(sidecar,))
    assert where("qos-downgrade", text, options={"qos-downgrade": {"Pod/example": before}}) == []


def test_skips_comparison_without_original_pod() -> None:
    assert where("qos-downgrade", pod(asks(limits=BOTH), native=({},))) == []


def test_downgrade_suggests_values_that_keep_qos_class() -> None:
    after = {**GUARANTEED, "initContainers": [{"name": "logger", "restartPolicy": "Always"}]}
    change = find_qos_downgrade(GUARANTEED, after)
    assert change is not None
    assert (change.before, change.after) == ("Guaranteed", "Burstable")
    assert [(one.container, one.path, one.resource, one.value) for one in change.shortfalls] == [
        ("logger", ("initContainers", 0, "resources"), "cpu", ""),
        ("logger", ("initContainers", 0, "resources"), "memory", ""),
    ]
    assert find_qos_downgrade(after, GUARANTEED) is None


@pytest.mark.parametrize(
    ("resources", "places"),
    [
        (asks(limits={"memory": "512m"}), [("limits", "memory", Severity.ERROR)]),
        (asks({"memory": "0.5"}), [("requests", "memory", Severity.WARNING)]),
        (asks(limits={"ephemeral-storage": "100m"}), [("limits", "ephemeral-storage", Severity.ERROR)]),
        (asks({"cpu": "512m"}, {"memory": "1000m"}), []),
        (asks({"memory": "1.5Ki"}, {"memory": "1e3"}), []),
    ],
)
def test_finds_fraction_of_a_byte(resources: dict[str, Any], places: list[tuple[str, str, Severity]]) -> None:
    findings = found("fractional-memory", pod({}, init=(resources,)))
    assert [(*one.path[-2:], one.severity) for one in findings] == places


def test_finds_fraction_of_a_byte_in_overhead() -> None:
    assert where("fractional-memory", pod(overhead={"memory": "1500m"})) == ["overhead.memory"]


# ---- rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "places"),
    [
        ({"privileged": True}, ["privileged"]),
        ({"capabilities": {"add": ["NET_ADMIN", "SYS_ADMIN"]}}, ["capabilities.add[1]"]),
        ({"privileged": False, "capabilities": {"add": ["NET_BIND_SERVICE"]}}, []),
        ({}, []),
    ],
)
def test_finds_privileged_sidecar(context: dict[str, Any], places: list[str]) -> None:
    text = pod({"securityContext": {"privileged": True}}, native=({"securityContext": context},))
    assert where("privileged-sidecar", text) == [f"initContainers[0].securityContext.{place}" for place in places]


def test_writable_root_of_sidecar_is_info() -> None:
    (finding,) = found("writable-root-fs", pod(native=({"securityContext": {"readOnlyRootFilesystem": False}},)))
    assert (finding.severity, finding.path[-1]) == (Severity.INFO, "readOnlyRootFilesystem")
    assert where("writable-root-fs", pod(native=({"securityContext": {"readOnlyRootFilesystem": True}},))) == []


@pytest.mark.parametrize(
    ("image", "floats"),
    [
        ("nginx", True),
        ("nginx:latest", True),
        ("localhost:5000/nginx", True),
        ("nginx:1.29", False),
        ("localhost:5000/team/nginx:1.29", False),
        ("nginx:latest@sha256:" + "0" * 64, False),
        ("$(IMAGE)", False),
        ("{{ image }}", False),
        ("", False),
    ],
)
def test_finds_floating_image(image: str, floats: bool) -> None:
    assert where("floating-image", pod({"image": image})) == (["containers[0].image"] if floats else [])


def test_floating_image_is_warning_for_sidecars_and_off_for_apps() -> None:
    text = pod({"image": "a"}, native=({"image": "b"},), classic={"image": "c"})
    findings = found("floating-image", text) + found("floating-sidecar-image", text)
    assert [(one.rule, one.role, one.severity) for one in findings] == [
        ("floating-image", "app", Severity.INFO),
        ("floating-sidecar-image", "sidecar", Severity.WARNING),
        ("floating-sidecar-image", "classic", Severity.WARNING),
    ]
    assert (rules()["floating-image"].on, rules()["floating-sidecar-image"].on) == (False, True)


# ---- endings ---------------------------------------------------------------------------------------------------------


def job(*containers: dict[str, Any], kind: str = "Job", annotations: dict[str, str] | None = None, **spec: Any) -> str:
    apps = [{"name": f"c{index}", "image": "x:1.0", **one} for index, one in enumerate(containers)]
    template = {"metadata": {"annotations": annotations or {}}, "spec": {"containers": apps, **spec}}
    body: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        body = {"schedule": "@daily", "jobTemplate": {"spec": body}}
    return f"apiVersion: batch/v1\nkind: {kind}\nmetadata: {{name: report}}\nspec: {body!r}\n".replace("True", "true")


class TestJobs:
    NAME = "job-never-completes"
    FLUENT_BIT: dict[str, Any] = {"image": "cr.fluentbit.io/fluent/fluent-bit:4.2.0"}  # noqa: RUF012

    @pytest.mark.parametrize(("kind", "steps"), [("Job", ""), ("CronJob", "jobTemplate.spec.")])
    def test_job_with_classic_sidecar_never_completes(self, kind: str, steps: str) -> None:
        text = job({}, {"name": "logger"}, kind=kind, annotations={"sidecarctl.dev/sidecars": RECORD})
        (finding,) = found(self.NAME, text)
        assert finding.severity is Severity.ERROR
        assert f"{steps}template.spec" in ".".join(map(str, finding.path))
        assert finding.container == "logger"

    def test_job_with_known_server_is_warning(self) -> None:
        (finding,) = found(self.NAME, job({}, self.FLUENT_BIT))
        assert (finding.severity, finding.container) == (Severity.WARNING, "c1")

    @pytest.mark.parametrize(
        "containers",
        [
            ({},),
            ({}, {}),
            (FLUENT_BIT,),
            ({}, {**FLUENT_BIT, "command": ["sh", "-c", "run-until-done"]}),
            ({}, {"image": "x/cloud-sql-proxy:2.25.3", "args": ["--quitquitquit"]}),
        ],
        ids=["alone", "two apps", "the server is the app", "its own command", "told how to quit"],
    )
    def test_accepts_jobs_that_complete(self, containers: tuple[dict[str, Any], ...]) -> None:
        assert where(self.NAME, job(*containers)) == []

    def test_accepts_app_that_can_stop_other_containers(self) -> None:
        assert where(self.NAME, job({}, self.FLUENT_BIT, shareProcessNamespace=True)) == []

    def test_ignores_other_workloads(self) -> None:
        assert where(self.NAME, pod({}, self.FLUENT_BIT)) == []


def before_stop(**handler: Any) -> dict[str, Any]:
    return {"lifecycle": {"preStop": handler}}


def command(*words: str) -> dict[str, Any]:
    return before_stop(exec={"command": list(words)})


@pytest.mark.parametrize(
    ("hook", "place"),
    [
        (command("nginx", "-s", "quit"), "exec.command"),
        (command("/bin/sh", "-c", "sleep 5; kill -TERM 1"), "exec.command"),
        (command("pkill", "envoy"), "exec.command"),
        (command("curl", "-XPOST", "http://127.0.0.1:15000/quitquitquit"), "exec.command"),
        (before_stop(httpGet={"path": "/quitquitquit", "port": 9091}), "httpGet.path"),
        (command("sh", "-c", "while nc -z localhost 8080; do sleep 1; done; kill 1"), ""),
        (command("sleep", "10"), ""),
        (command("sh", "-c", "echo skill > /tmp/killed"), ""),
        (before_stop(httpGet={"path": "/drain", "port": 15000}), ""),
        (before_stop(sleep={"seconds": 5}), ""),
        ({}, ""),
    ],
)
def test_finds_hook_that_stops_native_sidecar(hook: dict[str, Any], place: str) -> None:
    places = where("self-stopping-prestop", pod({}, native=(hook,)))
    assert places == ([f"initContainers[0].lifecycle.preStop.{place}"] if place else [])


def test_accepts_app_that_stops_itself() -> None:
    assert where("self-stopping-prestop", pod(command("nginx", "-s", "quit"))) == []


@pytest.mark.parametrize(
    ("hook", "grace", "place"),
    [
        (command("sleep", "30"), None, "exec.command"),
        (command("sh", "-c", "sleep 20; sleep 15"), None, "exec.command"),
        (command("/bin/sleep", "1m"), 60, "exec.command"),
        (before_stop(sleep={"seconds": 30}), 30, "sleep.seconds"),
        (before_stop(sleep={"seconds": 40}), 30, ""),
        (command("sleep", "29"), None, ""),
        (command("sleep", "60"), 90, ""),
        (command("sh", "-c", "while true; do sleep 60; done"), None, ""),
        (command("echo", "usleep 60"), None, ""),
        (before_stop(sleep={"seconds": 0}), 0, ""),
    ],
)
def test_finds_hook_longer_than_grace_period(hook: dict[str, Any], grace: int | None, place: str) -> None:
    spec = {} if grace is None else {"terminationGracePeriodSeconds": grace}
    places = where("grace-too-short", pod(hook, **spec))
    assert places == ([f"containers[0].lifecycle.preStop.{place}"] if place else [])


def test_sidecar_hook_counts_against_grace_period() -> None:
    (finding,) = found("grace-too-short", pod({}, native=(command("sleep", "45"),)))
    assert (finding.role, finding.message) == ("sidecar", "preStop hook sleeps 45 seconds (grace period: 30 seconds)")


# ---- what the cluster adds -------------------------------------------------------------------------------------------

ISTIO = {"labels": {"sidecar.istio.io/inject": "true"}}
LINKERD = {"annotations": {"linkerd.io/inject": "enabled"}}
CONSUL = {"annotations": {"consul.hashicorp.com/connect-inject": "true"}}


@pytest.mark.parametrize(("metadata", "uid"), [(ISTIO, 1337), (LINKERD, 2102), (CONSUL, 5995)])
def test_finds_container_with_uid_of_mesh_proxy(metadata: dict[str, Any], uid: int) -> None:
    clash = {"securityContext": {"runAsUser": uid}}
    assert where("mesh-uid-clash", pod(clash, metadata=metadata)) == ["containers[0].securityContext.runAsUser"]
    assert where("mesh-uid-clash", pod({}, metadata=metadata, **clash)) == ["securityContext.runAsUser"]
    assert where("mesh-uid-clash", pod(native=(clash,), metadata=metadata)) == [
        "initContainers[0].securityContext.runAsUser"
    ]
    assert where("mesh-uid-clash", pod({}, init=(clash,), metadata=metadata)) == []
    assert where("mesh-uid-clash", pod(clash)) == []


def test_accepts_uid_of_injected_proxy() -> None:
    own = {"securityContext": {"runAsUser": 1337}}
    text = pod(own, native=({"name": "istio-proxy", **own},))
    assert where("mesh-uid-clash", text) == ["containers[0].securityContext.runAsUser"]


@pytest.mark.parametrize("value", ["false", "disabled", ""])
def test_ignores_pod_that_opts_out_of_mesh(value: str) -> None:
    metadata = {"annotations": {"linkerd.io/inject": value}}
    assert where("mesh-uid-clash", pod({"securityContext": {"runAsUser": 2102}}, metadata=metadata)) == []


def test_finds_container_with_port_of_mesh_proxy() -> None:
    def on(number: int, **more: Any) -> dict[str, Any]:
        return {"ports": [{"containerPort": number, **more}]}

    assert where("mesh-port-clash", pod(on(15001), metadata=ISTIO)) == ["containers[0].ports[0].containerPort"]
    assert where("mesh-port-clash", pod(on(15001), metadata=LINKERD)) == []
    assert where("mesh-port-clash", pod(on(8080), metadata=ISTIO)) == []
    assert where("mesh-port-clash", pod(on(15001, protocol="UDP"), metadata=ISTIO)) == []


def test_foreign_injector_is_info() -> None:
    (finding,) = found("foreign-injector", pod(native=({},), metadata=LINKERD))
    assert finding.severity is Severity.INFO
    assert finding.path == ("metadata", "annotations", "linkerd.io/inject")
    assert where("foreign-injector", pod({}, metadata=LINKERD)) == []
    assert where("foreign-injector", pod(native=({},))) == []


def test_injector_of_existing_container_is_warning() -> None:
    (finding,) = found("foreign-injector", pod({}, {"name": "linkerd-proxy"}, metadata=LINKERD))
    assert finding.severity is Severity.WARNING
    done = {"annotations": {"linkerd.io/inject": "enabled", "linkerd.io/proxy-version": "x"}}
    assert where("foreign-injector", pod({}, {"name": "linkerd-proxy"}, metadata=done)) == []
