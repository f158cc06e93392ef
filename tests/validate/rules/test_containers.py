"""Rules about containers: that there are any, names, images, and what a role allows."""

from __future__ import annotations

import pytest
from pod_kit import LISTS, container, findings, manifest, places, said

ROLES = tuple(LISTS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["", "Web", "web_app", "web.app", "-web", "a" * 64])
def test_a_name_that_is_no_dns_label_is_found_in_every_role(role: str, name: str) -> None:
    text = container("command: [x]", role).replace("name: one", f'name: "{name}"').replace('["one"]', f'["{name}"]')
    assert said(text, "invalid-container-name") == [f"invalid-container-name {LISTS[role]}[0].name"]


@pytest.mark.parametrize("name", ["web", "0", "a-b-0", "a" * 63])
def test_a_dns_label_is_a_name(name: str) -> None:
    assert said(container("command: [x]").replace("one", name), "invalid-container-name") == []


def test_a_name_that_is_missing_is_the_schema_s_to_tell() -> None:
    assert said(manifest("containers: [{image: x}, {name: , image: x}, {name: 5, image: x}]")) == []


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
def test_a_name_stands_for_one_container_in_all_lists(spec: str, where: list[str]) -> None:
    assert said(manifest(spec), "duplicate-container-name") == [f"duplicate-container-name {one}" for one in where]


def test_a_duplicate_is_shown_with_the_first() -> None:
    (one,) = findings(manifest("initContainers: [{name: main, image: x}]"), "duplicate-container-name")
    assert one.related[0].path == ("spec", "containers", 0, "name")
    assert one.place is not None
    assert (one.place.line, one.container, one.role) == (5, "main", "init")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("fields", ["command: [x]", "image: ", "image: ''"])
def test_an_image_has_to_be_named_in_every_role(role: str, fields: str) -> None:
    text = container("image: ''", role).replace("image: ''", fields)
    assert said(text, "missing-image") == [f"missing-image {LISTS[role]}[0].image"]


def test_a_missing_image_is_shown_at_the_container() -> None:
    assert places(manifest("containers:\n- name: a"), "missing-image") == ["missing-image 6:5"]


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
@pytest.mark.parametrize(
    ("image", "bad"),
    [("nginx ", True), (" nginx", True), ("nginx\\n", True), (" ", True), ("nginx", False), ("", False)],
)
def test_white_space_around_an_image_is_found(kind: str, image: str, bad: bool) -> None:
    text = container(f'image: "{image}"', kind=kind)
    assert said(text, "image-whitespace") == ["image-whitespace containers[0].image"] * bad


def test_an_empty_list_of_containers_is_found_and_a_missing_one_left_to_the_schema() -> None:
    assert said(manifest("containers: []"), "no-containers") == ["no-containers containers"]
    assert said("apiVersion: v1\nkind: Pod\nspec: {}", "no-containers") == []
    assert said("apiVersion: v1\nkind: Pod\nspec: {containers: }", "no-containers") == []


class TestRoles:
    @pytest.mark.parametrize("field", ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"])
    @pytest.mark.parametrize("role", ROLES)
    def test_only_ordinary_init_containers_are_refused_probes_and_hooks(self, role: str, field: str) -> None:
        found = said(container(f"{field}: {{}}", role), "probe-on-init-container")
        assert found == (["probe-on-init-container initContainers[0]." + field] if role == "init" else [])

    def test_a_probe_that_is_null_is_none(self) -> None:
        assert said(container("livenessProbe: null", "init")) == []

    def test_a_probe_where_none_may_be_gives_one_finding_at_its_key(self) -> None:
        text = manifest("initContainers:\n- name: a\n  image: a\n  livenessProbe:\n    httpGet: {port: 'x y'}")
        assert places(text) == ["probe-on-init-container 8:5"]

    @pytest.mark.parametrize(
        ("version", "severity"),
        [("1.27", None), ("1.28", "error"), ("1.33", "error"), ("1.34", "warning"), ("1.35", None)],
    )
    @pytest.mark.parametrize("role", ["app", "classic"])
    def test_a_restart_policy_outside_of_init_containers_by_version(
        self, role: str, version: str, severity: str | None
    ) -> None:
        found = findings(container("restartPolicy: Always", role), "restart-policy-on-app-container", version=version)
        assert [one.severity.value for one in found] == ([severity] if severity else [])

    def test_a_restart_policy_of_an_init_container_is_fine(self) -> None:
        assert said(container("command: [x]", "sidecar"), "restart-policy-on-app-container", version="1.29") == []

    @pytest.mark.parametrize(("version", "found"), [("1.27", False), ("1.28", True), ("1.29", False)])
    def test_native_sidecars_are_off_in_1_28(self, version: str, found: bool) -> None:
        text = container("command: [x]", "sidecar")
        want = ["native-sidecar-disabled initContainers[0].restartPolicy"] * found
        assert said(text, "native-sidecar-disabled", version=version) == want

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
    def test_restart_rules(self, role: str, fields: str, version: str, where: list[str]) -> None:
        rule = "{action: Restart, exitCodes: {operator: In, values: [1]}}"
        text = container(fields.replace("RULE", rule).replace("MANY", str([1] * 256)), role)
        assert said(text, "invalid-restart-rules", version=version) == [
            f"invalid-restart-rules {LISTS[role]}[0].{one}" for one in where
        ]


class TestEphemeral:
    @pytest.mark.parametrize("kind", ["Pod", "Deployment"])
    def test_ephemeral_containers_have_no_place_in_a_manifest(self, kind: str) -> None:
        text = container("command: [x]", "ephemeral", kind=kind)
        assert said(text) == ["ephemeral-containers-in-manifest ephemeralContainers"]
        assert said(manifest("ephemeralContainers: []", kind=kind)) == []

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
    def test_what_an_ephemeral_container_can_not_have(self, fields: str, where: list[str]) -> None:
        found = said(container(fields, "ephemeral"), "invalid-ephemeral-container-field")
        assert found == [f"invalid-ephemeral-container-field ephemeralContainers[0].{one}" for one in where]
