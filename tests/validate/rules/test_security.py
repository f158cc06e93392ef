"""Security contexts, profiles, sysctls, host namespaces and Windows."""

from __future__ import annotations

from typing import Any

import pytest
from object_cases import CONTAINER, INIT, SIDECAR, Case, controller, findings, job, places, pod, shown, template


def container(**context: Any) -> dict[str, Any]:
    return pod(containers=[{**CONTAINER, "securityContext": context}])


def windows(**spec: Any) -> dict[str, Any]:
    return pod(os={"name": "windows"}, **spec)


def options(**given: Any) -> dict[str, Any]:
    return pod(securityContext={"windowsOptions": given})


OWN = "spec.containers[0].securityContext"
SYSCTL = {"name": "kernel.sem", "value": "1"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/app"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
HOST = {"windowsOptions": {"hostProcess": True}}

CASES = [
    *(
        Case(
            f"{field} of the pod",
            "invalid-user-id",
            pod(securityContext={field: 2**31}),
            f"spec.securityContext.{field}",
            pod(securityContext={field: 2**31 - 1}),
        )
        for field in ("runAsUser", "runAsGroup", "fsGroup")
    ),
    Case(
        "a further group",
        "invalid-user-id",
        pod(securityContext={"supplementalGroups": [1, -1]}),
        "spec.securityContext.supplementalGroups[1]",
    ),
    Case("of a container", "invalid-user-id", container(runAsUser=-1), f"{OWN}.runAsUser", container(runAsUser=0)),
    Case(
        "privileged",
        "privilege-escalation-conflict",
        container(privileged=True, allowPrivilegeEscalation=False),
        f"{OWN}.allowPrivilegeEscalation",
        container(privileged=True, allowPrivilegeEscalation=True),
    ),
    Case(
        "an administrator",
        "privilege-escalation-conflict",
        container(capabilities={"add": ["CAP_SYS_ADMIN"]}, allowPrivilegeEscalation=False),
        f"{OWN}.allowPrivilegeEscalation",
        container(capabilities={"add": ["SYS_ADMIN"]}, allowPrivilegeEscalation=False),
    ),
    Case(
        "with the host's users",
        "unmasked-proc",
        container(procMount="Unmasked"),
        f"{OWN}.procMount",
        pod(hostUsers=False, containers=[{**CONTAINER, "securityContext": {"procMount": "Unmasked"}}]),
    ),
    Case(
        "no file",
        "invalid-seccomp-profile",
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        "spec.securityContext.seccompProfile.localhostProfile",
        pod(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b..c"}}),
    ),
    Case(
        "an absolute path",
        "invalid-seccomp-profile",
        container(seccompProfile={"type": "Localhost", "localhostProfile": "/a"}),
        f"{OWN}.seccompProfile.localhostProfile",
    ),
    Case(
        "a path with ..",
        "invalid-seccomp-profile",
        container(seccompProfile={"type": "Localhost", "localhostProfile": "a/../b"}),
        f"{OWN}.seccompProfile.localhostProfile",
    ),
    Case(
        "localhostProfile with type RuntimeDefault",
        "invalid-seccomp-profile",
        container(seccompProfile={"type": "RuntimeDefault", "localhostProfile": "a"}),
        f"{OWN}.seccompProfile.localhostProfile",
        container(seccompProfile={"type": "RuntimeDefault"}),
    ),
    Case(
        "no name",
        "invalid-apparmor-profile",
        container(appArmorProfile={"type": "Localhost"}),
        f"{OWN}.appArmorProfile.localhostProfile",
        container(appArmorProfile={"type": "Localhost", "localhostProfile": "web"}),
    ),
    Case(
        "a profile name with whitespace",
        "invalid-apparmor-profile",
        pod(securityContext={"appArmorProfile": {"type": "Localhost", "localhostProfile": " web"}}),
        "spec.securityContext.appArmorProfile.localhostProfile",
    ),
    Case(
        "localhostProfile with type Unconfined",
        "invalid-apparmor-profile",
        pod(securityContext={"appArmorProfile": {"type": "Unconfined", "localhostProfile": "web"}}),
        "spec.securityContext.appArmorProfile.localhostProfile",
    ),
    *(
        Case(
            field,
            "host-users-conflict",
            pod(**{"hostUsers": False, field: True}),
            f"spec.{field}",
            pod(**{field: True}),
        )
        for field in ("hostNetwork", "hostPID", "hostIPC")
    ),
    Case(
        "and the host's",
        "shared-process-namespace-conflict",
        pod(shareProcessNamespace=True, hostPID=True),
        "spec.shareProcessNamespace",
        pod(shareProcessNamespace=False, hostPID=True),
    ),
    Case(
        "a name",
        "invalid-sysctl",
        pod(securityContext={"sysctls": [{"name": "Net.core", "value": "1"}]}),
        "spec.securityContext.sysctls[0].name",
        pod(securityContext={"sysctls": [{"name": "net/ipv4/tcp_syncookies", "value": "1"}]}),
    ),
    Case(
        "twice",
        "invalid-sysctl",
        pod(securityContext={"sysctls": [SYSCTL, SYSCTL]}),
        "spec.securityContext.sysctls[1].name",
        pod(securityContext={"sysctls": [SYSCTL]}),
    ),
    Case(
        "of the host's network",
        "invalid-sysctl",
        pod(hostNetwork=True, securityContext={"sysctls": [{"name": "net/ipv4.a", "value": "1"}]}),
        "spec.securityContext.sysctls[0].name",
        pod(hostNetwork=True, securityContext={"sysctls": [SYSCTL]}),
    ),
    Case(
        "of the host's IPC",
        "invalid-sysctl",
        pod(hostIPC=True, securityContext={"sysctls": [SYSCTL]}),
        "spec.securityContext.sysctls[0].name",
    ),
    Case(
        "an annotation for an unknown container",
        "invalid-profile-annotation",
        pod({"annotations": {APPARMOR + "x": "runtime/default"}}),
        f"metadata.annotations[{APPARMOR}x]",
        pod({"annotations": {APPARMOR: "runtime/default"}}),
    ),
    Case(
        "no AppArmor profile",
        "invalid-profile-annotation",
        pod({"annotations": {APPARMOR: "default"}}),
        f"metadata.annotations[{APPARMOR}]",
        pod({"annotations": {APPARMOR: "localhost/web"}}),
    ),
    Case(
        "no seccomp profile",
        "invalid-profile-annotation",
        pod({"annotations": {SECCOMP: "default"}}),
        f"metadata.annotations[{SECCOMP}]",
        pod({"annotations": {SECCOMP: "docker/default"}}),
    ),
    Case(
        "a seccomp profile that differs from the field",
        "invalid-profile-annotation",
        pod({"annotations": {SECCOMP: "unconfined"}}, securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
        "spec.securityContext.seccompProfile.type",
        pod({"annotations": {SECCOMP: "unconfined"}}, securityContext={"seccompProfile": {"type": "Unconfined"}}),
    ),
    Case(
        "another AppArmor profile than the container's field",
        "invalid-profile-annotation",
        {**container(appArmorProfile={"type": "Unconfined"}), "metadata": {"name": "a", "annotations": {APPARMOR: ""}}},
        f"{OWN}.appArmorProfile.type",
    ),
    *(
        Case(
            f"{field} of the pod",
            "linux-field-on-windows-pod",
            windows(**{field: value}),
            f"spec.{field}",
            pod(**{field: value}),
        )
        for field, value in (
            ("hostPID", True),
            ("hostIPC", True),
            ("hostUsers", True),
            ("shareProcessNamespace", False),
        )
    ),
    *(
        Case(
            f"{field} of the pod's context",
            "linux-field-on-windows-pod",
            windows(securityContext={field: value}),
            f"spec.securityContext.{field}",
            windows(securityContext={"runAsNonRoot": True}, hostPID=False),
        )
        for field, value in (("fsGroup", 1), ("runAsUser", 1), ("supplementalGroups", []), ("sysctls", [SYSCTL]))
    ),
    *(
        Case(
            f"{field} of a container",
            "linux-field-on-windows-pod",
            windows(containers=[{**CONTAINER, "securityContext": {field: value}}]),
            f"{OWN}.{field}",
        )
        for field, value in (("capabilities", {}), ("privileged", False), ("readOnlyRootFilesystem", False))
    ),
    Case(
        "of a container",
        "windows-field-on-linux-pod",
        pod(os={"name": "linux"}, containers=[{**CONTAINER, "securityContext": {"windowsOptions": {}}}]),
        f"{OWN}.windowsOptions",
        pod(os={"name": "linux"}, securityContext={"windowsOptions": None}),
    ),
    *(
        Case(
            repr(user),
            "invalid-windows-user",
            options(runAsUserName=user),
            "spec.securityContext.windowsOptions.runAsUserName",
            options(runAsUserName=r"CORP\web"),
        )
        for user in ("", "a\\b\\c", "a\tb", "\\a", "a\\", "...", "a:b", "x" * 105, "..\\a", "x" * 256 + "\\a")
    ),
    Case(
        "a credential's name",
        "invalid-windows-user",
        options(gmsaCredentialSpecName="A b"),
        "spec.securityContext.windowsOptions.gmsaCredentialSpecName",
    ),
    Case(
        "an empty credential spec",
        "invalid-windows-user",
        options(gmsaCredentialSpec=""),
        "spec.securityContext.windowsOptions.gmsaCredentialSpec",
        options(gmsaCredentialSpec="x" * 64 * 1024),
    ),
    Case(
        "without the host's network",
        "invalid-host-process",
        pod(securityContext=HOST),
        "spec.securityContext.windowsOptions.hostProcess",
        pod(securityContext=HOST, hostNetwork=True),
    ),
    Case(
        "only one container",
        "invalid-host-process",
        pod(hostNetwork=True, containers=[{**CONTAINER, "securityContext": HOST}], initContainers=[INIT]),
        "spec.initContainers[0]",
    ),
    Case(
        "against the pod",
        "invalid-host-process",
        pod(
            securityContext={"windowsOptions": {"hostProcess": False}},
            hostNetwork=True,
            containers=[{**CONTAINER, "securityContext": HOST}],
        ),
        f"{OWN}.windowsOptions.hostProcess",
    ),
    Case(
        "a container's own",
        "non-root-as-root",
        container(runAsNonRoot=True, runAsUser=0),
        f"{OWN}.runAsUser",
        container(runAsNonRoot=True, runAsUser=1),
        accepted=True,
    ),
    Case(
        "the pod's user",
        "non-root-as-root",
        pod(securityContext={"runAsUser": 0}, containers=[{**CONTAINER, "securityContext": {"runAsNonRoot": True}}]),
        "spec.securityContext.runAsUser",
        pod(
            securityContext={"runAsUser": 0, "runAsNonRoot": True},
            containers=[{**CONTAINER, "securityContext": {"runAsUser": 5}}],
        ),
        accepted=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_checks_containers_of_every_role() -> None:
    bad = {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False, "runAsUser": -1}}
    document = controller(
        "Deployment",
        template=template(
            initContainers=[{**INIT, **bad}, {**SIDECAR, **bad}],
            containers=[{**CONTAINER, **bad}],
        ),
    )
    found = {(one.rule, one.container, one.role) for one in findings(document)}
    for name, role in (("setup", "init"), ("logger", "sidecar"), ("app", "app")):
        assert {("privilege-escalation-conflict", name, role), ("invalid-user-id", name, role)} <= found


def test_checks_profiles_and_namespaces_by_version() -> None:
    unmasked = container(procMount="Unmasked")
    assert findings(unmasked, "1.33")
    assert findings(unmasked, "1.32") == [], "the field is dropped there"
    shared = pod(hostUsers=False, hostPID=True)
    assert findings(shared, "1.33")
    assert findings(shared, "1.32") == []
    sysctls = pod(hostIPC=True, securityContext={"sysctls": [SYSCTL]})
    assert findings(sysctls, "1.29")
    assert findings(sysctls, "1.28") == []


def test_block_devices_conflict_with_host_users_since_1_34() -> None:
    volume = {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}
    device = {"volumeDevices": [{"name": "disk", "devicePath": "/dev/x"}]}
    document = pod(hostUsers=False, volumes=[volume], containers=[{**CONTAINER, **device}])
    assert [shown(one.path) for one in findings(document, "1.34")] == ["spec.containers[0].volumeDevices"]
    assert findings(document, "1.33") == []


def test_non_root_conflict_is_reported_once_per_container() -> None:
    document = job(
        template=template(
            restartPolicy="Never",
            securityContext={"runAsNonRoot": True, "runAsUser": 0},
            initContainers=[INIT],
        )
    )
    assert len(findings(document, names=["non-root-as-root"])) == 2
