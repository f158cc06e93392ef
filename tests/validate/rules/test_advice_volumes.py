"""Advice about volumes: used by nobody, without bound, larger than memory, closed to those who mount them."""

from __future__ import annotations

from typing import Any

import pytest
from advice_helpers import found, pod, where


def mounts(*names: str, **more: Any) -> dict[str, Any]:
    return {"volumeMounts": [{"name": name, "mountPath": f"/{name}", **more} for name in names]}


def empty(**source: Any) -> list[dict[str, Any]]:
    return [{"name": "v", "emptyDir": source}]


def test_finds_unused_volume() -> None:
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": "s"}}]
    assert where("unused-volume", pod(mounts("v"), volumes=volumes)) == ["volumes[1].name"]


@pytest.mark.parametrize("role", ["init", "native"])
def test_mount_in_any_container_counts_as_use(role: str) -> None:
    assert where("unused-volume", pod({}, volumes=empty(), **{role: (mounts("v"),)})) == []


def test_block_device_counts_as_use() -> None:
    device = {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}
    assert (
        where("unused-volume", pod(device, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])) == []
    )


def test_volume_named_in_annotation_counts_as_used() -> None:
    asked = {"annotations": {"dapr.io/volume-mounts": "v:/components"}}
    assert where("unused-volume", pod({}, volumes=empty(), metadata=asked)) == []


def test_ignores_patch_without_containers() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {volumes: [{name: v, emptyDir: {}}]}\n"
    assert where("unused-volume", text) == []


def test_finds_unused_claim_template() -> None:
    text = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  volumeClaimTemplates:
  - metadata: {name: data}
  - metadata: {name: more}
  template:
    spec:
      containers:
      - name: db
        volumeMounts: [{name: data, mountPath: /data}]
