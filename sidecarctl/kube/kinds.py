"""Kinds with a pod template, by API group and kind, and the path of the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sidecarctl.lazy_dataclass import dataclass

GroupKind = tuple[str, str]
Steps = tuple[str, ...]

_TEMPLATE: Steps = ("spec", "template")

# Path of the mapping that has `metadata` and `spec` of the pod.
BUILT_IN: Mapping[GroupKind, Steps] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    # Removed groups in old manifests: the removed-api rule reports them, but the path is the same.
    ("extensions", "Deployment"): _TEMPLATE,
    ("extensions", "ReplicaSet"): _TEMPLATE,
    ("extensions", "DaemonSet"): _TEMPLATE,
}

CUSTOM: Mapping[GroupKind, Steps] = {
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("apps.kruise.io", "CloneSet"): _TEMPLATE,
    ("apps.kruise.io", "StatefulSet"): _TEMPLATE,
    ("apps.kruise.io", "DaemonSet"): _TEMPLATE,
    ("serving.knative.dev", "Service"): _TEMPLATE,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ("batch.volcano.sh", "Job"): ("spec", "tasks", "*", "template"),
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
}

# Pods of these kinds run to completion, so a container that never exits blocks them.
RUN_TO_COMPLETION: frozenset[GroupKind] = frozenset(
    {("batch", "Job"), ("batch", "CronJob"), ("batch.volcano.sh", "Job")}
)

# Path of the number of pods.
REPLICAS: Mapping[str, Steps] = {
    **dict.fromkeys(
        (
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "ReplicationController",
            "Rollout",
            "CloneSet",
            "DeploymentConfig",
        ),
        ("spec", "replicas"),
    ),
    "Job": ("spec", "parallelism"),
    "CronJob": ("spec", "jobTemplate", "spec", "parallelism"),
}


@dataclass(frozen=True)
class Kinds:
    """The kinds with a pod template that a run uses: built-in, known custom, and those of a composition.

    The path step `*` means every item of a list.
    """

    templates: Mapping[GroupKind, Steps] = field(default_factory=lambda: {**BUILT_IN, **CUSTOM})

    def template_path(self, api_version: str, kind: str) -> Steps | None:
        """Return the path of the pod template in objects of a kind, None for a kind without one."""
        return self.templates.get((group_of(api_version), kind))

    def names(self) -> frozenset[str]:
        """Return the kind names in the table."""
        return frozenset(kind for _, kind in self.templates)

    def with_custom(self, more: Mapping[GroupKind, Steps]) -> Kinds:
        """Return the kinds with additional ones, which take precedence."""
        return Kinds({**self.templates, **more})


DEFAULT_KINDS = Kinds()


def group_of(api_version: str) -> str:
    """Return the API group of an apiVersion: "apps" for "apps/v1", "" (the core group) for "v1"."""
    return api_version.rpartition("/")[0]
