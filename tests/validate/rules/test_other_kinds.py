"""Rules about Services, ConfigMaps, Secrets, autoscalers, disruption budgets, Ingresses, and claims."""

from __future__ import annotations

from typing import Any

import pytest
from object_cases import Case, findings, places, thing

PORT = {"name": "http", "port": 80}


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return thing("v1", "Service", spec={"ports": list(ports) or [PORT], **spec})


def secret(own: str, **data: str) -> dict[str, Any]:
    return thing("v1", "Secret", type=own, stringData={key.replace("_", "."): text for key, text in data.items()})


def scaler(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    own = {"scaleTargetRef": target, "maxReplicas": 3, **spec, **({"metrics": list(metrics)} if metrics else {})}
    return thing("autoscaling/v2", "HorizontalPodAutoscaler", spec=own)


def cpu(**target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", **target}}}


def paced(**rules: Any) -> dict[str, Any]:
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    return scaler(behavior={"scaleUp": {"policies": policies, **rules}})


def budget(**spec: Any) -> dict[str, Any]:
    return thing("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "web"}}, **spec})


BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def ingress(backend: Any = BACKEND, path: str | None = "/", kind: str = "Prefix", **spec: Any) -> dict[str, Any]:
    rule = {"host": "a.b", "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}
    return thing("networking.k8s.io/v1", "Ingress", spec={"rules": [rule], **spec})


def claim(**spec: Any) -> dict[str, Any]:
    own = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return thing("v1", "PersistentVolumeClaim", spec={**own, **spec})


PATH = "spec.rules[0].http.paths[0]"
CASES = [
    Case("none", "invalid-service-port", service(ports=[]), "spec.ports", service(ports=[], clusterIP="None")),
    Case(
        "a port without a name among several",
        "invalid-service-port",
        service(PORT, {"port": 81}),
        "spec.ports[1].name",
        service({"port": 81}),
    ),
    Case(
        "a duplicate name",
        "invalid-service-port",
        service(PORT, {"name": "http", "port": 81}),
        "spec.ports[1].name",
        service(PORT, {"name": "b", "port": 80, "protocol": "UDP"}),
    ),
    Case("a name with a dot", "invalid-service-port", service({"name": "a.b", "port": 1}), "spec.ports[0].name"),
    Case("number 0", "invalid-service-port", service({"port": 0}), "spec.ports[0].port", service({"port": 65535})),
    Case(
        "a target's number",
        "invalid-service-port",
        service({"port": 1, "targetPort": 65536}),
        "spec.ports[0].targetPort",
        service({"port": 1, "targetPort": "http"}),
    ),
    Case(
        "a target's name",
        "invalid-service-port",
        service({"port": 1, "targetPort": "a--b"}),
        "spec.ports[0].targetPort",
    ),
    Case("a number twice", "invalid-service-port", service(PORT, {"name": "b", "port": 80}), "spec.ports[1]"),
    Case(
        "a protocol",
        "invalid-service-port",
        service({"port": 1, "appProtocol": "a b"}),
        "spec.ports[0].appProtocol",
        service({"port": 1, "appProtocol": "kubernetes.io/h2c"}),
    ),
    Case(
        "a nodePort with type ClusterIP",
        "invalid-service-type",
        service({"port": 1, "nodePort": 30000}),
        "spec.ports[0].nodePort",
        service({"port": 1, "nodePort": 30000}, type="NodePort"),
    ),
    Case(
        "a duplicate nodePort",
        "invalid-service-type",
        service({**PORT, "nodePort": 30000}, {"name": "b", "port": 81, "nodePort": 30000}, type="LoadBalancer"),
        "spec.ports[1].nodePort",
    ),
    Case(
        "a headless Service with type NodePort",
        "invalid-service-type",
        service(type="NodePort", clusterIP="None"),
        "spec.clusterIP",
        service(clusterIP="None"),
    ),
    Case("an address that is none", "invalid-service-type", service(clusterIP="10.0.0"), "spec.clusterIP"),
    Case(
        "no external name",
        "invalid-service-type",
        service(type="ExternalName"),
        "spec.externalName",
        service(type="ExternalName", externalName="a.b."),
    ),
    Case(
        "an external name",
        "invalid-service-type",
        service(type="ExternalName", externalName="a_b"),
        "spec.externalName",
    ),
    Case(
        "loadBalancerClass without type LoadBalancer",
        "invalid-service-type",
        service(loadBalancerClass="a"),
        "spec.loadBalancerClass",
        service(type="LoadBalancer", loadBalancerClass="a"),
    ),
    Case(
        "a session affinity timeout of 0 seconds",
        "invalid-service-type",
        service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 86400}}),
    ),
    Case(
        "a slash",
        "invalid-config-key",
        thing("v1", "ConfigMap", data={"a/b": "c"}),
        "data[a/b]",
        thing("v1", "ConfigMap", data={"A_b.c-d": ""}, binaryData={"e": ""}),
    ),
    Case("in both", "invalid-config-key", thing("v1", "ConfigMap", data={"a": "b"}, binaryData={"a": ""}), "data.a"),
    Case("of a Secret", "invalid-config-key", thing("v1", "Secret", data={"..a": ""}), "data[..a]"),
    Case(
        "one byte more than 1 MiB",
        "config-too-large",
        thing("v1", "ConfigMap", data={"a": "x" * (2**20 - 2)}, binaryData={"b": "eHh4"}),
        "data.a",
        thing("v1", "ConfigMap", data={"a": "x" * (2**20 - 2)}, binaryData={"b": "eHg="}),
    ),
    Case(
        "a certificate without a key",
        "invalid-secret-data",
        secret("kubernetes.io/tls", tls_crt=""),
        "type",
        secret("kubernetes.io/tls", tls_crt="", tls_key=""),
    ),
    Case(
        "no JSON",
        "invalid-secret-data",
        thing("v1", "Secret", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "eA=="}),
        "data[.dockerconfigjson]",
        thing("v1", "Secret", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "e30="}),
    ),
    Case(
        "neither user nor password",
        "invalid-secret-data",
        secret("kubernetes.io/basic-auth"),
        "type",
        secret("kubernetes.io/basic-auth", password=""),
    ),
    Case(
        "an empty key",
        "invalid-secret-data",
        thing("v1", "Secret", type="kubernetes.io/ssh-auth", stringData={"ssh-privatekey": ""}),
        "stringData[ssh-privatekey]",
    ),
    Case(
        "a token without a service account",
        "invalid-secret-data",
        secret("kubernetes.io/service-account-token"),
        "type",
    ),
    Case("none at most", "invalid-autoscaler-bounds", scaler(maxReplicas=0), "spec.maxReplicas", scaler(maxReplicas=1)),
    Case(
        "maxReplicas below minReplicas",
        "invalid-autoscaler-bounds",
        scaler(minReplicas=4),
        "spec.maxReplicas",
        scaler(minReplicas=3),
    ),
    Case("a negative number", "invalid-autoscaler-bounds", scaler(minReplicas=-1), "spec.minReplicas"),
    Case("none, before 1.37", "invalid-autoscaler-bounds", scaler(minReplicas=0), "spec.minReplicas", version="1.36"),
    Case(
        "minReplicas 0 with a cpu metric",
        "invalid-autoscaler-bounds",
        scaler(cpu(averageUtilization=5), minReplicas=0),
        "spec.minReplicas",
    ),
    Case(
        "a target's kind",
        "invalid-autoscaler-bounds",
        scaler(scaleTargetRef={"apiVersion": "apps/v1", "kind": "a/b", "name": "c"}),
        "spec.scaleTargetRef.kind",
    ),
    Case(
        "a target without a group",
        "invalid-autoscaler-bounds",
        scaler(scaleTargetRef={"apiVersion": "v1", "kind": "Deployment", "name": "web"}),
        "spec.scaleTargetRef.apiVersion",
        scaler(scaleTargetRef={"apiVersion": "v1", "kind": "ReplicationController", "name": "web"}),
    ),
    Case(
        "no target",
        "invalid-autoscaler-metric",
        scaler(cpu()),
        "spec.metrics[0].resource.target.averageUtilization",
        scaler(cpu(averageUtilization=80)),
    ),
    Case(
        "two targets",
        "invalid-autoscaler-metric",
        scaler(cpu(averageUtilization=80, averageValue=1)),
        "spec.metrics[0].resource.target.averageValue",
    ),
    Case(
        "a target of zero",
        "invalid-autoscaler-metric",
        scaler(cpu(averageUtilization=0)),
        "spec.metrics[0].resource.target.averageUtilization",
    ),
    Case(
        "an unknown target",
        "invalid-autoscaler-metric",
        scaler(cpu(averageUtilization=5, type="Average")),
        "spec.metrics[0].resource.target.type",
    ),
    Case("no source", "invalid-autoscaler-metric", scaler({"type": "Resource"}), "spec.metrics[0].resource"),
    Case(
        "another source",
        "invalid-autoscaler-metric",
        scaler(
            {
                **cpu(averageUtilization=5),
                "pods": {"metric": {"name": "a"}, "target": {"type": "AverageValue", "averageValue": 1}},
            }
        ),
        "spec.metrics[0].pods",
    ),
    Case(
        "a window of more than one hour",
        "invalid-autoscaler-behavior",
        paced(stabilizationWindowSeconds=3601),
        "spec.behavior.scaleUp.stabilizationWindowSeconds",
        paced(stabilizationWindowSeconds=3600),
    ),
    Case(
        "a period of more than half an hour",
        "invalid-autoscaler-behavior",
        paced(policies=[{"type": "Pods", "value": 1, "periodSeconds": 1801}]),
        "spec.behavior.scaleUp.policies[0].periodSeconds",
        paced(policies=[{"type": "Percent", "value": 500, "periodSeconds": 1800}]),
    ),
    Case("no policy", "invalid-autoscaler-behavior", paced(policies=[]), "spec.behavior.scaleUp.policies"),
    Case(
        "both",
        "invalid-disruption-budget",
        budget(minAvailable=1, maxUnavailable=1),
        "spec.maxUnavailable",
        budget(minAvailable=0),
    ),
    Case(
        "a count above completions",
        "invalid-disruption-budget",
        budget(minAvailable="101%"),
        "spec.minAvailable",
        budget(minAvailable="100%"),
    ),
    Case("no number", "invalid-disruption-budget", budget(maxUnavailable="one"), "spec.maxUnavailable"),
    Case(
        "an address",
        "invalid-ingress-host",
        ingress(rules=[{"host": "10.0.0.1"}]),
        "spec.rules[0].host",
        ingress(rules=[{"host": "*.a.b"}]),
    ),
    Case("a wildcard inside", "invalid-ingress-host", ingress(rules=[{"host": "a.*.b"}]), "spec.rules[0].host"),
    Case(
        "a name in a certificate",
        "invalid-ingress-host",
        ingress(tls=[{"hosts": ["a.b", "A"]}]),
        "spec.tls[0].hosts[1]",
        ingress(tls=[{"hosts": ["*.b"], "secretName": ""}]),
    ),
    Case("a Secret", "invalid-ingress-host", ingress(tls=[{"secretName": "A"}]), "spec.tls[0].secretName"),
    Case("a class", "invalid-ingress-host", ingress(ingressClassName="A"), "spec.ingressClassName"),
    Case(
        "nothing at all",
        "invalid-ingress-backend",
        ingress(rules=[]),
        "spec",
        ingress(rules=[], defaultBackend=BACKEND),
    ),
    Case("no backend", "invalid-ingress-backend", ingress({}), f"{PATH}.backend", ingress()),
    Case("no port", "invalid-ingress-backend", ingress({"service": {"name": "a"}}), f"{PATH}.backend"),
    Case(
        "a port's name",
        "invalid-ingress-backend",
        ingress({"service": {"name": "a", "port": {"name": "a--b"}}}),
        f"{PATH}.backend.service.port.name",
        ingress({"service": {"name": "a", "port": {"name": "http"}}}),
    ),
    Case(
        "a port's name and number",
        "invalid-ingress-backend",
        ingress({"service": {"name": "a", "port": {"name": "a", "number": 1}}}),
        f"{PATH}.backend",
    ),
    Case(
        "a Service's name",
        "invalid-ingress-backend",
        ingress({"service": {"name": "A", "port": {"number": 1}}}),
        f"{PATH}.backend.service.name",
    ),
    Case("a relative path", "invalid-ingress-backend", ingress(path="a"), f"{PATH}.path", ingress(path="/a")),
    Case(
        "no path",
        "invalid-ingress-backend",
        ingress(path=None),
        f"{PATH}.path",
        ingress(path=None, kind="ImplementationSpecific"),
    ),
    Case("a path with ..", "invalid-ingress-backend", ingress(path="/a/.."), f"{PATH}.path", ingress(path="/a/..b")),
    Case(
        "no storage",
        "invalid-volume-claim",
        claim(resources={}),
        "spec.resources.requests.storage",
        claim(storageClassName=""),
    ),
    Case("no access", "invalid-volume-claim", claim(accessModes=[]), "spec.accessModes"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_ignores_same_kind_names_in_other_groups() -> None:
    assert (
        findings(thing("serving.knative.dev/v1", "Service", spec={"type": "ClusterIP"}), names=["invalid-service-port"])
        == []
    )
    assert findings(thing("example.com/v1", "ConfigMap", data={"a/b": "c"}), names=["invalid-config-key"]) == []
