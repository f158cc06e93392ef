"""The rule about PersistentVolumeClaims; what a claim needs, the claims of ephemeral volumes need too."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import Context, Problems, rule
from sidecarctl.validate.rules.claims import claim_faults
from sidecarctl.validate.views import ObjectView


@rule(
    "volume-claim",
    Severity.ERROR,
    scope="object",
    kinds=("PersistentVolumeClaim",),
    fix="Give the claim its access modes and a request of storage.",
)
def volume_claim(one: ObjectView, ctx: Context) -> Problems:
    """A claim does not say what it claims.

    The API server wants access modes that go together, a request of storage, and well-formed names of classes and
    sources.
    """
    if one.group == "" and isinstance(one.value.get("spec"), dict):
        yield from claim_faults(one.spec, one.at("spec"))
