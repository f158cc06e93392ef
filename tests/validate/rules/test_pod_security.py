"""The rule pod-security agrees with the admission plugin on levels, versions, and fields."""

from __future__ import annotations

import json
from typing import Any

import oracle
import pytest
from advice_helpers import found, pod, where
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecarctl.errors import UsageError
from sidecarctl.validate.pod_security import CHECKS, find_violations, parse_level, parse_version
from sidecarctl.validate.views import StreamView

HARD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SAFE = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
APP = "containers[0].securityContext"


def restricted(*containers: dict[str, Any], version: str = "1.34", **parts: Any) -> list[str]:
    parts.setdefault("securityContext", SAFE)
    hard = [{"securityContext": HARD, **one} for one in containers or ({},)]
    return where("pod-security", pod(*hard, **parts), version, pod_security="restricted")


def baseline(*containers: dict[str, Any], version: str = "1.34", **parts: Any) -> list[str]:
    return where("pod-security", pod(*containers, **parts), version, pod_security="baseline")


def test_checks_nothing_without_level() -> None:
    assert where("pod-security", pod({"securityContext": {"privileged": True}})) == []


def test_hardened_pod_passes_restricted() -> None:
    assert restricted() == []


@pytest.mark.parametrize(
    ("container", "place"),
    [
        ({"securityContext": {"privileged": True}}, f"{APP}.privileged"),
        ({"securityContext": {"capabilities": {"add": ["CHOWN", "NET_RAW"]}}}, f"{APP}.capabilities.add[1]"),
        ({"securityContext": {"procMount": "Unmasked"}}, f"{APP}.procMount"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, f"{APP}.seccompProfile.type"),
        ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, f"{APP}.appArmorProfile.type"),
        ({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, f"{APP}.seLinuxOptions.type"),
        ({"securityContext": {"seLinuxOptions": {"user": "u"}}}, f"{APP}.seLinuxOptions.user"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, f"{APP}.windowsOptions.hostProcess"),
        ({"ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]}, "containers[0].ports[1].hostPort"),
        (
            {"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}},
            "containers[0].livenessProbe.httpGet.host",
        ),
        (
            {"lifecycle": {"preStop": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}},
            "containers[0].lifecycle.preStop.tcpSocket.host",
        ),
    ],
)
def test_baseline_rejects_container_settings(container: dict[str, Any], place: str) -> None:
    assert baseline(container) == [place]
    assert place in restricted({**container, "securityContext": {**HARD, **container.get("securityContext", {})}})


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volumes[0].hostPath"),
        (
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            "securityContext.sysctls[0].name",
        ),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "securityContext.seccompProfile.type"),
    ],
)
def test_baseline_rejects_pod_settings(spec: dict[str, Any], place: str) -> None:
    assert baseline(**spec) == [place]


def test_baseline_rejects_unconfined_apparmor_annotation() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/app"
    assert baseline(metadata={"annotations": {key: "unconfined"}}) == [f"metadata.annotations.{key}"]
    assert baseline(metadata={"annotations": {key: "localhost/x"}}) == []


@pytest.mark.parametrize(
    "container",
    [
        {"securityContext": {"privileged": False, "capabilities": {"add": ["NET_BIND_SERVICE"]}}},
        {"securityContext": {"seLinuxOptions": {"type": "container_t", "level": "s0"}}},
        {"securityContext": None, "ports": [{"containerPort": 80, "hostPort": 0}]},
        {"livenessProbe": {"httpGet": {"port": 80, "host": ""}}},
    ],
)
def test_baseline_accepts_common_settings(container: dict[str, Any]) -> None:
    assert baseline(container) == []


