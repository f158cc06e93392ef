"""The API server's own code gives the same verdict and place for the cases of the rule tests."""

from __future__ import annotations

import re

import oracle
import pytest
import test_controllers
import test_jobs
import test_metadata
import test_other_kinds
import test_pod_network
import test_scheduling
import test_security
from object_cases import Case, as_text

from sidecarctl.kube.versions import NEWEST

MODULES = (
    test_controllers,
    test_jobs,
    test_metadata,
    test_other_kinds,
    test_pod_network,
    test_scheduling,
    test_security,
)
CASES = [case for module in MODULES for case in module.CASES if case.version == NEWEST]

# Where the server writes a path otherwise than the manifest has it.
RESPELLED = (
    (r"\.template\.(labels|annotations)\b", r".template.metadata.\1"),
    (r"\bHost(PID|IPC)\b", r"host\1"),
    (r"(Affinity\..*)\.namespace$", r"\1.namespaces"),
    (r"\.\{topologyKey, whenUnsatisfiable\}$", ""),
    (r"\.overhead\.limits\[(\w+)\]", r".overhead.\1"),
    (r"\bspec\.resources\[storage\]", "spec.resources.requests.storage"),
    (r"\.template\.spec\.volumes\[(\d+)\]\.name", r".volumeClaimTemplates[\1].metadata.name"),
    (r"topologySpreadConstraints\[(\d+)\]\[(\d+)\]", r"topologySpreadConstraints[\1].matchLabelKeys[\2]"),
    (r"annotations\.(.*)$", r"annotations[\1]"),
    (r"^data\[([a-z]+)\]$", r"data.\1"),
    (r"\.deprecatedServiceAccount$", ".serviceAccount"),
)
# The server names the first of two that are the same, the rules the second; the rules name what was written.
ELSEWHERE = {
    ("invalid-service-type", "spec.clusterIPs[0]"): "spec.clusterIP",
    ("invalid-service-type", "spec.clusterIPs"): "spec.clusterIP",
    ("config-too-large", "[]"): "data",
    ("job-name-too-long", "metadata.labels"): "metadata.name",
    ("job-name-too-long", "spec.template.metadata.labels"): "metadata.name",
    ("invalid-topology-spread", "spec.topologySpreadConstraints[0]"): "spec.topologySpreadConstraints[1]",
    ("invalid-pod-reference", "spec.serviceAccountName"): "spec.serviceAccount",
    # What is missing is shown at what asks for it.
    ("invalid-progress-deadline", "spec.progressDeadlineSeconds"): "spec.minReadySeconds",
    ("invalid-autoscaler-bounds", "spec.metrics"): "spec.minReplicas",
    ("invalid-indexed-job", "spec.completions"): "spec.completionMode",
    ("invalid-indexed-job", "spec.jobTemplate.spec.completions"): "spec.jobTemplate.spec.completionMode",
    ("invalid-secret-data", "data[tls.key]"): "type",
    ("invalid-secret-data", "data.username"): "type",
    ("invalid-secret-data", "data[ssh-privatekey]"): "stringData[ssh-privatekey]",
    ("invalid-secret-data", "metadata.annotations[kubernetes.io/service-account.name]"): "type",
    ("invalid-dns-config", "spec.dnsConfig"): "spec.dnsPolicy",
    ("invalid-host-process", "spec.hostNetwork"): "spec.securityContext.windowsOptions.hostProcess",
}


def respelled(field: str) -> str:
    for pattern, text in RESPELLED:
        field = re.sub(pattern, text, field)
    return field


@pytest.mark.e2e
@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_api_server_agrees_on_verdict_and_place() -> None:
    good = [case for case in CASES if case.good]
    texts = [as_text(case.bad) for case in CASES] + [as_text(case.good) for case in good if case.good]
    verdicts = oracle.verdicts(texts)
    wrong = [said for case, verdict in zip(CASES, verdicts) if (said := _disagreement(case, verdict))]
    for case, verdict in zip(good, verdicts[len(CASES) :]):
        if not verdict.accepted:
            wrong.append(f"{case}: the good one is refused: {verdict.problems}")
    assert not wrong, "\n".join(wrong)


def _disagreement(case: Case, verdict: oracle.Verdict) -> str:
    if verdict.accepted:
        return "" if case.accepted else f"{case}: the bad one is accepted"
    fields = {respelled(field) for field in verdict.fields}
    fields |= {ELSEWHERE.get((case.rule, field), field) for field in fields}
    if case.accepted or not any(case.at.startswith(field) for field in fields):
        return f"{case}: we say {case.at}, the server {sorted(verdict.fields)}"
    return ""
