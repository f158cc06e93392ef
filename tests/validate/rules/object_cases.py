"""Build manifests for rule tests, run rules on them, and compare the places of findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.kube.versions import NEWEST
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context, rules

Data = dict[str, Any]

CONTAINER: Data = {"name": "app", "image": "registry.example/app:1.0.0"}
INIT: Data = {"name": "setup", "image": "registry.example/setup:1.0.0"}
SIDECAR: Data = {"name": "logger", "image": "registry.example/logger:1.0.0", "restartPolicy": "Always"}
LABELS: Data = {"app": "web"}


@dataclass(frozen=True)
class Case:
    """A manifest with a finding at a place, and a similar manifest without findings.

    says      description of the case
    at        path of the finding, in the format of `shown`
    good      None if the case has no good manifest of its own
    version   target Kubernetes version
    accepted  True if the API server accepts the bad manifest, and a later component rejects it
    """

    says: str
    rule: str
    bad: Data
    at: str
    good: Data | None = None
    version: str = NEWEST
    accepted: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.says}"


def pod(metadata: Data | None = None, **spec: Any) -> Data:
    """Return a Pod; arguments replace the default fields."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **(metadata or {})},
        "spec": {"containers": [CONTAINER], **spec},
    }


def template(metadata: Data | None = None, **spec: Any) -> Data:
    """Return a pod template with the labels that `controller` selects."""
    return {"metadata": {"labels": LABELS, **(metadata or {})}, "spec": {"containers": [CONTAINER], **spec}}


def controller(kind: str, metadata: Data | None = None, **spec: Any) -> Data:
    """Return a Deployment, StatefulSet, DaemonSet, ReplicaSet or ReplicationController."""
    old = kind == "ReplicationController"
    return {
        "apiVersion": "v1" if old else "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", **(metadata or {})},
        "spec": {"selector": LABELS if old else {"matchLabels": LABELS}, "template": template(), **spec},
    }


def job(metadata: Data | None = None, **spec: Any) -> Data:
    """Return a Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "import", **(metadata or {})},
        "spec": {"template": template(restartPolicy="Never"), **spec},
    }


def cron_job(metadata: Data | None = None, job_spec: Data | None = None, **spec: Any) -> Data:
    """Return a CronJob; `job_spec` is merged into its Job spec."""
    own = {"template": template(restartPolicy="Never"), **(job_spec or {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report", **(metadata or {})},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": own}, **spec},
    }


def thing(api_version: str, kind: str, metadata: Data | None = None, **fields: Any) -> Data:
    """Return an object of any kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", **(metadata or {})}, **fields}


def findings(document: Data, version: str = NEWEST, names: Iterable[str] = ()) -> list[Finding]:
    """Return the findings of the named rules, or of all API rules, in a document."""
    known = rules()
    chosen = [known[name] for name in names] or [one for one in known.values() if one.layer == "api"]
    return [finding for _, finding in check_documents([document], chosen, Context(version))]


def places(case: Case, document: Data) -> list[str]:
    """Return the places of the findings of a case's rule in a document."""
    return [shown(one.path) for one in findings(document, case.version, [case.rule])]


def shown(path: PathTuple) -> str:
    """Format a path as the API server does: `spec.containers[0].name`, with special keys in brackets."""
    text = ""
    for step in path:
        word = isinstance(step, str) and step.replace("_", "a").isalnum()
        text += f".{step}" if word else f"[{step}]"
    return text.removeprefix(".")


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, which is valid YAML."""
    return json.dumps(document)
