"""Rules about mounts and block devices."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, findings, list_findings, manifest, places

ROLES = tuple(LISTS)
VOLUMES = """
volumes:
- {name: data, emptyDir: {}}
- {name: cache, emptyDir: {}}
- {name: disk, persistentVolumeClaim: {claimName: disk}}
- {name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
"""


def mounting(*mounts: str, role: str = "app", more: str = "") -> str:
    listed = ", ".join(f"{{{mount}}}" for mount in mounts)
    return container(f"volumeMounts: [{listed}]{more}", role, more=VOLUMES)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("mount", "bad"),
    [
        ("name: data, mountPath: /a", False),
        ("name: dta, mountPath: /a", True),
        ("name: '', mountPath: /a", True),
        ("name: null, mountPath: /a", False),
        ("name: 5, mountPath: /a", False),
    ],
)
def test_mount_needs_volume_in_every_role(role: str, mount: str, bad: bool) -> None:
    found = list_findings(mounting(mount, role=role), "unknown-volume")
    assert found == [f"unknown-volume {LISTS[role]}[0].volumeMounts[0].name"] * bad


def test_device_needs_volume() -> None:
    text = container("volumeDevices: [{name: none, devicePath: /dev/a}]")
    assert list_findings(text) == ["unknown-volume containers[0].volumeDevices[0].name"]


def test_misspelled_volume_gets_suggestion() -> None:
    (one,) = findings(mounting("name: dta, mountPath: /a"))
    assert one.help == 'did you mean "data"?'


@pytest.mark.parametrize("kind", ["StatefulSet"])
def test_claim_templates_count_as_volumes(kind: str) -> None:
    spec = """
        containers:
        - name: a
          image: a
          volumeMounts: [{name: store, mountPath: /a}, {name: other, mountPath: /b}]
          volumeDevices: [{name: raw, devicePath: /dev/a}]
    """
    claims = "volumeClaimTemplates: [{metadata: {name: store}}, {metadata: {name: raw}}, {}, text]"
    assert list_findings(manifest(spec, kind=kind, more=claims)) == [
        "unknown-volume containers[0].volumeMounts[1].name"
    ]


@pytest.mark.parametrize("role", ROLES)
def test_rejects_duplicate_mount_path(role: str) -> None:
    same = mounting("name: data, mountPath: /a", "name: cache, mountPath: /a", "name: cache, mountPath: /a/", role=role)
    assert list_findings(same, "duplicate-mount-path") == [
        f"duplicate-mount-path {LISTS[role]}[0].volumeMounts[1].mountPath"
    ]
    twice = mounting("name: data, mountPath: /a", "name: data, mountPath: /b", role=role)
    assert list_findings(twice, "duplicate-mount-path") == []


def test_accepts_same_path_in_two_containers() -> None:
    one = "image: a, volumeMounts: [{name: data, mountPath: /a}]"
    assert list_findings(manifest(f"containers: [{{name: a, {one}}}, {{name: b, {one}}}]\n{VOLUMES}")) == []


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("subPath: a/b", []),
        ("subPath: ..a", []),
        ("subPath: ''", []),
        ("subPath: /a", ["subPath"]),
        ("subPath: a/../b", ["subPath"]),
        ("subPathExpr: $(A)", []),
        ("subPathExpr: /a", ["subPathExpr"]),
        ("subPathExpr: ..", ["subPathExpr"]),
        ("subPath: a, subPathExpr: b", ["subPathExpr"]),
        ("subPath: '', subPathExpr: b", []),
        ("subPath: /a, subPathExpr: ../b", ["subPath", "subPathExpr"]),
    ],
)
def test_rejects_sub_paths_outside_volume(field: str, where: list[str]) -> None:
    found = list_findings(mounting(f"name: data, mountPath: /a, {field}"))
    assert found == [f"invalid-sub-path containers[0].volumeMounts[0].{one}" for one in where]


@pytest.mark.parametrize(
    ("propagation", "security", "bad"),
    [
        ("Bidirectional", "", True),
        ("Bidirectional", ", securityContext: {privileged: false}", True),
        ("Bidirectional", ", securityContext: {privileged: true}", False),
        ("HostToContainer", "", False),
        ("None", "", False),
    ],
)
@pytest.mark.parametrize("role", ["app", "init", "sidecar"])
def test_bidirectional_propagation_needs_privileged_container(
    role: str, propagation: str, security: str, bad: bool
) -> None:
    text = mounting(f"name: data, mountPath: /a, mountPropagation: {propagation}", role=role, more=security)
    found = list_findings(text, "invalid-mount-propagation")
    assert found == [f"invalid-mount-propagation {LISTS[role]}[0].volumeMounts[0].mountPropagation"] * bad


@pytest.mark.parametrize(
    ("fields", "version", "bad"),
    [
        ("recursiveReadOnly: Enabled", "1.37", True),
        ("recursiveReadOnly: IfPossible, readOnly: false", "1.37", True),
        ("recursiveReadOnly: Disabled", "1.37", False),
        ("recursiveReadOnly: Enabled, readOnly: true", "1.37", False),
        ("recursiveReadOnly: Enabled, readOnly: true, mountPropagation: None", "1.37", False),
        ("recursiveReadOnly: Enabled, readOnly: true, mountPropagation: HostToContainer", "1.37", True),
        ("recursiveReadOnly: Enabled", "1.30", False),
        ("recursiveReadOnly: Enabled", "1.31", True),
    ],
)
def test_rejects_invalid_recursive_read_only(fields: str, version: str, bad: bool) -> None:
    found = list_findings(
        mounting(f"name: data, mountPath: /a, {fields}"), "invalid-recursive-read-only", version=version
    )
    assert found == ["invalid-recursive-read-only containers[0].volumeMounts[0].recursiveReadOnly"] * bad


@pytest.mark.parametrize(
    ("devices", "where"),
    [
        ("[{name: disk, devicePath: /dev/a}, {name: scratch, devicePath: /dev/b}]", []),
        ("[{name: cache, devicePath: /dev/a}]", ["[0].name"]),
        ("[{name: data, devicePath: /dev/a}]", ["[0].name"]),
        ("[{name: disk, devicePath: /dev/a}, {name: disk, devicePath: /dev/b}]", ["[1].name"]),
        ("[{name: disk, devicePath: /dev/a}, {name: scratch, devicePath: /dev/a}]", ["[1].devicePath"]),
        ("[{name: disk, devicePath: /data}]", ["[0].devicePath"]),
        ("[{name: disk, devicePath: ''}]", ["[0].devicePath"]),
        ("[{name: disk, devicePath: /dev/../a}]", ["[0].devicePath"]),
        ("[{name: none, devicePath: /dev/a}]", []),
    ],
)
def test_rejects_invalid_volume_devices(devices: str, where: list[str]) -> None:
    text = mounting("name: data, mountPath: /data", more=f", volumeDevices: {devices}")
    assert list_findings(text, "invalid-volume-device") == [
        f"invalid-volume-device containers[0].volumeDevices{one}" for one in where
    ]


def test_finding_is_at_name_value() -> None:
    text = manifest("containers:\n- name: a\n  image: a\n  volumeMounts:\n  - mountPath: /a\n    name: none")
    assert places(text) == ["unknown-volume 10:13"]
