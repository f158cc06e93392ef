"""What a walk of directories left out, as plain data, and why."""

from __future__ import annotations

from sidecarctl.lazy_dataclass import dataclass

CHART = "Helm chart"
KUSTOMIZATION = "kustomization"
PATCH = "patch"
PARTIAL = "partial object"
ASSERTION = "test assertion"
TEMPLATE = "template"
COMPOSITION = "sidecarctl file"
OTHER = "not a Kubernetes object"
EXCLUDED = "excluded"
IGNORED = "ignored by Git"
OUTPUT = "in the output directory"
VENDORED = "vendored"
HIDDEN = "hidden"

# In the order of reports.
REASONS = (
    CHART,
    KUSTOMIZATION,
    PATCH,
    PARTIAL,
    ASSERTION,
    TEMPLATE,
    COMPOSITION,
    OTHER,
    EXCLUDED,
    IGNORED,
    OUTPUT,
    VENDORED,
    HIDDEN,
)
# Listed by -v, but not counted: they are not expected to be read.
UNCOUNTED_REASONS = (VENDORED, HIDDEN)


@dataclass(frozen=True)
class Skipped:
    """A file or directory that was left out, and why: one of REASONS."""

    name: str
    reason: str