"""
    assert where("unused-volume", text) == ["volumeClaimTemplates[1].metadata.name"]


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"native": (mounts("v"),)}, "unbounded-shared-emptydir"),
        ({"classic": mounts("v")}, "unbounded-shared-emptydir"),
        ({"init": (mounts("v"),)}, "unbounded-emptydir"),
        ({}, "unbounded-emptydir"),
    ],
)
def test_unbounded_empty_dir_shared_with_sidecar_has_its_own_rule(parts: dict[str, Any], rule: str) -> None:
    text = pod(mounts("v"), volumes=empty(), **parts)
    (finding,) = found("unbounded-emptydir", text) + found("unbounded-shared-emptydir", text)
    assert (finding.rule, finding.path) == (rule, ("spec", "volumes", 0, "emptyDir"))


@pytest.mark.parametrize(
    ("source", "limits", "bounded"),
    [
        ({"sizeLimit": "1Gi"}, {}, True),
        ({"sizeLimit": 0}, {}, False),
        ({"medium": "Memory"}, {"ephemeral-storage": "1Gi"}, False),
        ({}, {"ephemeral-storage": "1Gi"}, True),
        ({}, {"memory": "1Gi"}, False),
    ],
)
def test_accepts_bounded_empty_dir(source: dict[str, Any], limits: dict[str, str], bounded: bool) -> None:
    container = {**mounts("v"), "resources": {"limits": limits}}
    assert (where("unbounded-emptydir", pod(container, volumes=empty(**source))) == []) is bounded


@pytest.mark.parametrize(
    ("limits", "too_large"),
    [(["256Mi"], True), (["1Gi"], True), (["2Gi"], False), (["256Mi", "2Gi"], False), (["256Mi", None], False)],
)
def test_finds_memory_volume_larger_than_every_writer_limit(limits: list[str | None], too_large: bool) -> None:
    writers = [{**mounts("v"), "resources": {"limits": {"memory": limit}}} for limit in limits]
    places = where("memory-emptydir-over-limit", pod(*writers, volumes=empty(medium="Memory", sizeLimit="1Gi")))
    assert places == (["volumes[0].emptyDir.sizeLimit"] if too_large else [])


def test_ignores_readers_and_disk_volumes() -> None:
    small = {"resources": {"limits": {"memory": "16Mi"}}}
    large = {"resources": {"limits": {"memory": "2Gi"}}}
    reader = {**mounts("v", readOnly=True), **small}
    memory = empty(medium="Memory", sizeLimit="1Gi")
    assert where("memory-emptydir-over-limit", pod({**mounts("v"), **large}, reader, volumes=memory)) == []
    assert where("memory-emptydir-over-limit", pod({**mounts("v"), **small}, volumes=empty(sizeLimit="1Gi"))) == []


def test_pod_level_limit_counts_by_version() -> None:
    text = pod(mounts("v"), volumes=empty(medium="Memory", sizeLimit="1Gi"), resources={"limits": {"memory": "512Mi"}})
    assert where("memory-emptydir-over-limit", text, "1.34") == ["volumes[0].emptyDir.sizeLimit"]
    assert where("memory-emptydir-over-limit", text, "1.33") == []


def user(uid: int | None, *names: str, group: int | None = None, **more: Any) -> dict[str, Any]:
    context = {"runAsUser": uid, **({"runAsGroup": group} if group is not None else {})}
    return {**mounts(*names, **more), "securityContext": context}


class TestUsersOfASharedVolume:
    NAME = "uid-cannot-read-shared-volume"
    READER = "initContainers[0].volumeMounts[0]"

    def test_finds_reader_with_other_user(self) -> None:
        text = pod(user(1000, "v"), native=(user(2000, "v", readOnly=True),), volumes=empty())
        (finding,) = found(self.NAME, text)
        assert finding.role == "sidecar"
        assert finding.message == 'user 2000 may be unable to read files that container "app" writes as user 1000'
        assert finding.related[0].path == ("spec", "containers", 0, "volumeMounts", 0)

    def test_reports_two_writers_once(self) -> None:
        text = pod(user(1000, "v"), native=(user(2000, "v"),), volumes=empty())
        assert where(self.NAME, text) == [self.READER]

    def test_inherits_user_from_pod(self) -> None:
        text = pod(mounts("v"), native=(user(2000, "v"),), volumes=empty(), securityContext={"runAsUser": 1000})
        assert where(self.NAME, text) == [self.READER]

    @pytest.mark.parametrize(
        "context", [{"fsGroup": 3000}, {"supplementalGroups": [3000]}], ids=["fsGroup", "supplementalGroups"]
    )
    def test_accepts_common_group(self, context: dict[str, Any]) -> None:
        text = pod(user(1000, "v"), native=(user(2000, "v"),), volumes=empty(), securityContext=context)
        assert where(self.NAME, text) == []

    @pytest.mark.parametrize(
        ("app", "sidecar"),
        [
            (user(1000, "v"), user(1000, "v")),
            (user(1000, "v"), user(0, "v", readOnly=True)),
            (user(1000, "v", readOnly=True), user(2000, "v", readOnly=True)),
            (user(None, "v"), user(2000, "v")),
            (user(1000, "v", group=5), user(2000, "v", group=5)),
            (user(1000, "other"), user(2000, "v")),
        ],
        ids=["the same", "root reads all", "nobody writes", "unknown", "one group", "not shared"],
    )
    def test_accepts_harmless_differences(self, app: dict[str, Any], sidecar: dict[str, Any]) -> None:
        volumes = [*empty(), {"name": "other", "emptyDir": {}}]
        assert where(self.NAME, pod(app, native=(sidecar,), volumes=volumes)) == []

    def test_ignores_app_pairs_and_config_maps(self) -> None:
        assert where(self.NAME, pod(user(1000, "v"), user(2000, "v"), volumes=empty())) == []
        config = [{"name": "v", "configMap": {"name": "c"}}]
        assert where(self.NAME, pod(user(1000, "v"), native=(user(2000, "v"),), volumes=config)) == []


class TestFilesOfRoot:
    NAME = "unreadable-volume-file"
    CLOSED = ({"name": "v", "secret": {"secretName": "s", "defaultMode": 0o400}},)

    def test_finds_file_mode_closed_to_other_users(self) -> None:
        (finding,) = found(self.NAME, pod(user(1000, "v"), volumes=self.CLOSED))
        assert finding.path == ("spec", "volumes", 0, "secret", "defaultMode")
        assert finding.message == 'mode 0400 allows only root to read the file, but container "app" runs as user 1000'

    def test_finds_item_mode_closed_to_other_users(self) -> None:
        items = [{"key": "a", "path": "a"}, {"key": "b", "path": "b", "mode": 0o600}]
        volumes = [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c", "items": items}}]}}]
        assert where(self.NAME, pod(user(1000, "v"), volumes=volumes)) == [
            "volumes[0].projected.sources[0].configMap.items[1].mode"
        ]

    @pytest.mark.parametrize(
        ("container", "spec"),
        [
            (user(0, "v"), {}),
            (mounts("v"), {}),
            (user(1000, "other"), {}),
            (user(1000, "v"), {"securityContext": {"fsGroup": 1000}}),
            (user(1000, "v"), {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 0o440}}]}),
            (user(1000, "v"), {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
        ],
        ids=["root", "unknown user", "not mounted", "fsGroup", "group may read", "default mode"],
    )
    def test_accepts_readable_files(self, container: dict[str, Any], spec: dict[str, Any]) -> None:
        assert where(self.NAME, pod(container, **{"volumes": [*self.CLOSED], **spec})) == []
