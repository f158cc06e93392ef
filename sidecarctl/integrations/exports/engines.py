"""The engines that a composition can be exported to: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sidecarctl.composition.select import Selection
from sidecarctl.integrations.exports import patches, policies, sidecarset
from sidecarctl.integrations.exports.injection import File


@dataclass(frozen=True)
class Policies:
    """An engine that decides in the cluster: it is told the composition and sees no manifests."""

    export: Callable[[Selection], list[File]]


@dataclass(frozen=True)
class Patches:
    """A program that is given patches: they are made from manifests."""

    export: Callable[[patches.Rendered, str], list[File]]


ENGINES: Mapping[str, Policies | Patches] = {
    "mutatingadmissionpolicy": Policies(lambda chosen: policies.export(policies.ADMISSION, chosen)),
    "kyverno": Policies(lambda chosen: policies.export(policies.KYVERNO, chosen)),
    "sidecarset": Policies(sidecarset.export),
    "kustomize-component": Patches(patches.component),
    "json-patch": Patches(patches.by_workload),
}
