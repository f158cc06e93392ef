"""Advice that needs two objects of one input: Services and autoscalers beside the workloads they are about."""

from __future__ import annotations

from typing import Any

import pytest
from advice_helpers import found, stream, where

from sidecarctl.findings import Severity


def service(target: object = "https", **spec: Any) -> dict[str, Any]:
    body = {"selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": target}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": body}


def port(name: str = "https", **more: Any) -> dict[str, Any]:
    return {"ports": [{"containerPort": 8443, "name": name, **more}]}


def deployment(
    app: dict[str, Any] | None = None, *, sidecar: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    labels = {"app": "web", "tier": "front"}
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": "x:1.0", **(app or {})}]}
    if sidecar is not None:
        spec["initContainers"] = [{"name": "proxy", "image": "x:1.0", "restartPolicy": "Always", **sidecar}]
    body = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", **metadata}, "spec": body}


TARGET = "ports[0].targetPort"


class TestNamedTargetPorts:
    NAME = "named-targetport-to-sidecar"

    @pytest.mark.parametrize(("version", "broken"), [("1.29", True), ("1.32", True), ("1.33", False)])
    def test_services_resolve_sidecar_ports_since_1_33(self, version: str, broken: bool) -> None:
        text = stream(service(), deployment(sidecar=port()))
        assert where(self.NAME, text, version) == ([TARGET] if broken else [])

    def test_finding_names_location_and_port(self) -> None:
        (finding,) = found(self.NAME, stream(deployment(sidecar=port()), service()), "1.31")
        assert finding.severity is Severity.ERROR
        assert finding.workload == "Service/web"
        assert finding.place is not None
        assert finding.place.line == 9
        assert finding.related[0].path[-4:] == ("initContainers", 0, "ports", 0, "name")[-4:]

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (service(8443), deployment(sidecar=port())),
            (service("8443"), deployment(sidecar=port())),
            (service(), deployment(port(), sidecar=port("other"))),
            (service(selector={"app": "other"}), deployment(sidecar=port())),
            (service(selector=None), deployment(sidecar=port())),
            (service(), deployment(sidecar=port(), namespace="prod")),
            (service(), deployment(sidecar=port(protocol="UDP"))),
        ],
        ids=["number", "number in quotes", "the app's", "other pods", "no selector", "other namespace", "UDP"],
    )
    def test_ignores_other_services(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert where(self.NAME, stream(one, other), "1.31") == []


class TestUnknownTargetPorts:
    NAME = "unknown-target-port"

    def test_service_has_no_endpoints(self) -> None:
        (finding,) = found(self.NAME, stream(service("tls"), deployment(port())))
        assert finding.message == 'unknown TCP port "tls" in Deployment/web (known: https)'
        assert finding.path == ("spec", "ports", 0, "targetPort")

    @pytest.mark.parametrize("pods", [deployment(port()), deployment(sidecar=port())], ids=["app", "sidecar"])
    def test_accepts_port_of_any_running_container(self, pods: dict[str, Any]) -> None:
        assert where(self.NAME, stream(service(), pods)) == []

    def test_compares_protocol(self) -> None:
        assert where(self.NAME, stream(service(), deployment(port(protocol="UDP")))) == [TARGET]

    def test_accepts_port_of_one_of_several_workloads(self) -> None:
        assert where(self.NAME, stream(service(), deployment({}), deployment(port()))) == []

    def test_ignores_service_without_workloads_in_input(self) -> None:
        assert where(self.NAME, stream(service())) == []


def scaler(*metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": list(metrics)},
        **more,
    }


def resource(name: str = "cpu", kind: str = "Utilization") -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": {"type": kind}}}


def of_container(container: str = "app") -> dict[str, Any]:
    target = {"name": "cpu", "container": container, "target": {"type": "Utilization"}}
    return {"type": "ContainerResource", "containerResource": target}


CPU = {"resources": {"requests": {"cpu": "100m"}}}


class TestAutoscalers:
    COUNTS, MISSING = "hpa-counts-sidecar", "hpa-missing-requests"

    def test_pod_metrics_count_sidecars(self) -> None:
        text = stream(scaler(of_container(), resource()), deployment(CPU, sidecar=CPU))
        (finding,) = found(self.COUNTS, text)
        assert finding.path == ("spec", "metrics", 1, "type")
        assert finding.message == 'cpu metric of Deployment/web includes sidecar "proxy"'

    def test_v1_autoscalers_count_sidecars(self) -> None:
        spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "targetCPUUtilizationPercentage": 70}
        text = stream(scaler(apiVersion="autoscaling/v1", spec=spec), deployment(CPU, sidecar=CPU))
        assert where(self.COUNTS, text) == ["targetCPUUtilizationPercentage"]

    def test_pod_metrics_count_native_sidecars_since_1_29(self) -> None:
        text = stream(scaler(resource()), deployment(CPU, sidecar=CPU))
        assert where(self.COUNTS, text, "1.28") == []
        assert where(self.COUNTS, text, "1.29") != []

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (scaler(of_container()), deployment(CPU, sidecar=CPU)),
            (scaler(resource()), deployment(CPU)),
            (scaler(resource()), deployment(CPU, sidecar=CPU, name="other")),
            (scaler(resource()), deployment(CPU, sidecar=CPU, namespace="prod")),
            (scaler({"type": "Pods"}), deployment(CPU, sidecar=CPU)),
        ],
        ids=["of one container", "no sidecar", "other workload", "other namespace", "other metric"],
    )
    def test_ignores_metrics_that_exclude_sidecars(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert where(self.COUNTS, stream(one, other)) == []

    def test_pod_utilization_needs_requests_of_all_containers(self) -> None:
        (finding,) = found(self.MISSING, stream(scaler(resource()), deployment(CPU, sidecar={})))
        assert finding.message == 'container "proxy" of Deployment/web has no cpu request'
        assert where(self.MISSING, stream(scaler(resource()), deployment(CPU, sidecar=CPU))) == []

    @pytest.mark.parametrize("metric", [of_container(), resource(kind="AverageValue")], ids=["of one", "by amount"])
    def test_ignores_requests_of_other_resources(self, metric: dict[str, Any]) -> None:
        assert where(self.MISSING, stream(scaler(metric), deployment(CPU, sidecar={}))) == []

    def test_container_utilization_needs_its_request(self) -> None:
        assert where(self.MISSING, stream(scaler(of_container("proxy")), deployment(CPU, sidecar={}))) != []

    def test_limit_counts_as_request(self) -> None:
        limited = {"resources": {"limits": {"cpu": "1"}}}
        assert where(self.MISSING, stream(scaler(resource()), deployment(limited))) == []
