"""Rules about volumes: names, sources, and what every source needs."""

from __future__ import annotations

import pytest
from pod_helpers import findings, list_findings, manifest, places


def volume(source: str, kind: str = "Pod", name: str = "vol") -> str:
    return manifest(f"volumes: [{{name: {name}, {source}}}]", kind=kind)


def at(*found: str) -> list[str]:
    return sorted(one.replace(" ", " volumes[0].", 1) for one in found)


@pytest.mark.parametrize(
    ("name", "bad"), [("data", False), ("0a-b", False), ("a_b", True), ("a.b", True), ("''", True)]
)
def test_rejects_invalid_volume_names(name: str, bad: bool) -> None:
    assert list_findings(volume("emptyDir: {}", name=name)) == at("invalid-volume-name name") * bad


def test_rejects_duplicate_volume_names() -> None:
    text = manifest("volumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {}}, {name: a, secret: {secretName: a}}]")
    (one,) = findings(text)
    assert (one.rule, one.path) == ("duplicate-volume-name", ("spec", "volumes", 2, "name"))
    assert one.related[0].path == ("spec", "volumes", 0, "name")


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("emptyDir: {}, configMap: {name: a}", ["multiple-volume-sources configMap"]),
        ("configMap: {name: a}, emptyDir: {}", ["multiple-volume-sources configMap"]),
        (
            "emptyDir: {}, configMap: {name: a}, secret: {secretName: a}",
            ["multiple-volume-sources configMap", "multiple-volume-sources secret"],
        ),
        ("emptyDir: {}, configMap: null", []),
        ("emptyDir: null", []),
        ("emptydir: {}", []),
        ("configMap: null", ["volume-without-source "]),
        ("configMap: text", []),
    ],
)
def test_volume_needs_exactly_one_source(source: str, want: list[str]) -> None:
    assert list_findings(volume(source)) == [one.rstrip(".") for one in at(*want)]


def test_volume_without_source_is_warning() -> None:
    (one,) = findings(manifest("volumes: [{name: a}]"))
    assert (one.rule, one.severity.value, one.path) == ("volume-without-source", "warning", ("spec", "volumes", 0))


@pytest.mark.parametrize(("version", "found"), [("1.30", False), ("1.31", True), ("1.34", True), ("1.35", False)])
def test_warns_about_image_volumes_before_1_35(version: str, found: bool) -> None:
    text = volume("image: {reference: a}")
    assert list_findings(text, "image-volume-disabled", version=version) == at("image-volume-disabled image") * found


@pytest.mark.parametrize(
    ("kind", "version", "bad"),
    [("Pod", "1.36", True), ("Deployment", "1.36", False), ("Pod", "1.37", True), ("Deployment", "1.37", True)],
)
def test_templates_need_image_volume_reference_since_1_37(kind: str, version: str, bad: bool) -> None:
    assert (
        list_findings(volume("image: {}", kind), "missing-volume-field", version=version)
        == at("missing-volume-field image.reference") * bad
    )