@pytest.mark.parametrize(
    ("context", "places"),
    [
        ({}, ["allowPrivilegeEscalation", "capabilities.drop"]),
        ({**HARD, "allowPrivilegeEscalation": True}, ["allowPrivilegeEscalation"]),
        ({**HARD, "capabilities": {"drop": ["NET_RAW"]}}, ["capabilities.drop"]),
        (
            {**HARD, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}},
            ["capabilities.add[1]"],
        ),
        ({**HARD, "runAsNonRoot": False}, ["runAsNonRoot"]),
        ({**HARD, "runAsUser": 0}, ["runAsUser"]),
        ({**HARD, "seccompProfile": {"type": "Unconfined"}}, ["seccompProfile.type"]),
    ],
)
def test_restricted_checks_each_container(context: dict[str, Any], places: list[str]) -> None:
    assert restricted({"securityContext": context}) == [f"{APP}.{place}" for place in places]


def test_missing_setting_is_reported_at_each_container() -> None:
    assert restricted({}, {"securityContext": {**HARD, **SAFE}}, securityContext={}) == [
        f"{APP}.runAsNonRoot",
        f"{APP}.seccompProfile",
    ]


def test_pod_setting_is_not_repeated_for_containers() -> None:
    wrong = {"runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}}
    assert restricted({}, {}, securityContext=wrong) == [
        "securityContext.runAsNonRoot",
        "securityContext.seccompProfile.type",
    ]


@pytest.mark.parametrize("role", ["init", "native", "classic"])
def test_checks_sidecars_and_init_containers(role: str) -> None:
    bad = {"securityContext": {**HARD, "privileged": True}}
    (finding,) = found(
        "pod-security",
        pod({"securityContext": HARD}, securityContext=SAFE, **{role: bad if role == "classic" else (bad,)}),
        pod_security="restricted",
    )
    assert finding.role == {"init": "init", "native": "sidecar", "classic": "classic"}[role]
    assert finding.path[-1] == "privileged"


def test_checks_ephemeral_containers() -> None:
    debug = {"name": "debug", "image": "x:1.0", "securityContext": {**HARD, "privileged": True}}
    assert restricted(ephemeralContainers=[debug]) == ["ephemeralContainers[0].securityContext.privileged"]


def test_restricted_reports_volume_type_once() -> None:
    volumes = [
        {"name": "a", "nfs": {"server": "s", "path": "/"}},
        {"name": "b", "hostPath": {"path": "/"}},
        {"name": "c"},
    ]
    assert restricted(volumes=volumes) == ["volumes[0].nfs", "volumes[1].hostPath"]


@pytest.mark.parametrize(
    ("version", "refused"), [("1.33", False), ("1.34", True), ("1.37", True)], ids=lambda value: str(value)
)
def test_checks_probe_hosts_since_1_34(version: str, refused: bool) -> None:
    probe = {"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}
    assert bool(baseline(probe, version=version)) is refused


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("net.ipv4.tcp_syncookies", 25),
        ("net.ipv4.ip_local_reserved_ports", 27),
        ("net.ipv4.tcp_fin_timeout", 29),
        ("net.ipv4.tcp_rmem", 32),
        ("net.ipv4.tcp_notsent_lowat", 37),
    ],
)
def test_sysctls_are_safe_since_version(name: str, since: int) -> None:
    spec = {"securityContext": {"sysctls": [{"name": name, "value": "1"}]}}
    refused = [minor for minor in range(25, 38) if baseline(version=f"1.{minor}", **spec)]
    assert refused == list(range(25, since))


def test_user_namespace_relaxes_restricted_since_1_35() -> None:
    root = {"securityContext": {**HARD, "runAsUser": 0, "runAsNonRoot": False}}
    assert restricted(root, hostUsers=False, version="1.34") == [f"{APP}.runAsNonRoot", f"{APP}.runAsUser"]
    assert restricted(root, hostUsers=False, version="1.35") == []
    unmasked = {"securityContext": {**HARD, "procMount": "Unmasked"}}
    assert baseline(unmasked, hostUsers=False, version="1.34") == [f"{APP}.procMount"]
    assert baseline(unmasked, hostUsers=False, version="1.35") == []
    assert restricted(unmasked, hostUsers=False, version="1.35") == [f"{APP}.procMount"]


