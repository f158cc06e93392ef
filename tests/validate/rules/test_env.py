"""Rules about environment variables and the downward API."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, list_findings, manifest, places

ROLES = tuple(LISTS)
SHARED = "volumes: [{name: shared, emptyDir: {}}, {name: bare}, {name: settings, configMap: {name: a}}]\n"


def env(source: str) -> str:
    return container(f"env: [{{name: A, valueFrom: {source}}}]", more=SHARED)


def at(rule: str, *where: str, prefix: str = "containers[0].env[0]") -> list[str]:
    return sorted(f"{rule} {prefix}{'.' + one if one else ''}" for one in where)


@pytest.mark.parametrize(
    ("name", "version", "bad"),
    [
        ("", "1.37", True),
        ("A=B", "1.37", True),
        ("Ä", "1.37", True),
        ("A B", "1.37", False),
        ("1A", "1.37", False),
        ("1A", "1.31", True),
        ("A B", "1.31", True),
        ("A.b-c_D", "1.25", False),
        ("..", "1.31", True),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_rejects_invalid_variable_names_by_version(role: str, name: str, version: str, bad: bool) -> None:
    text = container(f'env: [{{name: "{name}"}}]', role)
    assert (
        list_findings(text, "invalid-env-name", version=version)
        == [f"invalid-env-name {LISTS[role]}[0].env[0].name"] * bad
    )


@pytest.mark.parametrize(
    ("variable", "where"),
    [
        ("valueFrom: {}", ["valueFrom"]),
        ("valueFrom: {fieldRef: null}", ["valueFrom"]),
        ("value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}", ["valueFrom"]),
        ("valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: a, key: b}}", ["valueFrom"]),
        ("value: '', valueFrom: {fieldRef: {fieldPath: metadata.name}}", []),
        ("value: x, valueFrom: null", []),
        ("value: x", []),
        ("valueFrom: {fieldref: {}}", []),
        ("valueFrom: []", []),
    ],
)
def test_variable_needs_exactly_one_source(variable: str, where: list[str]) -> None:
    assert list_findings(container(f"env: [{{name: A, {variable}}}]"), "invalid-env-source") == at(
        "invalid-env-source", *where
    )


@pytest.mark.parametrize(("version", "where"), [("1.33", []), ("1.34", ["valueFrom.fileKeyRef"]), ("1.35", [])])
def test_1_34_drops_file_key_ref(version: str, where: list[str]) -> None:
    text = env("{fileKeyRef: {volumeName: shared, path: a, key: b}}")
    assert list_findings(text, "invalid-env-source", version=version) == at("invalid-env-source", *where)


@pytest.mark.parametrize("kind", ["configMapKeyRef", "secretKeyRef"])
@pytest.mark.parametrize(
    ("ref", "where"),
    [
        ("{key: a}", ["name"]),
        ("{name: '', key: a}", ["name"]),
        ("{name: A_b, key: a}", ["name"]),
        ("{name: a, key: ''}", ["key"]),
        ("{name: a, key: b/c}", ["key"]),
        ("{name: a, key: ..c}", ["key"]),
        ("{name: a.b, key: c_D.e}", []),
        ("{name: a}", []),
        ("[]", []),
    ],
)
def test_rejects_invalid_key_references(kind: str, ref: str, where: list[str]) -> None:
    found = list_findings(env(f"{{{kind}: {ref}}}"), "invalid-env-key-ref")
    assert found == at("invalid-env-key-ref", *(f"valueFrom.{kind}.{one}" for one in where))


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ("{}", [""]),
        ("null", [""]),
        ("{prefix: A_}", [""]),
        ("{configMapRef: {name: a}, secretRef: {name: a}}", [""]),
        ("{configMapRef: {}}", ["configMapRef.name"]),
        ("{secretRef: {name: A}}", ["secretRef.name"]),
        ("{prefix: '=', secretRef: {name: a}}", ["prefix"]),
        ("{prefix: '', secretRef: {name: a}}", []),
        ("{prefix: A_, configMapRef: {name: a.b}}", []),
        ("{configMapRef: {name: a-}}", []),
        ("{configmapref: {name: a}}", []),
        ("text", []),
    ],
)
def test_rejects_invalid_env_from_items(item: str, where: list[str]) -> None:
    found = list_findings(container(f"envFrom: [{item}]"), "invalid-env-from")
    assert found == at("invalid-env-from", *where, prefix="containers[0].envFrom[0]")


@pytest.mark.parametrize(
    ("ref", "where"),
    [
        ("{volumeName: shared, path: a, key: b}", []),
        ("{volumeName: bare, path: a/b, key: B C}", []),
        ("{volumeName: settings, path: a, key: b}", ["volumeName"]),
        ("{volumeName: none, path: a, key: b}", ["volumeName"]),
        ("{volumeName: '', path: a, key: b}", ["volumeName"]),
        ("{volumeName: shared, path: ../a, key: b}", ["path"]),
        ("{volumeName: shared, path: '', key: ''}", ["key", "path"]),
        ("{volumeName: shared, path: a, key: b=c}", ["key"]),
    ],
)
def test_file_key_ref_needs_empty_dir(ref: str, where: list[str]) -> None:
    found = list_findings(env(f"{{fileKeyRef: {ref}}}"), "invalid-env-file-ref")
    assert found == at("invalid-env-file-ref", *(f"valueFrom.fileKeyRef.{one}" for one in where))
    assert list_findings(env(f"{{fileKeyRef: {ref}}}"), "invalid-env-file-ref", version="1.34") == []


class TestDownward:
    @pytest.mark.parametrize(
        ("path", "in_variable", "in_volume"),
        [
            ("metadata.name", True, True),
            ("metadata.namespace", True, True),
            ("metadata.uid", True, True),
            ("metadata.labels", False, True),
            ("metadata.annotations", False, True),
            ("metadata.labels['a.b/c']", True, True),
            ("metadata.annotations['A.B/c']", True, True),
            ("metadata.labels['A.B/c']", False, False),
            ("metadata.labels['']", False, False),
            ("metadata.name['a']", False, False),
            ("spec.nodeName", True, False),
            ("spec.host", True, False),
            ("spec.serviceAccountName", True, False),
            ("spec.restartPolicy", False, False),
            ("status.hostIP", True, False),
            ("status.hostIPs", True, False),
            ("status.podIP", True, False),
            ("status.podIPs", True, False),
            ("status.phase", False, False),
            ("", False, False),
            ("metadata.generateName", False, False),
        ],
    )
    def test_supported_fields_differ_between_env_and_volumes(
        self, path: str, in_variable: bool, in_volume: bool
    ) -> None:
        ref = f'{{fieldRef: {{fieldPath: "{path}"}}}}'
        want = [] if in_variable else at("invalid-field-path", "valueFrom.fieldRef.fieldPath")
        assert list_findings(env(ref), "invalid-field-path") == want
        item = f"{{path: a, {ref[1:-1]}}}"
        for volume, where in (
            (f"downwardAPI: {{items: [{item}]}}", "downwardAPI"),
            (f"projected: {{sources: [{{downwardAPI: {{items: [{item}]}}}}]}}", "projected.sources[0].downwardAPI"),
        ):
            found = list_findings(manifest(f"volumes: [{{name: a, {volume}}}]"), "invalid-field-path")
            assert found == [] if in_volume else [f"invalid-field-path volumes[0].{where}.items[0].fieldRef.fieldPath"]

    @pytest.mark.parametrize(("version", "bad"), [("1.28", True), ("1.29", False)])
    def test_host_ips_are_supported_since_1_29(self, version: str, bad: bool) -> None:
        found = list_findings(env("{fieldRef: {fieldPath: status.hostIPs}}"), "invalid-field-path", version=version)
        assert found == at("invalid-field-path", "valueFrom.fieldRef.fieldPath") * bad

    @pytest.mark.parametrize(("version", "bad"), [("v1", False), ("''", False), ("v2", True)])
    def test_field_ref_supports_only_v1(self, version: str, bad: bool) -> None:
        found = list_findings(
            env(f"{{fieldRef: {{apiVersion: {version}, fieldPath: metadata.name}}}}"), "invalid-field-path"
        )
        assert found == at("invalid-field-path", "valueFrom.fieldRef.fieldPath") * bad

    @pytest.mark.parametrize(
        ("ref", "where"),
        [
            ("resource: limits.cpu", []),
            ("resource: requests.ephemeral-storage", []),
            ("resource: limits.hugepages-2Mi", []),
            ("resource: cpu", ["resource"]),
            ("resource: limits.gpu", ["resource"]),
            ("resource: ''", ["resource"]),
            ("resource: limits.cpu, divisor: 1m", []),
            ("resource: limits.cpu, divisor: '1000m'", []),
            ("resource: limits.cpu, divisor: 0", []),
            ("resource: limits.cpu, divisor: 2", ["divisor"]),
            ("resource: limits.cpu, divisor: 1k", ["divisor"]),
            ("resource: limits.memory, divisor: 1Mi", []),
            ("resource: limits.memory, divisor: 1024Ki", []),
            ("resource: limits.memory, divisor: 1000k", []),
            ("resource: limits.memory, divisor: 1024", ["divisor"]),
            ("resource: limits.memory, divisor: '1e3'", ["divisor"]),
            ("resource: limits.memory, divisor: 1m", ["divisor"]),
            ("resource: requests.hugepages-2Mi, divisor: 3Mi", ["divisor"]),
        ],
    )
    def test_rejects_unsupported_resources_and_divisors(self, ref: str, where: list[str]) -> None:
        found = list_findings(env(f"{{resourceFieldRef: {{{ref}}}}}"), "invalid-resource-field")
        assert found == at("invalid-resource-field", *(f"valueFrom.resourceFieldRef.{one}" for one in where))

    @pytest.mark.parametrize(
        ("item", "where"),
        [
            (
                "resourceFieldRef: {resource: limits.cpu}",
                ["invalid-resource-field items[0].resourceFieldRef.containerName"],
            ),
            ("resourceFieldRef: {resource: limits.cpu, containerName: a}", []),
            ("fieldRef: null", ["invalid-downward-api-file items[0]"]),
            (
                "fieldRef: {fieldPath: metadata.uid}, resourceFieldRef: {resource: limits.cpu, containerName: a}",
                ["invalid-downward-api-file items[0]"],
            ),
            ("fieldref: {}", []),
        ],
    )
    def test_file_needs_exactly_one_source(self, item: str, where: list[str]) -> None:
        text = manifest(f"volumes: [{{name: a, downwardAPI: {{items: [{{path: a, {item}}}]}}}}]")
        assert list_findings(text) == [one.replace(" ", " volumes[0].downwardAPI.", 1) for one in where]


def test_finding_is_at_value_in_every_role() -> None:
    for role in ROLES:
        text = container("env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.phase}}}]", role)
        (place,) = places(text, "invalid-field-path")
        line, column = (int(number) for number in place.split()[1].split(":"))
        assert text.splitlines()[line - 1][column - 1 :].startswith("status.phase")
