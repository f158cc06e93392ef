"""Rules about objects that are defined more than once."""

from __future__ import annotations

from collections import Counter
from os.path import normpath
from pathlib import Path

from sidecarctl.findings import Related, Severity
from sidecarctl.kube.workload import as_list, as_mapping, is_partial
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView, StreamView

_OWNER_ANNOTATION = "sidecarctl.dev/owner"
# Objects of different hooks are created at different times.
_HOOK_ANNOTATIONS = ("helm.sh/hook", "argocd.argoproj.io/hook")
_KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml")
_Key = tuple[object, ...]


@rule(
    "duplicate-object",
    Severity.ERROR,
    layer="advice",
    scope="stream",
    fix="Delete one of them, or give it another name or namespace.",
)
def duplicate_object(stream: StreamView, ctx: Context) -> Problems:
    """Two objects have the same kind, namespace, and name.

    The last one that is applied replaces the other, and `kustomize build` rejects both.

    This rule compares objects that are applied together: those of one file or of stdin, those of files that one
    kustomization of the same input lists as resources, and companions of the same workload. Other files can hold
    variants of an object on purpose, such as bases and overlays, environments, and examples, so they are not compared.
    All versions of an API group are one kind. Objects with generateName, partial objects such as kustomize patches, and
    objects of different Helm or Argo CD hooks are not duplicates.
    """
    partial = {pod.object.path for pod in stream.pods if is_partial(pod.workload)}
    groups: dict[_Key, list[ObjectView]] = {}
    for view in stream.objects:
        key = _key(view)
        if key is not None and view.path not in partial:
            groups.setdefault(key, []).append(view)
    repeated = [views for views in groups.values() if len(views) > 1]
    listed = _listed_files(stream) if repeated else {}
    workloads = Counter((pod.object.kind, pod.object.name) for pod in stream.pods) if repeated else Counter()
    for views in repeated:
        firsts: dict[object, int] = {}
        for number, view in enumerate(views):
            together = _find_groups(stream, view, listed, workloads)
            first = min(firsts.setdefault(group, number) for group in together)
            if first < number:
                related = (Related("first", views[first].at("metadata", "name")),)
                yield problem(view.at("metadata", "name"), f"duplicate object {view.label}", related=related)


def _key(view: ObjectView) -> _Key | None:
    """Return what identifies an object in a cluster, None for an object without a known name."""
    name = view.metadata.get("name")
    # A placeholder such as <NAME> can become a different name in each object.
    if not view.kind or not isinstance(name, str) or not name or "<" in name:
        return None
    annotations = as_mapping(view.metadata.get("annotations"))
    hooks = tuple(str(annotations.get(hook, "")) for hook in _HOOK_ANNOTATIONS)
    return view.group, view.kind, view.namespace, name, hooks


def _find_groups(
    stream: StreamView, view: ObjectView, listed: dict[str, set[str]], workloads: Counter[tuple[str, str]]
) -> list[object]:
    """Return what an object is applied together with: its file, kustomizations that list it, and its workload."""
    file = stream.file_of(view)
    owner = _owner(view)
    # With two workloads of this name, the files are variants, for example of two environments.
    owned = [owner] if owner is not None and workloads[owner] == 1 else []
    return [("file", file), *(("kustomization", each) for each in listed.get(normpath(file), ())), *owned]


def _listed_files(stream: StreamView) -> dict[str, set[str]]:
    """Return, for each file that kustomizations list as a resource, the files of these kustomizations."""
    listed: dict[str, set[str]] = {}
    for view in stream.objects:
        file = stream.file_of(view)
        # A kustomization file can omit apiVersion and kind.
        if view.kind == "Kustomization" or Path(file).name in _KUSTOMIZATION_FILES:
            for resource in as_list(view.value.get("resources")):
                if isinstance(resource, str):
                    listed.setdefault(normpath(Path(file).parent / resource), set()).add(file)
    return listed


def _owner(view: ObjectView) -> tuple[str, str] | None:
    """Return kind and name of the workload that a companion belongs to, None for another object."""
    owner = as_mapping(view.metadata.get("annotations")).get(_OWNER_ANNOTATION)
    parts = owner.split("/") if isinstance(owner, str) else []
    return (parts[0], parts[-2]) if len(parts) > 2 else None