def test_windows_pod_needs_no_linux_settings() -> None:
    context = {"runAsNonRoot": True}
    assert restricted({"securityContext": {}}, securityContext=context, os={"name": "windows"}) == []


def test_supports_older_standard_versions_only() -> None:
    probe = pod({"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}})

    def refused(target: str, version: str) -> bool:
        return bool(where("pod-security", probe, target, pod_security="baseline", pod_security_version=version))

    assert refused("1.37", "latest")
    assert not refused("1.37", "v1.33")
    assert not refused("1.33", "latest")
    assert not refused("1.33", "v1.34")


@pytest.mark.parametrize(("text", "minor"), [("latest", 37), ("", 37), ("v1.22", 22), ("1.30", 30), ("v1.99", 37)])
def test_parses_namespace_version_labels(text: str, minor: int) -> None:
    assert parse_version(text) == minor


@pytest.mark.parametrize("text", ["v2.0", "newest", "1", "v1.x"])
def test_another_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid Pod Security version"):
        parse_version(text)


def test_unknown_level_gets_suggestion() -> None:
    assert parse_level("baseline") == "baseline"
    with pytest.raises(UsageError) as caught:
        parse_level("restrictive")
    assert "restricted" in caught.value.hint


def test_finding_has_level_check_line_and_fix() -> None:
    (finding,) = found("pod-security", "hostNetwork: true\n", pod_security="baseline")
    assert finding.message == "hostNetwork is true (Pod Security baseline: hostNamespaces)"
    assert (finding.place.line, finding.place.column) == (6, 16) if finding.place else False
    assert finding.help == "remove the field"


# ---- the admission plugin itself -------------------------------------------------------------------------------------

_PROFILE = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Localhost", "localhostProfile": "p"}, {"type": "Unconfined"}]
)
_SELINUX = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", "spc_t"]
        ),
        "user": st.sampled_from(["", "u"]),
        "role": st.sampled_from(["", "r"]),
        "level": st.just("s0"),
    },
)
_BOOL = st.sampled_from([True, False, None])
_CAPABILITIES = st.sampled_from(["ALL", "NET_BIND_SERVICE", "CHOWN", "NET_RAW", "SYS_ADMIN", "all"])
_COMMON = {
    "runAsNonRoot": _BOOL,
    "runAsUser": st.sampled_from([0, 1000, None]),
    "seccompProfile": _PROFILE,
    "appArmorProfile": _PROFILE,
    "seLinuxOptions": _SELINUX,
    "windowsOptions": st.fixed_dictionaries({}, optional={"hostProcess": _BOOL}),
}
_OF_CONTAINER = st.fixed_dictionaries(
    {},
    optional={
        **_COMMON,
        "privileged": _BOOL,
        "allowPrivilegeEscalation": _BOOL,
        "procMount": st.sampled_from(["Default", "Unmasked", None]),
        "capabilities": st.fixed_dictionaries(
            {}, optional={"add": st.lists(_CAPABILITIES, max_size=2), "drop": st.lists(_CAPABILITIES, max_size=2)}
        ),
    },
)
_SYSCTL = st.sampled_from(
    ["kernel.shm_rmid_forced", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_rmem", "net.ipv4.tcp_fin_timeout",
     "net.ipv4.tcp_notsent_lowat", "kernel.msgmax"]
)  # fmt: skip
_OF_POD = st.fixed_dictionaries(
    {},
    optional={**_COMMON, "sysctls": st.lists(_SYSCTL.map(lambda name: {"name": name, "value": "1"}), max_size=2)},
)
_HOST = st.sampled_from(["", "10.0.0.1", None])
_PROBE = st.one_of(
    _HOST.map(lambda host: {"httpGet": {"port": 80, "host": host}}),
    _HOST.map(lambda host: {"tcpSocket": {"port": 80, "host": host}}),
)
_VOLUME = st.sampled_from(
    [{}, {"emptyDir": {}}, {"hostPath": {"path": "/x"}}, {"nfs": {"server": "s", "path": "/"}},
     {"configMap": {"name": "c"}}, {"secret": {"secretName": "s"}}, {"csi": {"driver": "d"}}, {"hostPath": None},
     {"image": {"reference": "x:1"}}, {"gitRepo": {"repository": "r"}}, {"flexVolume": {"driver": "d"}},
     {"storageos": {}}, {"portworxVolume": {"volumeID": "v"}}, {"downwardAPI": {}}, {"projected": {"sources": []}},
     {"persistentVolumeClaim": {"claimName": "c"}}, {"rbd": {"image": "i", "monitors": ["m"]}},
     {"scaleIO": {"gateway": "g", "system": "s", "secretRef": {"name": "n"}}}, {"azureFile": {"secretName": "s", "shareName": "n"}}]
)  # fmt: skip


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    def container(name: str, **more: Any) -> dict[str, Any]:
        parts = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "securityContext": st.none() | _OF_CONTAINER,
                    "ports": st.lists(
                        st.sampled_from([None, 0, 8080]).map(lambda port: {"containerPort": 8080, "hostPort": port}),
                        max_size=1,
                    ),
                    "livenessProbe": _PROBE,
                    "startupProbe": _PROBE,
                    "lifecycle": st.fixed_dictionaries({}, optional={"preStop": _PROBE, "postStart": _PROBE}),
                },
            )
        )
        return {"name": name, "image": "x:1.0", **more, **parts}

    spec: dict[str, Any] = {"containers": [container("app")]}
    if draw(st.booleans()):
        spec["initContainers"] = [container("side", restartPolicy=draw(st.sampled_from(["Always", None])))]
    if draw(st.booleans()):
        spec["ephemeralContainers"] = [container("debug")]
    spec |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "securityContext": st.none() | _OF_POD,
                "hostUsers": _BOOL,
                "hostNetwork": _BOOL,
                "hostPID": _BOOL,
                "hostIPC": _BOOL,
                "os": st.sampled_from([{"name": "windows"}, {"name": "linux"}, None]),
                "volumes": st.lists(_VOLUME, max_size=2).map(
                    lambda sources: [{"name": f"v{index}", **one} for index, one in enumerate(sources)]
                ),
            },
        )
    )
    values = st.sampled_from(["unconfined", "runtime/default", "docker/default", "localhost/x", ""])
    annotations = draw(
        st.dictionaries(
            st.sampled_from(
                [
                    "seccomp.security.alpha.kubernetes.io/pod",
                    "container.seccomp.security.alpha.kubernetes.io/app",
                    "container.apparmor.security.beta.kubernetes.io/app",
                    "container.apparmor.security.beta.kubernetes.io/no",
                ]
            ),
            values,
            max_size=2,
        )
    )
    metadata = {"name": "example", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


VERSIONS = (1, 8, 18, 19, 22, 23, 24, *range(25, 38))


def own_verdict(document: dict[str, Any], level: str, minor: int) -> set[str]:
    (view,) = StreamView([document]).pods
    return {check.id for check, _ in find_violations(view, level, minor)}


@pytest.mark.e2e
@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "built")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(pods(), min_size=40, max_size=40))
def test_checks_agree_with_admission_plugin(
    documents: list[dict[str, Any]],
) -> None:
    versions = {f"v1.{minor}": minor for minor in VERSIONS}
    answers = oracle.verdicts([json.dumps(one) for one in documents], pod_security_versions=list(versions))
    for document, answer in zip(documents, answers, strict=True):
        for version, minor in versions.items():
            theirs = answer.pod_security_at[version]
            for level, checks in (("baseline", theirs.baseline), ("restricted", theirs.restricted)):
                wanted = {check.check for check in checks}
                if document["spec"].get("hostNetwork"):
                    wanted -= {"hostPorts"} - own_verdict(document, level, minor)  # filled in: one cause, one finding
                assert own_verdict(document, level, minor) == wanted, (level, version)


def test_table_has_each_check_once() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 19
    assert all(list(check.versions) == sorted(check.versions, key=lambda one: one[0]) for check in CHECKS)
