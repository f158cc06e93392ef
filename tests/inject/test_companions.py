"""Names of companions are valid and unique."""

from __future__ import annotations

import pytest

from sidecarctl.inject.companions import companion_name
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.names import check_dns_label
from sidecarctl.kube.workload import Workload, workloads


def workload(name: str) -> Workload:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "web"}]}}
    return next(iter(workloads(pod, DEFAULT_KINDS)))


@pytest.mark.parametrize("length", [62, 63, 64, 65, 253])
def test_cuts_only_names_longer_than_a_dns_label(length: int) -> None:
    name = "w" * (length - len("-logger"))
    found = companion_name(workload(name), "logger")
    assert check_dns_label(found) is None
    assert (found == f"{name}-logger") is (length <= 63)


@pytest.mark.parametrize("length", [64, 80])
def test_cut_names_are_unique(length: int) -> None:
    name = "w" * (length - len("-agent-1"))
    first, second = (companion_name(workload(name), instance) for instance in ("agent-1", "agent-2"))
    assert first != second
