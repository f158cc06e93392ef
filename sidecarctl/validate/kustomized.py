"""What kustomize adds to the resources of a kustomization: a resource may lack it.

The result of `kustomize build` is checked like every other manifest.
"""

from __future__ import annotations

from sidecarctl.findings import Finding


def adds_missing_field(finding: Finding) -> bool:
    """Return True if kustomize adds the field that a finding reports as missing: the namespace of a subject."""
    path = finding.path
    return finding.rule == "invalid-role-binding" and path[:1] == ("subjects",) and path[-1] == "namespace"
