"""Advice about volumes: used by nobody, without bound, larger than memory, closed to those who mount them."""

from __future__ import annotations

from typing import Any

import pytest
from advice_kit import found, pod, where

from sidecarctl.findings import Severity


def mounts(*names: str, **more: Any) -> dict[str, Any]:
    return {"volumeMounts": [{"name": name, "mountPath": f"/{name}", **more} for name in names]}


def empty(**source: Any) -> list[dict[str, Any]]:
    return [{"name": "v", "emptyDir": source}]


def test_a_volume_that_nobody_mounts() -> None:
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": "s"}}]
    assert where("unused-volume", pod(mounts("v"), volumes=volumes)) == ["volumes[1].name"]


@pytest.mark.parametrize("role", ["init", "native"])
def test_any_container_may_be_the_one_that_mounts_it(role: str) -> None:
    assert where("unused-volume", pod({}, volumes=empty(), **{role: (mounts("v"),)})) == []


def test_a_block_device_is_used_too() -> None:
    device = {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}
    assert (
        where("unused-volume", pod(device, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])) == []
    )


def test_a_volume_that_an_annotation_names_may_be_mounted_by_what_is_injected() -> None:
    asked = {"annotations": {"dapr.io/volume-mounts": "v:/components"}}
    assert where("unused-volume", pod({}, volumes=empty(), metadata=asked)) == []


def test_a_patch_without_containers_is_left_alone() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {volumes: [{name: v, emptyDir: {}}]}\n"
    assert where("unused-volume", text) == []


def test_a_claim_of_a_stateful_set_that_nobody_mounts() -> None:
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
    ("parts", "severity"),
    [
        ({"native": (mounts("v"),)}, Severity.WARNING),
        ({"classic": mounts("v")}, Severity.WARNING),
        ({"init": (mounts("v"),)}, Severity.INFO),
        ({}, Severity.INFO),
    ],
)
def test_an_empty_dir_without_limit_is_a_warning_where_a_sidecar_shares_it(
    parts: dict[str, Any], severity: Severity
) -> None:
    (finding,) = found("unbounded-emptydir", pod(mounts("v"), volumes=empty(), **parts))
    assert (finding.severity, finding.path) == (severity, ("spec", "volumes", 0, "emptyDir"))


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
def test_what_bounds_an_empty_dir(source: dict[str, Any], limits: dict[str, str], bounded: bool) -> None:
    container = {**mounts("v"), "resources": {"limits": limits}}
    assert (where("unbounded-emptydir", pod(container, volumes=empty(**source))) == []) is bounded


@pytest.mark.parametrize(
    ("limits", "too_large"),
    [(["256Mi"], True), (["1Gi"], True), (["2Gi"], False), (["256Mi", "2Gi"], False), (["256Mi", None], False)],
)
def test_memory_that_does_not_fit_into_that_of_any_writer(limits: list[str | None], too_large: bool) -> None:
    writers = [{**mounts("v"), "resources": {"limits": {"memory": limit}}} for limit in limits]
    places = where("memory-emptydir-over-limit", pod(*writers, volumes=empty(medium="Memory", sizeLimit="1Gi")))
    assert places == (["volumes[0].emptyDir.sizeLimit"] if too_large else [])


def test_a_reader_and_a_disk_do_not_count() -> None:
    small = {"resources": {"limits": {"memory": "16Mi"}}}
    large = {"resources": {"limits": {"memory": "2Gi"}}}
    reader = {**mounts("v", readOnly=True), **small}
    memory = empty(medium="Memory", sizeLimit="1Gi")
    assert where("memory-emptydir-over-limit", pod({**mounts("v"), **large}, reader, volumes=memory)) == []
    assert where("memory-emptydir-over-limit", pod({**mounts("v"), **small}, volumes=empty(sizeLimit="1Gi"))) == []


def test_the_pods_own_limit_counts_where_the_version_has_it() -> None:
    text = pod(mounts("v"), volumes=empty(medium="Memory", sizeLimit="1Gi"), resources={"limits": {"memory": "512Mi"}})
    assert where("memory-emptydir-over-limit", text, "1.34") == ["volumes[0].emptyDir.sizeLimit"]
    assert where("memory-emptydir-over-limit", text, "1.33") == []


def user(uid: int | None, *names: str, group: int | None = None, **more: Any) -> dict[str, Any]:
    context = {"runAsUser": uid, **({"runAsGroup": group} if group is not None else {})}
    return {**mounts(*names, **more), "securityContext": context}


class TestUsersOfASharedVolume:
    NAME = "uid-cannot-read-shared-volume"
    READER = "initContainers[0].volumeMounts[0]"

    def test_differ_from_the_writers(self) -> None:
        text = pod(user(1000, "v"), native=(user(2000, "v", readOnly=True),), volumes=empty())
        (finding,) = found(self.NAME, text)
        assert finding.role == "sidecar"
        assert finding.message == 'user 2000 may be unable to read files that container "app" writes as user 1000'
        assert finding.related[0].path == ("spec", "containers", 0, "volumeMounts", 0)

    def test_are_told_once_where_both_write(self) -> None:
        text = pod(user(1000, "v"), native=(user(2000, "v"),), volumes=empty())
        assert where(self.NAME, text) == [self.READER]

    def test_may_come_from_the_pod(self) -> None:
        text = pod(mounts("v"), native=(user(2000, "v"),), volumes=empty(), securityContext={"runAsUser": 1000})
        assert where(self.NAME, text) == [self.READER]

    @pytest.mark.parametrize(
        "context", [{"fsGroup": 3000}, {"supplementalGroups": [3000]}], ids=["fsGroup", "supplementalGroups"]
    )
    def test_are_no_matter_with_a_common_group(self, context: dict[str, Any]) -> None:
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
    def test_may_differ_harmlessly(self, app: dict[str, Any], sidecar: dict[str, Any]) -> None:
        volumes = [*empty(), {"name": "other", "emptyDir": {}}]
        assert where(self.NAME, pod(app, native=(sidecar,), volumes=volumes)) == []

    def test_of_two_apps_or_of_a_config_map_are_not_spoken_of(self) -> None:
        assert where(self.NAME, pod(user(1000, "v"), user(2000, "v"), volumes=empty())) == []
        config = [{"name": "v", "configMap": {"name": "c"}}]
        assert where(self.NAME, pod(user(1000, "v"), native=(user(2000, "v"),), volumes=config)) == []


class TestFilesOfRoot:
    NAME = "unreadable-volume-file"
    CLOSED = ({"name": "v", "secret": {"secretName": "s", "defaultMode": 0o400}},)

    def test_are_closed_to_other_users(self) -> None:
        (finding,) = found(self.NAME, pod(user(1000, "v"), volumes=self.CLOSED))
        assert finding.path == ("spec", "volumes", 0, "secret", "defaultMode")
        assert finding.message == 'mode 0400 allows only root to read the file, but container "app" runs as user 1000'

    def test_may_be_closed_one_by_one(self) -> None:
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
    def test_are_open_otherwise(self, container: dict[str, Any], spec: dict[str, Any]) -> None:
        assert where(self.NAME, pod(container, **{"volumes": [*self.CLOSED], **spec})) == []
