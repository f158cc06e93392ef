"""Rules about requests, limits, claims, pod-level resources, and resize policies."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, list_findings, manifest

ROLES = ("app", "classic", "init", "sidecar")


def ask(resources: str, role: str = "app", more: str = "") -> str:
    return container(f"resources: {resources}", role, more=more)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("resources", "want"),
    [
        ("{limits: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi}, requests: {cpu: 1m}}", []),
        ("{limits: {mem: 1Gi}}", ["invalid-resource-name limits.mem"]),
        ("{limits: {pods: 1}}", ["invalid-resource-name limits.pods"]),
        ("{requests: {storage: 1Gi}}", ["invalid-resource-name requests.storage"]),
        ("{limits: {example.com/gpu: 1}, requests: {example.com/gpu: 1}}", []),
        ("{limits: {kubernetes.io/x: 1}}", []),
        ("{limits: {requests.example.com/gpu: 1}}", ["invalid-resource-name limits.requests.example.com/gpu"]),
        ("{limits: {EXAMPLE.com/gpu: 1}}", ["invalid-resource-name limits.EXAMPLE.com/gpu"]),
        ("{limits: {cpu: -1}}", ["negative-quantity limits.cpu"]),
        ("{requests: {cpu: -1m}}", ["negative-quantity requests.cpu"]),
        ("{requests: {cpu: 0}}", []),
        ("{limits: {example.com/gpu: 1500m}}", ["fractional-resource limits.example.com/gpu"]),
        ("{limits: {example.com/gpu: 2000m}}", []),
        ("{limits: {cpu: 1500m}}", []),
        ("{limits: {cpu: 1}, requests: {cpu: 1001m}}", ["request-over-limit requests.cpu"]),
        ("{limits: {cpu: 1}, requests: {cpu: 1000m}}", []),
        ("{limits: {cpu: 1Ki}, requests: {cpu: 1k}}", []),
        ("{limits: {memory: 1G}, requests: {memory: 1Gi}}", ["request-over-limit requests.memory"]),
        ("{limits: {memory: null}, requests: {memory: 1Gi}}", ["request-over-limit requests.memory"]),
        ("{limits: {memory: 1Gi}, requests: {memory: null}}", []),
        ("{limits: {memory: one}, requests: {memory: 1Gi}}", []),
        ("{requests: {memory: 1Gi}}", []),
        ("{requests: {example.com/gpu: 1}}", ["request-limit-mismatch requests.example.com/gpu"]),
        (
            "{limits: {example.com/gpu: 2}, requests: {example.com/gpu: 1}}",
            ["request-limit-mismatch requests.example.com/gpu"],
        ),
        (
            "{limits: {example.com/gpu: 1}, requests: {example.com/gpu: 2}}",
            ["request-limit-mismatch requests.example.com/gpu"],
        ),
        ("{limits: {hugepages-2Mi: 4Mi, cpu: 1}}", []),
        ("{limits: {hugepages-2Mi: 4Mi}}", ["invalid-huge-pages "]),
        ("{limits: {hugepages-2Mi: 3Mi, cpu: 1}}", ["invalid-huge-pages limits.hugepages-2Mi"]),
        ("{limits: {hugepages-big: 3Mi, cpu: 1}}", ["invalid-huge-pages limits.hugepages-big"]),
        (
            "{limits: {hugepages-2Mi: 4Mi, cpu: 1}, requests: {hugepages-2Mi: 2Mi}}",
            ["request-limit-mismatch requests.hugepages-2Mi"],
        ),
        ("{limits: {1: 1}, requests: []}", ["invalid-resource-name limits.1"]),
    ],
)
def test_rejects_invalid_requests_and_limits_in_every_role(role: str, resources: str, want: list[str]) -> None:
    place = f"{LISTS[role]}[0].resources"
    assert list_findings(ask(resources, role)) == [one.replace(" ", f" {place}.", 1).rstrip(".") for one in want]


class TestClaims:
    CLAIMS = "resourceClaims: [{name: gpu, resourceClaimName: a}, {name: net, resourceClaimName: b}]\n"

    @pytest.mark.parametrize(
        ("claims", "where"),
        [
            ("[{name: gpu}, {name: net}]", []),
            ("[{name: gpu, request: a}, {name: gpu, request: b}]", []),
            ("[{name: none}]", ["[0]"]),
            ("[{name: ''}]", ["[0]"]),
            ("[{name: gpu}, {name: gpu}]", ["[1]"]),
            ("[{name: gpu, request: a}, {name: gpu, request: a}]", ["[1]"]),
            ("[{name: gpu}, {name: gpu, request: a}]", ["[1]"]),
            ("[{name: gpu, request: a}, {name: gpu}]", ["[1]"]),
            ("[{name: gpu, request: A}]", ["[0].request"]),
        ],
    )
    def test_rejects_unknown_and_duplicate_claims(self, claims: str, where: list[str]) -> None:
        text = ask(f"{{claims: {claims}}}", more=self.CLAIMS)
        assert list_findings(text, "invalid-resource-claim") == [
            f"invalid-resource-claim containers[0].resources.claims{one}" for one in where
        ]

    def test_ignores_claims_before_1_34(self) -> None:
        assert list_findings(ask("{claims: [{name: none}]}"), "invalid-resource-claim", version="1.33") == []


def whole(own: str, *containers: str) -> str:
    listed = ", ".join(f"{{name: c{number}, image: a, resources: {one}}}" for number, one in enumerate(containers))
    return manifest(f"resources: {own}\ncontainers: [{listed}]" if containers else f"resources: {own}")


class TestPodLevelResources:
    @pytest.mark.parametrize(
        ("own", "containers", "want"),
        [
            ("{requests: {cpu: 1}}", ["{requests: {cpu: 500m}}", "{requests: {cpu: 500m}}"], []),
            (
                "{requests: {cpu: 1}}",
                ["{requests: {cpu: 500m}}", "{requests: {cpu: 501m}}"],
                ["pod-resources-too-small resources.requests.cpu"],
            ),
            ("{requests: {cpu: 1}}", ["{limits: {cpu: 2}}"], ["pod-resources-too-small resources.requests.cpu"]),
            (
                "{limits: {cpu: 1}}",
                ["{limits: {cpu: 1}, requests: {cpu: 1m}}", "{limits: {cpu: 1}, requests: {cpu: 1m}}"],
                [],
            ),
            (
                "{limits: {cpu: 1}}",
                ["{limits: {cpu: 2}, requests: {cpu: 1m}}"],
                ["pod-resources-too-small containers[0].resources.limits.cpu"],
            ),
            (
                "{limits: {hugepages-2Mi: 2Mi, cpu: 1}}",
                ["{limits: {hugepages-2Mi: 2Mi, cpu: 1m}}", "{limits: {hugepages-2Mi: 2Mi, cpu: 1m}}"],
                ["pod-resources-too-small resources.limits.hugepages-2Mi"],
            ),
            ("{requests: {cpu: 2}, limits: {cpu: 1}}", [], ["request-over-limit resources.requests.cpu"]),
            ("{requests: {cpu: -1}}", [], ["negative-quantity resources.requests.cpu"]),
            ("{limits: {ephemeral-storage: 1}}", [], ["invalid-resource-name resources.limits.ephemeral-storage"]),
            ("{limits: {example.com/gpu: 1}}", [], ["invalid-resource-name resources.limits.example.com/gpu"]),
            ("{claims: []}", [], ["unsupported-pod-resource resources.claims"]),
            ("{}", [], []),
            ("null", [], []),
        ],
    )
    def test_rejects_small_pod_level_resources_since_1_34(
        self, own: str, containers: list[str], want: list[str]
    ) -> None:
        text = whole(own, *containers)
        assert list_findings(text, version="1.34") == want
        assert list_findings(text, version="1.33") == []

    def test_sums_sidecars_but_not_init_containers(self) -> None:
        spec = "resources: {requests: {cpu: 1}}\ninitContainers: [{name: a, image: a, resources: {requests: {cpu: 1}}%s}]\n"
        app = "containers: [{name: b, image: b, resources: {requests: {cpu: 1m}}}]"
        assert list_findings(manifest(spec % "" + app)) == []
        assert list_findings(manifest(spec % ", restartPolicy: Always" + app)) == [
            "pod-resources-too-small resources.requests.cpu"
        ]

    def test_rejects_pod_level_resources_on_windows(self) -> None:
        text = manifest("os: {name: windows}\nresources: {limits: {cpu: 1}}")
        assert list_findings(text) == ["unsupported-pod-resource resources"]


class TestResizing:
    @pytest.mark.parametrize(
        ("role", "policies", "version", "where"),
        [
            (
                "app",
                "[{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: NotRequired}]",
                "1.33",
                ["[1]"],
            ),
            (
                "app",
                "[{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: NotRequired}]",
                "1.32",
                [],
            ),
            ("app", "[{resourceName: cpu, restartPolicy: ''}]", "1.37", ["[0].restartPolicy"]),
            ("init", "[{resourceName: cpu, restartPolicy: RestartContainer}]", "1.35", []),
            ("init", "[{resourceName: cpu, restartPolicy: RestartContainer}]", "1.36", ["[0].restartPolicy"]),
            ("init", "[{resourceName: cpu, restartPolicy: NotRequired}]", "1.36", []),
            ("sidecar", "[{resourceName: cpu, restartPolicy: RestartContainer}]", "1.36", []),
        ],
    )
    def test_rejects_resize_policies_by_role_and_version(
        self, role: str, policies: str, version: str, where: list[str]
    ) -> None:
        found = list_findings(container(f"resizePolicy: {policies}", role), "invalid-resize-policy", version=version)
        assert found == [f"invalid-resize-policy {LISTS[role]}[0].resizePolicy{one}" for one in where]

    def test_rejects_restart_for_resize_in_pod_that_never_restarts(self) -> None:
        text = container(
            "resizePolicy: [{resourceName: cpu, restartPolicy: RestartContainer}]", more="restartPolicy: Never"
        )
        assert list_findings(text) == ["invalid-resize-policy containers[0].resizePolicy[0].restartPolicy"]
