"""Export of compositions as in-cluster policies or as patches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sidecarctl.composition.select import Selection
from sidecarctl.integrations.exports import patches, policies, sidecarset
from sidecarctl.integrations.exports.injection import ExportFile


@dataclass(frozen=True)
class PolicyEngine:
    """An in-cluster policy engine: the export needs the composition only, no manifests."""

    export: Callable[[Selection], list[ExportFile]]


@dataclass(frozen=True)
class PatchEngine:
    """A tool that applies patches: the export compares manifests before and after `render`."""

    export: Callable[[patches.ManifestPatches, str], list[ExportFile]]


ENGINES: Mapping[str, PolicyEngine | PatchEngine] = {
    "mutatingadmissionpolicy": PolicyEngine(lambda selection: policies.export(policies.ADMISSION, selection)),
    "kyverno": PolicyEngine(lambda selection: policies.export(policies.KYVERNO, selection)),
    "sidecarset": PolicyEngine(sidecarset.export),
    "kustomize-component": PatchEngine(patches.render_component),
    "json-patch": PatchEngine(patches.render_patch_list),
}
