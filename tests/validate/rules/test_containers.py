"""Rules about containers: that there are any, names, images, and what a role allows."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, findings, list_findings, manifest, places

ROLES = tuple(LISTS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["", "Web", "web_app", "web.app", "-web", "a" * 64])
def test_rejects_invalid_name_in_every_role(role: str, name: str) -> None:
    text = container("command: [x]", role).replace("name: one", f'name: "{name}"').replace('["one"]', f'["{name}"]')
    assert list_findings(text, "invalid-container-name") == [f"invalid-container-name {LISTS[role]}[0].name"]


@pytest.mark.parametrize("name", ["web", "0", "a-b-0", "a" * 63])
def test_accepts_dns_label(name: str) -> None:
    assert list_findings(container("command: [x]").replace("one", name), "invalid-container-name") == []


def test_leaves_missing_name_to_schema() -> None:
    assert list_findings(manifest("containers: [{image: x}, {name: , image: x}, {name: 5, image: x}]")) == []


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ("containers: [{name: a, image: x}, {name: a, image: x}]", ["containers[1].name"]),
        ("initContainers: [{name: a, image: x}, {name: a, image: x}]", ["initContainers[1].name"]),
        ("initContainers: [{name: main, image: x}]", ["initContainers[0].name"]),
        ("initContainers: [{name: main, image: x, restartPolicy: Always}]", ["initContainers[0].name"]),
        ("ephemeralContainers: [{name: main, image: x}]", ["ephemeralContainers[0].name"]),
        (
            "containers: [{name: a, image: x}, {name: a, image: x}, {name: a, image: x}]",
            ["containers[1].name", "containers[2].name"],
        ),
        ("initContainers: [{name: a, image: x}]", []),
        ("containers: [{name: '', image: x}, {name: '', image: x}, {image: x}]", []),
    ],
)
def test_rejects_duplicate_name_across_lists(spec: str, where: list[str]) -> None:
    assert list_findings(manifest(spec), "duplicate-container-name") == [
        f"duplicate-container-name {one}" for one in where
    ]


def test_duplicate_points_to_first_definition() -> None:
    (one,) = findings(manifest("initContainers: [{name: main, image: x}]"), "duplicate-container-name")
    assert one.related[0].path == ("spec", "containers", 0, "name")
    assert one.place is not None
    assert (one.place.line, one.container, one.role) == (5, "main", "init")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("fields", ["command: [x]", "image: ", "image: ''"])
def test_rejects_missing_image_in_every_role(role: str, fields: str) -> None:
    text = container("image: ''", role).replace("image: ''", fields)
    assert list_findings(text, "missing-image") == [f"missing-image {LISTS[role]}[0].image"]


def test_missing_image_is_reported_at_container() -> None:
    assert places(manifest("containers:\n- name: a"), "missing-image") == ["missing-image 6:5"]


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
@pytest.mark.parametrize(
    ("image", "bad"),
    [("nginx ", True), (" nginx", True), ("nginx\\n", True), (" ", True), ("nginx", False), ("", False)],
)
def test_rejects_whitespace_around_image(kind: str, image: str, bad: bool) -> None:
    text = container(f'image: "{image}"', kind=kind)
    assert list_findings(text, "image-whitespace") == ["image-whitespace containers[0].image"] * bad


def test_rejects_empty_container_list_and_leaves_missing_list_to_schema() -> None:
    assert list_findings(manifest("containers: []"), "no-containers") == ["no-containers containers"]
    assert list_findings("apiVersion: v1\nkind: Pod\nspec: {}", "no-containers") == []
    assert list_findings("apiVersion: v1\nkind: Pod\nspec: {containers: }", "no-containers") == []


class TestRoles:
    @pytest.mark.parametrize("field", ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"])
    @pytest.mark.parametrize("role", ROLES)
    def test_rejects_probes_and_hooks_only_on_init_containers(self, role: str, field: str) -> None:
        found = list_findings(container(f"{field}: {{}}", role), "probe-on-init-container")
        assert found == (["probe-on-init-container initContainers[0]." + field] if role == "init" else [])

    def test_ignores_null_probe(self) -> None:
        assert list_findings(container("livenessProbe: null", "init")) == []

    def test_probe_on_init_container_is_one_finding_at_key(self) -> None:
        text = manifest("initContainers:\n- name: a\n  image: a\n  livenessProbe:\n    httpGet: {port: 'x y'}")
        assert places(text) == ["probe-on-init-container 8:5"]

    @pytest.mark.parametrize(
        ("version", "severity"),
        [("1.27", None), ("1.28", "error"), ("1.33", "error"), ("1.34", "warning"), ("1.35", None)],
    )
    @pytest.mark.parametrize("role", ["app", "classic"])
    def test_restart_policy_on_app_container_by_version(self, role: str, version: str, severity: str | None) -> None:
        found = findings(container("restartPolicy: Always", role), "restart-policy-on-app-container", version=version)
        assert [one.severity.value for one in found] == ([severity] if severity else [])

    def test_accepts_restart_policy_on_init_container(self) -> None:
        assert (
            list_findings(container("command: [x]", "sidecar"), "restart-policy-on-app-container", version="1.29") == []
        )

    @pytest.mark.parametrize(("version", "found"), [("1.27", False), ("1.28", True), ("1.29", False)])
    def test_native_sidecars_are_disabled_in_1_28(self, version: str, found: bool) -> None:
        text = container("command: [x]", "sidecar")
        want = ["native-sidecar-disabled initContainers[0].restartPolicy"] * found
        assert list_findings(text, "native-sidecar-disabled", version=version) == want

    @pytest.mark.parametrize(
        ("role", "fields", "version", "where"),
        [
            ("app", "restartPolicyRules: [RULE]", "1.35", ["restartPolicyRules"]),
            ("init", "restartPolicyRules: [RULE]", "1.35", ["restartPolicyRules"]),
            ("init", "restartPolicyRules: [RULE]", "1.34", []),
            ("app", "restartPolicy: Never, restartPolicyRules: [RULE]", "1.35", []),
            ("init", "restartPolicy: Never, restartPolicyRules: [RULE]", "1.35", []),
            ("sidecar", "restartPolicyRules: [RULE]", "1.35", ["restartPolicyRules"]),
            ("sidecar", "restartPolicyRules: [RULE]", "1.36", []),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: Restart}]",
                "1.37",
                ["restartPolicyRules[0].exitCodes"],
            ),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: Stop, exitCodes: {operator: In}}]",
                "1.37",
                ["restartPolicyRules[0].action"],
            ),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In}}]",
                "1.35",
                ["restartPolicyRules[0].action"],
            ),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In}}]",
                "1.36",
                [],
            ),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: Is}}]",
                "1.37",
                ["restartPolicyRules[0].exitCodes.operator"],
            ),
            (
                "app",
                f"restartPolicy: Never, restartPolicyRules: {['RULE'] * 21}".replace("'", ""),
                "1.37",
                ["restartPolicyRules"],
            ),
            (
                "app",
                "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: MANY}}]",
                "1.37",
                ["restartPolicyRules[0].exitCodes.values"],
            ),
            ("app", "restartPolicyRules: []", "1.37", []),
        ],
    )
    def test_rejects_invalid_restart_rules(self, role: str, fields: str, version: str, where: list[str]) -> None:
        rule = "{action: Restart, exitCodes: {operator: In, values: [1]}}"
        text = container(fields.replace("RULE", rule).replace("MANY", str([1] * 256)), role)
        assert list_findings(text, "invalid-restart-rules", version=version) == [
            f"invalid-restart-rules {LISTS[role]}[0].{one}" for one in where
        ]


class TestEphemeral:
    @pytest.mark.parametrize("kind", ["Pod", "Deployment"])
    def test_rejects_ephemeral_containers_in_manifest(self, kind: str) -> None:
        text = container("command: [x]", "ephemeral", kind=kind)
        assert list_findings(text) == ["ephemeral-containers-in-manifest ephemeralContainers"]
        assert list_findings(manifest("ephemeralContainers: []", kind=kind)) == []

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ("ports: [{containerPort: 1}]", ["ports"]),
            ("ports: []", ["ports"]),
            ("ports: null", []),
            ("resources: {}", []),
            ("resources: {limits: {cpu: 1}}", ["resources"]),
            ("lifecycle: {}, startupProbe: {}", ["lifecycle", "startupProbe"]),
            ("volumeMounts: [{name: a, mountPath: /a, subPath: b}]", ["volumeMounts[0].subPath"]),
            ("volumeMounts: [{name: a, mountPath: /a, subPath: ''}]", []),
            ("targetContainerName: main", []),
            ("targetContainerName: one", ["targetContainerName"]),
            ("targetContainerName: ''", []),
        ],
    )
    def test_rejects_unsupported_ephemeral_container_fields(self, fields: str, where: list[str]) -> None:
        found = list_findings(container(fields, "ephemeral"), "invalid-ephemeral-container-field")
        assert found == [f"invalid-ephemeral-container-field ephemeralContainers[0].{one}" for one in where]
