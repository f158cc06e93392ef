"""Fixtures: a report with one finding of each sort, and Hypothesis strategies for reports with any content."""

from __future__ import annotations

import pytest

from sidecarctl.findings import Finding, Ignored, Place, Related, Severity
from sidecarctl.results import InstanceChange, PodFacts, Report, RuleCard, WorkloadChange

PORT = Finding(
    "port-conflict",
    "containers web and logger both use port 8080/TCP",
    path=("spec", "template", "spec", "containers", 1, "ports", 0, "containerPort"),
    why="The containers of a pod share one network namespace.",
    help="give logger another port: --set port=8081",
    workload="Deployment/web",
    container="logger",
    role="sidecar",
    place=Place("k8s/web, prod.yaml", 24, 26, 24, 30, "        - containerPort: 8080"),
    related=(
        Related("first used here", ("spec",), Place("k8s/web, prod.yaml", 7, 26, 7, 30, "- containerPort: 8080")),
    ),
)
IMAGE = Finding(
    "floating-image",
    'the image "nginx" has no tag\x1b[2J | 100% <b>',
    Severity.WARNING,
    path=("spec", "template", "spec", "containers", 1, "image"),
    workload="Deployment/web",
    container="logger",
    role="classic",
    source="sidecar logger@1.0.0",
)
LABEL = Finding(
    "label-style",
    "label app.kubernetes.io/name is missing",
    Severity.INFO,
    path=("metadata", "labels", "a.b/c"),
    place=Place("-", 3, 1, 5, 1, "metadata:"),
)
CHANGE = WorkloadChange(
    "Deployment",
    "web",
    file="k8s/web, prod.yaml",
    line=2,
    instances=(
        InstanceChange(
            "added",
            "logger",
            "logger",
            "1.0.0",
            mode="native",
            parts=("container logger", "volume logger-logs", "mount /var/log/app in web"),
        ),
        InstanceChange(
            "updated",
            "metrics",
            "metrics",
            "1.2.0",
            previous="1.1.0",
            mode="native",
            reason="port 9113 → 9114",
        ),
    ),
    before=PodFacts({"cpu": "100m", "memory": "128Mi"}, {"memory": "128Mi"}, "Burstable"),
    after=PodFacts({"cpu": "150m", "memory": "192Mi"}, {"memory": "256Mi"}, "Burstable"),
    replicas=3,
    cost={"cpu": "150m", "memory": "192Mi"},
)
SKIPPED = WorkloadChange(
    "Job", "batch", "prod", "k8s/job.yaml", 1, skipped="annotated with sidecarctl.dev/inject: false"
)


@pytest.fixture
def report() -> Report:
    """Three findings (input, template, stdin), one ignored finding, and two workloads, one of them skipped."""
    return Report(
        "0.1.0",
        findings=(IMAGE, LABEL, PORT),
        ignored=(Ignored(PORT, "both bind to other addresses"),),
        changes=(CHANGE, SKIPPED),
        files=("k8s/web, prod.yaml", "k8s/job.yaml", "-"),
        rules=(
            RuleCard(
                "port-conflict",
                Severity.ERROR,
                "Two containers use one port.",
                "advice",
                "One network.",
                "Change one.",
            ),
        ),
        kube_version="1.34",
    )


@pytest.fixture
def clean() -> Report:
    """A report on two files without findings."""
    return Report("0.1.0", files=("a.yaml", "b.yaml"))
