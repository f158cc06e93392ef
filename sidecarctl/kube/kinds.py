"""Kinds with a pod template, by API group and kind, and the path of the template."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.stream import is_empty

GroupKind = tuple[str, str]
Steps = tuple[str, ...]
# The paths of all pod templates of a kind.
Templates = tuple[Steps, ...]

_TEMPLATE: Templates = (("spec", "template"),)

# Paths of the mappings that have `metadata` and `spec` of the pod.
BUILT_IN: Mapping[GroupKind, Templates] = {
    ("", "Pod"): ((),),
    ("", "PodTemplate"): (("template",),),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): (("spec", "jobTemplate", "spec", "template"),),
    # Removed groups in old manifests: the removed-api rule reports them, but the path is the same.
    ("extensions", "Deployment"): _TEMPLATE,
    ("extensions", "ReplicaSet"): _TEMPLATE,
    ("extensions", "DaemonSet"): _TEMPLATE,
}

_RAY: Templates = (
    ("spec", "headGroupSpec", "template"),
    ("spec", "workerGroupSpecs", "*", "template"),
)


def _below(prefix: Steps, templates: Templates) -> Templates:
    return tuple((*prefix, *steps[1:]) for steps in templates)


# Source: the CustomResourceDefinitions of these projects. `*` is every item of a list or every value of a mapping.
CUSTOM: Mapping[GroupKind, Templates] = {
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("apps.kruise.io", "CloneSet"): _TEMPLATE,
    ("apps.kruise.io", "StatefulSet"): _TEMPLATE,
    ("apps.kruise.io", "DaemonSet"): _TEMPLATE,
    ("apps.kruise.io", "BroadcastJob"): _TEMPLATE,
    ("apps.kruise.io", "AdvancedCronJob"): (("spec", "template", "jobTemplate", "spec", "template"),),
    ("serving.knative.dev", "Service"): _TEMPLATE,
    ("serving.knative.dev", "Configuration"): _TEMPLATE,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    ("batch.volcano.sh", "Job"): (("spec", "tasks", "*", "template"),),
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
    ("", "DeploymentConfig"): _TEMPLATE,  # the group of OpenShift 3, which `oc` still reads
    ("jobset.x-k8s.io", "JobSet"): (("spec", "replicatedJobs", "*", "template", "spec", "template"),),
    ("keda.sh", "ScaledJob"): (("spec", "jobTargetRef", "template"),),
    ("ray.io", "RayCluster"): _RAY,
    ("ray.io", "RayJob"): _below(("spec", "rayClusterSpec"), _RAY),
    ("ray.io", "RayService"): _below(("spec", "rayClusterConfig"), _RAY),
    ("kubeflow.org", "PyTorchJob"): (("spec", "pytorchReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "TFJob"): (("spec", "tfReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "MPIJob"): (("spec", "mpiReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "XGBoostJob"): (("spec", "xgbReplicaSpecs", "*", "template"),),
    ("agones.dev", "GameServer"): _TEMPLATE,
    ("agones.dev", "GameServerSet"): (("spec", "template", "spec", "template"),),
    ("agones.dev", "Fleet"): (("spec", "template", "spec", "template"),),
}

# Templates that an object can omit: LeaderWorkerSet then uses the worker template for the leader.
OPTIONAL_TEMPLATES: frozenset[Steps] = frozenset({("spec", "leaderWorkerTemplate", "leaderTemplate")})

# Kinds that run containers but have no pod template, and where their sidecars go instead.
WITHOUT_TEMPLATE: Mapping[GroupKind, str] = {
    **dict.fromkeys(
        (("argoproj.io", kind) for kind in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")),
        "Argo Workflows has no pod template: write sidecars to `sidecars` of each entry in spec.templates",
    ),
    **dict.fromkeys(
        (("tekton.dev", kind) for kind in ("Task", "ClusterTask", "TaskRun", "Pipeline", "PipelineRun")),
        "Tekton has no pod template: write sidecars to `sidecars` of the Task",
    ),
}

# Pods of these kinds run to completion, so a container that never exits blocks them. RayJob is not here: it deletes the
# pods of its cluster when the job ends.
RUN_TO_COMPLETION: frozenset[GroupKind] = frozenset(
    {
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("batch.volcano.sh", "Job"),
        ("jobset.x-k8s.io", "JobSet"),
        ("keda.sh", "ScaledJob"),
        ("apps.kruise.io", "BroadcastJob"),
        ("apps.kruise.io", "AdvancedCronJob"),
        ("kubeflow.org", "PyTorchJob"),
        ("kubeflow.org", "TFJob"),
        ("kubeflow.org", "MPIJob"),
        ("kubeflow.org", "XGBoostJob"),
    }
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

    The path step `*` means every item of a list and every value of a mapping.
    """

    templates: Mapping[GroupKind, Templates] = field(default_factory=lambda: {**BUILT_IN, **CUSTOM})

    def template_paths(self, api_version: str, kind: str) -> Templates:
        """Return the paths of the pod templates in objects of a kind, none for a kind without one."""
        return self.templates.get((group_of(api_version), kind), ())

    def names(self) -> frozenset[str]:
        """Return the kind names in the table."""
        return frozenset(kind for _, kind in self.templates)

    def with_custom(self, more: Mapping[GroupKind, Templates]) -> Kinds:
        """Return the kinds with additional ones, which take precedence."""
        return Kinds({**self.templates, **more})


DEFAULT_KINDS = Kinds()


def group_of(api_version: str) -> str:
    """Return the API group of an apiVersion: "apps" for "apps/v1", "" (the core group) for "v1"."""
    return api_version.rpartition("/")[0]


# A document without this text and without an escape has no pod spec, if its kind has none.
_HINT = "ontainers"


_KIND = lazy_pattern(r"^kind:[ \t]+([A-Za-z0-9]+)[ \t\r]*(?:#.*)?$", re.MULTILINE)


_API_VERSION = lazy_pattern(r"^apiVersion:[ \t]", re.MULTILINE)


# A document that begins with apiVersion and kind, each on one line, followed by another key at the margin: these lines
# cannot be part of a scalar, so they are the object's own fields.
_REST_OF_LINE = r"[ \t]*(?:[ \t]#[^\n\r]*)?\r?\n"
_LEADING = r"(?:[ \t]*(?:#[^\n\r]*)?\r?\n)*"
_HEAD = lazy_pattern(
    rf"{_LEADING}(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?"
    rf"kind:[ \t]+(?P<kind>[A-Z][A-Za-z0-9]*){_REST_OF_LINE}"
    rf"(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?(?=[A-Za-z])"
)
# They end a comment, too. As part of the expression they would take longer to compile than all the rest of it.
_RARE_BREAKS = "\x85\u2028\u2029"


def has_no_workload(text: str, kinds: Kinds) -> bool:
    """Return True if a document cannot contain a workload. Does not parse it; False means that it may contain one."""
    if is_empty(text):
        return True
    head = _HEAD.match(text)
    if head is not None and _has_none(head["kind"], kinds) and not any(rare in head.group() for rare in _RARE_BREAKS):
        # A merge key could set another kind, and `...` could end the document. rfind is several times as fast as find here.
        if text.rfind("<<") < 0 and text.rfind("\n...") < 0:
            return True
    if _HINT in text or "\\" in text:
        return False
    kind = _KIND.search(text)
    if kind is None or not _API_VERSION.search(text):
        return False
    return _has_none(kind.group(1), kinds)


def _has_none(kind: str, kinds: Kinds) -> bool:
    return kind not in kinds.names() and not kind.endswith("List")
