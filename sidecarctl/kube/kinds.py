"""Which kinds hold a pod template, and where. Chosen by group and kind: a Knative Service is no Service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sidecarctl.lazy_dataclass import dataclass

GroupKind = tuple[str, str]
Steps = tuple[str, ...]

_TEMPLATE: Steps = ("spec", "template")

# (group, kind) -> path of the object that has the pod's `metadata` and `spec`.
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
    # Removed groups that old manifests still name; `removed-api` says so, the shape is the same.
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

# Pods of these run to completion: a container that never ends keeps them from finishing.
RUN_TO_COMPLETION: frozenset[GroupKind] = frozenset(
    {("batch", "Job"), ("batch", "CronJob"), ("batch.volcano.sh", "Job")}
)

# Where the number of pods stands.
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
    """The table that a run uses: the built-in kinds, the known custom ones, and those of a composition.

    A path step `*` stands for every item of a list.
    """

    templates: Mapping[GroupKind, Steps] = field(default_factory=lambda: {**BUILT_IN, **CUSTOM})

    def template_path(self, api_version: str, kind: str) -> Steps | None:
        """Return where the pod template of a kind stands, None for a kind that has none."""
        return self.templates.get((group_of(api_version), kind))

    def names(self) -> frozenset[str]:
        """Return the kind names in the table."""
        return frozenset(kind for _, kind in self.templates)

    def with_custom(self, more: Mapping[GroupKind, Steps]) -> Kinds:
        """Return the table with more kinds; they win."""
        return Kinds({**self.templates, **more})


DEFAULT_KINDS = Kinds()


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion: `apps/v1` is in `apps`, `v1` in the core group ``""``."""
    return api_version.rpartition("/")[0]