# A source as it should be, and what makes it bad: "field: value" for the whole text of the field.
SOURCES = {
    "awsElasticBlockStore": (
        "{volumeID: a, partition: 3}",
        [("volumeID: a", "volumeID: ''"), ("partition: 3", "partition: 256")],
    ),
    "azureDisk": (
        "{diskName: a, diskURI: /subscriptions/a, kind: Managed}",
        [
            ("diskName: a", "diskName: ''"),
            ("diskURI: /subscriptions/a", "diskURI: https://a"),
            ("diskURI: /subscriptions/a", "diskURI: ''"),
        ],
    ),
    "azureFile": (
        "{secretName: a, shareName: b}",
        [("secretName: a", "secretName: ''"), ("shareName: b", "shareName: ''")],
    ),
    "cephfs": ("{monitors: [a]}", [("monitors: [a]", "monitors: []")]),
    "cinder": (
        "{volumeID: a, secretRef: {name: b}}",
        [("volumeID: a", "volumeID: ''"), ("secretRef: {name: b}", "secretRef: {}")],
    ),
    "configMap": ("{name: a}", [("name: a", ""), ("name: a", "name: ''"), ("name: a", "name: null")]),
    "csi": (
        "{driver: A.b, nodePublishSecretRef: {name: a}}",
        [
            ("driver: A.b", "driver: ''"),
            ("driver: A.b", "driver: a_b"),
            ("driver: A.b", f"driver: {'a' * 64}"),
            ("nodePublishSecretRef: {name: a}", "nodePublishSecretRef: {}"),
            ("nodePublishSecretRef: {name: a}", "nodePublishSecretRef: {name: A}"),
        ],
    ),
    "emptyDir": ("{sizeLimit: 0, medium: Memory}", [("sizeLimit: 0", "sizeLimit: -1")]),
    "fc": ("{targetWWNs: [a], lun: 0}", [("lun: 0", "lun: 256"), ("targetWWNs: [a]", "wwids: [], targetWWNs: []")]),
    "flexVolume": (
        "{driver: a, options: {a.b/c: d}}",
        [
            ("driver: a", "driver: ''"),
            ("options: {a.b/c: d}", "options: {x.k8s.io/c: d}"),
            ("options: {a.b/c: d}", "options: {KUBERNETES.io: d}"),
        ],
    ),
    "gcePersistentDisk": (
        "{pdName: a, partition: 0}",
        [("pdName: a", "pdName: ''"), ("partition: 0", "partition: -1")],
    ),
    "gitRepo": (
        "{repository: a, directory: b}",
        [("repository: a", "repository: ''"), ("directory: b", "directory: /b"), ("directory: b", "directory: ../b")],
    ),
    "glusterfs": ("{endpoints: a, path: b}", [("endpoints: a", "endpoints: ''"), ("path: b", "path: ''")]),
    "hostPath": ("{path: a/..b}", [("path: a/..b", "path: ''"), ("path: a/..b", "path: /a/../b")]),
    "image": ("{reference: a, pullPolicy: ''}", [("pullPolicy: ''", "pullPolicy: Sometimes")]),
    "iscsi": (
        "{targetPortal: 'a:1', iqn: 'iqn.2001-04.com.example:a', lun: 0, initiatorName: eui.0123456789abcdef}",
        [
            ("targetPortal: 'a:1'", "targetPortal: ''"),
            ("iqn: 'iqn.2001-04.com.example:a'", "iqn: ''"),
            ("iqn: 'iqn.2001-04.com.example:a'", "iqn: 'iqn.2001-04.com.example'"),
            ("iqn: 'iqn.2001-04.com.example:a'", "iqn: naa.0123"),
            ("lun: 0", "lun: 256"),
            ("initiatorName: eui.0123456789abcdef", "initiatorName: other"),
        ],
    ),
    "nfs": ("{server: a, path: /b}", [("server: a", "server: ''"), ("path: /b", "path: ''"), ("path: /b", "path: b")]),
    "persistentVolumeClaim": ("{claimName: a}", [("claimName: a", "claimName: ''")]),
    "photonPersistentDisk": ("{pdID: a}", [("pdID: a", "pdID: ''")]),
    "portworxVolume": ("{volumeID: a}", [("volumeID: a", "volumeID: ''")]),
    "quobyte": (
        "{registry: 'a:1,[::1]:2', volume: b, tenant: c}",
        [
            ("registry: 'a:1,[::1]:2'", "registry: ''"),
            ("registry: 'a:1,[::1]:2'", "registry: a"),
            ("volume: b", "volume: ''"),
            ("tenant: c", f"tenant: {'c' * 65}"),
        ],
    ),
    "rbd": ("{monitors: [a], image: b}", [("monitors: [a]", "monitors: []"), ("image: b", "image: ''")]),
    "scaleIO": (
        "{gateway: a, system: b, volumeName: c}",
        [("gateway: a", "gateway: ''"), ("volumeName: c", ""), ("volumeName: c", "volumeName: ''")],
    ),
    "secret": ("{secretName: a}", [("secretName: a", ""), ("secretName: a", "secretName: ''")]),
    "storageos": (
        "{volumeName: a, volumeNamespace: b, secretRef: {name: c}}",
        [
            ("volumeName: a", "volumeName: ''"),
            ("volumeName: a", "volumeName: A"),
            ("volumeNamespace: b", "volumeNamespace: B"),
            ("secretRef: {name: c}", "secretRef: {name: ''}"),
        ],
    ),
    "vsphereVolume": ("{volumePath: a}", [("volumePath: a", "volumePath: ''")]),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_accepts_complete_sources(kind: str) -> None:
    assert list_findings(volume(f"{kind}: {SOURCES[kind][0]}")) == []


@pytest.mark.parametrize(
    ("kind", "right", "wrong"), [(kind, *change) for kind, (_, changes) in SOURCES.items() for change in changes]
)
def test_invalid_source_field_gives_one_finding(kind: str, right: str, wrong: str) -> None:
    source = SOURCES[kind][0]
    assert right in source
    (one,) = list_findings(volume(f"{kind}: {source.replace(right, wrong)}"))
    field = right.partition(":")[0]
    assert one.split()[1].startswith(f"volumes[0].{kind}.{field}")


@pytest.mark.parametrize(
    ("source", "want"),
    [
        (
            "iscsi: {targetPortal: a, iqn: 'eui.0123456789abcdef', lun: 1, chapAuthSession: true}",
            ["invalid-volume-value iscsi.secretRef"],
        ),
        (
            f"iscsi: {{targetPortal: {'a' * 61}, iqn: 'eui.0123456789abcdef', lun: 1, initiatorName: 'eui.0123456789abcdef'}}",
            ["invalid-volume-value name"],
        ),
        ("fc: {}", ["invalid-volume-value fc.targetWWNs"]),
        ("fc: {wwids: [a]}", []),
        ("fc: {wwids: [a], targetWWNs: [a], lun: 1}", ["invalid-volume-value fc.targetWWNs"]),
        ("fc: {targetWWNs: [a]}", ["invalid-volume-value fc.lun"]),
        ("flocker: {}", ["invalid-volume-value flocker"]),
        ("flocker: {datasetName: a, datasetUUID: b}", ["invalid-volume-value flocker"]),
        ("flocker: {datasetName: a/b}", ["invalid-volume-value flocker.datasetName"]),
        ("azureDisk: {diskName: a, diskURI: https://a}", []),
        ("ephemeral: {}", ["missing-volume-field ephemeral.volumeClaimTemplate"]),
    ],
)
def test_rejects_conflicting_source_fields(source: str, want: list[str]) -> None:
    assert list_findings(volume(source)) == at(*want)


class TestFiles:
    @pytest.mark.parametrize(
        ("mode", "bad"),
        [
            ("0644", False),
            ("0777", False),
            ("511", False),
            ("0", False),
            ("512", True),
            ("755", True),
            ("-1", True),
            ("'0644'", False),
        ],
    )
    @pytest.mark.parametrize(
        ("source", "where"),
        [
            ("configMap: {name: a, defaultMode: MODE}", "configMap.defaultMode"),
            ("secret: {secretName: a, items: [{key: a, path: b, mode: MODE}]}", "secret.items[0].mode"),
            ("downwardAPI: {defaultMode: MODE}", "downwardAPI.defaultMode"),
            ("projected: {defaultMode: MODE}", "projected.defaultMode"),
            (
                "projected: {sources: [{secret: {name: a, items: [{key: a, path: b, mode: MODE}]}}]}",
                "projected.sources[0].secret.items[0].mode",
            ),
        ],
    )
    def test_rejects_invalid_file_modes(self, source: str, where: str, mode: str, bad: bool) -> None:
        assert list_findings(volume(source.replace("MODE", mode))) == at(f"invalid-file-mode {where}") * bad

    def test_decimal_mode_gets_octal_suggestion(self) -> None:
        (one,) = findings(volume("configMap: {name: a, defaultMode: 644}"))
        assert one.help == "use 0644, which is 420"

    @pytest.mark.parametrize(
        ("path", "bad"),
        [
            ("a/b", False),
            ("..a/b", True),
            ("a/..b", False),
            ("/a", True),
            ("../a", True),
            ("a/../b", True),
            ("''", True),
        ],
    )
    @pytest.mark.parametrize("kind", ["configMap: {name: a, ", "secret: {secretName: a, "])
    def test_rejects_invalid_item_paths(self, kind: str, path: str, bad: bool) -> None:
        found = list_findings(volume(f"{kind}items: [{{key: a, path: {path}}}]}}"))
        assert found == at(f"invalid-volume-item {kind.partition(':')[0]}.items[0].path") * bad

    def test_rejects_empty_key(self) -> None:
        assert list_findings(volume("configMap: {name: a, items: [{key: '', path: b}]}")) == at(
            "invalid-volume-item configMap.items[0].key"
        )


class TestProjected:
    @pytest.mark.parametrize(
        ("sources", "want"),
        [
            ("[{configMap: {name: a}}, {secret: {name: b}}, {}]", []),
            ("[{configMap: {name: a}, secret: {name: b}}]", ["invalid-projected-source [0]"]),
            ("[{configMap: {}}]", ["missing-volume-field [0].configMap.name"]),
            ("[{secret: {name: ''}}]", ["missing-volume-field [0].secret.name"]),
            (
                "[{configMap: {name: a, items: [{key: a, path: x}]}}, {secret: {name: a, items: [{key: a, path: x}]}}]",
                ["projected-path-conflict [1].secret.items[0].path"],
            ),
            (
                "[{configMap: {name: a, items: [{key: a, path: x}]}}, {secret: {name: a, items: [{key: a, path: y}]}}]",
                [],
            ),
            (
                "[{configMap: {name: a, items: [{key: a, path: x}]}}, "
                "{downwardAPI: {items: [{path: x, fieldRef: {fieldPath: metadata.uid}}]}}]",
                ["projected-path-conflict [1].downwardAPI.items[0].path"],
            ),
            ("[{serviceAccountToken: {path: a}}, {serviceAccountToken: {path: a}}]", []),
            (
                "[{serviceAccountToken: {path: a, expirationSeconds: 599}}]",
                ["invalid-service-account-token [0].serviceAccountToken.expirationSeconds"],
            ),
            ("[{serviceAccountToken: {path: a, expirationSeconds: 600}}]", []),
            (
                "[{serviceAccountToken: {path: a, expirationSeconds: 4294967297}}]",
                ["invalid-service-account-token [0].serviceAccountToken.expirationSeconds"],
            ),
            ("[{serviceAccountToken: {path: ../a}}]", ["invalid-service-account-token [0].serviceAccountToken.path"]),
            ("[{serviceAccountToken: {path: ''}}]", ["invalid-service-account-token [0].serviceAccountToken.path"]),
            ("[{clusterTrustBundle: {path: a}}]", ["invalid-trust-bundle [0].clusterTrustBundle"]),
            (
                "[{clusterTrustBundle: {path: a, name: a, signerName: b.c/d}}]",
                ["invalid-trust-bundle [0].clusterTrustBundle"],
            ),
            ("[{clusterTrustBundle: {path: a, name: 'a.b:c:d'}}]", []),
            ("[{clusterTrustBundle: {path: a, name: A}}]", ["invalid-trust-bundle [0].clusterTrustBundle.name"]),
            (
                "[{clusterTrustBundle: {path: a, name: a, labelSelector: {}}}]",
                ["invalid-trust-bundle [0].clusterTrustBundle.labelSelector"],
            ),
            (
                "[{clusterTrustBundle: {path: a, signerName: b.c/d, labelSelector: {matchLabels: {a: '-'}}}}]",
                ["invalid-trust-bundle [0].clusterTrustBundle.labelSelector.matchLabels.a"],
            ),
            (
                "[{clusterTrustBundle: {path: a, signerName: b}}]",
                ["invalid-trust-bundle [0].clusterTrustBundle.signerName"],
            ),
            ("[{clusterTrustBundle: {path: /a, name: a}}]", ["invalid-trust-bundle [0].clusterTrustBundle.path"]),
            ("[{podCertificate: {signerName: a.b/c, keyType: ED25519, keyPath: a}}]", []),
            (
                "[{podCertificate: {signerName: a.b/c, keyType: ED25519}}]",
                ["invalid-pod-certificate [0].podCertificate"],
            ),
            (
                "[{podCertificate: {signerName: a/c, keyType: ED25519, keyPath: a}}]",
                ["invalid-pod-certificate [0].podCertificate.signerName"],
            ),
            (
                "[{podCertificate: {signerName: a.b/c, keyType: RSA, keyPath: a}}]",
                ["invalid-pod-certificate [0].podCertificate.keyType"],
            ),
            (
                "[{podCertificate: {signerName: a.b/c, keyType: ED25519, keyPath: ../a}}]",
                ["invalid-pod-certificate [0].podCertificate.keyPath"],
            ),
            (
                "[{podCertificate: {signerName: a.b/c, keyType: ED25519, keyPath: a, maxExpirationSeconds: 3599}}]",
                ["invalid-pod-certificate [0].podCertificate.maxExpirationSeconds"],
            ),
            (
                "[{podCertificate: {signerName: x.kubernetes.io/c, keyType: ED25519, keyPath: a, maxExpirationSeconds: 86401}}]",
                ["invalid-pod-certificate [0].podCertificate.maxExpirationSeconds"],
            ),
            (
                "[{podCertificate: {signerName: a.b/c, keyType: ED25519, keyPath: a, certificateChainPath: a}}]",
                ["projected-path-conflict [0].podCertificate.certificateChainPath"],
            ),
        ],
    )
    def test_rejects_invalid_projected_sources(self, sources: str, want: list[str]) -> None:
        found = list_findings(volume(f"projected: {{sources: {sources}}}"))
        assert found == [one.replace(" ", " volumes[0].projected.sources", 1) for one in want]

    def test_ignores_1_37_sources_in_earlier_versions(self) -> None:
        text = volume("projected: {sources: [{clusterTrustBundle: {path: a}}, {podCertificate: {}}]}")
        assert list_findings(text, version="1.36") == []

    def test_ignores_token_path_before_1_30(self) -> None:
        assert (
            list_findings(volume("projected: {sources: [{serviceAccountToken: {path: ../a}}]}"), version="1.29") == []
        )


class TestClaims:
    GOOD = "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"

    @pytest.mark.parametrize(
        ("spec", "where"),
        [
            (GOOD, []),
            ("resources: {requests: {storage: 1Gi}}", ["accessModes"]),
            ("accessModes: [], resources: {requests: {storage: 1Gi}}", ["accessModes"]),
            ("accessModes: [null], resources: {requests: {storage: 1Gi}}", ["accessModes"]),
            ("accessModes: [ReadWriteOnce, ReadWriteOncePod], resources: {requests: {storage: 1Gi}}", ["accessModes"]),
            ("accessModes: [ReadWriteOnce]", ["resources.requests.storage"]),
            ("accessModes: [ReadWriteOnce], resources: {requests: {storage: 0}}", ["resources.requests.storage"]),
            (GOOD + ", storageClassName: ''", []),
            (GOOD + ", storageClassName: A", ["storageClassName"]),
            (
                GOOD + ", selector: {matchExpressions: [{key: a, operator: In}]}",
                ["selector.matchExpressions[0].values"],
            ),
            (
                GOOD + ", selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
                ["selector.matchExpressions[0].values"],
            ),
            (GOOD + ", dataSource: {kind: Thing, name: a}", ["dataSource"]),
            (GOOD + ", dataSource: {kind: PersistentVolumeClaim, name: ''}", ["dataSource.name"]),
            (GOOD + ", dataSource: {kind: Thing, name: a, apiGroup: A}", ["dataSource.apiGroup"]),
            (GOOD + ", dataSourceRef: {kind: Thing, name: a, apiGroup: a, namespace: A}", ["dataSourceRef.namespace"]),
            (
                GOOD + ", dataSource: {kind: T, name: a, apiGroup: a}, dataSourceRef: {kind: T, name: b, apiGroup: a}",
                [""],
            ),
            (
                GOOD + ", dataSource: {kind: T, name: a, apiGroup: a}, dataSourceRef: {kind: T, name: a, apiGroup: a}",
                [],
            ),
            (
                GOOD
                + ", dataSource: {kind: T, name: a, apiGroup: a}, dataSourceRef: {kind: T, name: a, apiGroup: a, namespace: a}",
                [""],
            ),
        ],
    )
    def test_rejects_invalid_ephemeral_claims(self, spec: str, where: list[str]) -> None:
        found = list_findings(volume(f"ephemeral: {{volumeClaimTemplate: {{spec: {{{spec}}}}}}}"))
        head = "invalid-ephemeral-claim volumes[0].ephemeral.volumeClaimTemplate.spec"
        assert found == [f"{head}.{one}".rstrip(".") for one in where]

    def test_claim_template_metadata_supports_labels_and_annotations(self) -> None:
        metadata = "{name: a, labels: {a: '-'}, annotations: {a: b}}"
        text = volume(f"ephemeral: {{volumeClaimTemplate: {{metadata: {metadata}, spec: {{{self.GOOD}}}}}}}")
        head = "invalid-ephemeral-claim volumes[0].ephemeral.volumeClaimTemplate.metadata"
        assert list_findings(text) == [f"{head}.labels.a", f"{head}.name"]

    def test_rejects_use_of_generated_claim(self) -> None:
        spec = f"""
            volumes:
            - {{name: a, ephemeral: {{volumeClaimTemplate: {{spec: {{{self.GOOD}}}}}}}}}
            - {{name: b, persistentVolumeClaim: {{claimName: web-a}}}}
        """
        assert list_findings(manifest(spec)) == ["invalid-ephemeral-claim volumes[1].persistentVolumeClaim.claimName"]
        assert list_findings(manifest(spec, kind="Deployment")) == []


def test_finding_is_at_value() -> None:
    text = manifest("volumes:\n- name: a\n  secret:\n    secretName: a\n    defaultMode: 999")
    assert places(text) == ["invalid-file-mode 9:20"]


def test_missing_field_is_reported_at_source() -> None:
    text = manifest("volumes:\n- name: a\n  secret:\n    optional: true")
    assert places(text)[0].startswith("missing-volume-field ")
