"""Where the labels and annotations that ask an injector for a sidecar stand in the expected manifest of a case.

Knows the metadata of Pods, workloads and CronJobs; knows no injector.
"""

from __future__ import annotations

from typing import Any

import yaml
from sidecar_cases import LIBRARY


def metadata(name: str, case: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the labels and annotations of a case's pod template, and those of each object around it."""
    folder = LIBRARY / name / "tests" / case
    document = next(yaml.safe_load_all((folder / "expected.yaml").read_text(encoding="utf-8")))
    around: list[dict[str, str]] = []
    while document.get("kind") != "Pod" and "containers" not in document["spec"]:
        around.append(_marks(document))
        inner = document["spec"]
        document = inner.get("jobTemplate") or inner["template"]
    return _marks(document), around


def _marks(document: dict[str, Any]) -> dict[str, str]:
    own = document.get("metadata") or {}
    return {**(own.get("labels") or {}), **(own.get("annotations") or {})}


def assert_only_the_pods_are_marked(name: str, case: str, *domains: str) -> dict[str, str]:
    """Return the pod template's marks of some domains; fail where an object around it has such a mark."""
    pods, around = metadata(name, case)
    assert not [key for marks in around for key in marks if key.split("/")[0].endswith(domains)]
    found = {key: value for key, value in pods.items() if key.split("/")[0].endswith(domains)}
    assert found and all(isinstance(value, str) for value in found.values())
    return found
