"""Tests of effective pod resources and QoS classes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube import pod_resources
from sidecarctl.kube.quantity import format_readable, parse_quantity


def container(
    cpu: str = "", memory: str = "", cpu_limit: str = "", memory_limit: str = "", **more: Any
) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    limits = {name: value for name, value in (("cpu", cpu_limit), ("memory", memory_limit)) if value}
    return {"name": "c", "resources": {"requests": requests, "limits": limits}, **more}


def sidecar(*args: str, **more: Any) -> dict[str, Any]:
    return container(*args, **more, restartPolicy="Always")


def requests(pod: object, version: str = "1.34") -> dict[str, str]:
    return {
        name: format_readable(amount, name) for name, amount in pod_resources.effective_requests(pod, version).items()
    }


def test_adds_app_containers() -> None:
    assert requests({"containers": [container("100m", "64Mi"), container("1", "128Mi")]}) == {
        "cpu": "1100m",
        "memory": "192Mi",
    }


def test_init_container_counts_only_if_larger() -> None:
    assert requests({"containers": [container("1")], "initContainers": [container("500m")]}) == {"cpu": "1"}
    assert requests({"containers": [container("1")], "initContainers": [container("2")]}) == {"cpu": "2"}


def test_native_sidecar_adds_to_app_and_later_init_containers() -> None:
    pod = {
        "containers": [container("1")],
        "initContainers": [container("2"), sidecar("300m"), container("1900m"), sidecar("100m")],
    }
    assert requests(pod) == {"cpu": "2200m"}
    pod["containers"] = [container("3")]
    assert requests(pod) == {"cpu": "3400m"}


def test_native_sidecar_is_init_container_before_1_29() -> None:
    pod = {"containers": [container("1")], "initContainers": [sidecar("300m")]}
    assert requests(pod, "1.28") == {"cpu": "1"}
    assert requests(pod, "1.29") == {"cpu": "1300m"}


def test_requests_default_to_limits() -> None:
    assert requests({"containers": [container(cpu_limit="2", memory="1Gi", memory_limit="2Gi")]}) == {
        "cpu": "2",
        "memory": "1Gi",
    }


def test_overhead_adds_to_requests_and_existing_limits() -> None:
    pod = {"containers": [container("1", cpu_limit="2")], "overhead": {"cpu": "250m", "memory": "64Mi"}}
    assert requests(pod) == {"cpu": "1250m", "memory": "64Mi"}
    assert pod_resources.effective_limits(pod) == {"cpu": parse_quantity("2250m")}


def test_pod_level_resources_replace_sum_if_enabled() -> None:
    pod = {
        "containers": [container("1", "1Gi")],
        "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}},
    }
    assert requests(pod, "1.33") == {"cpu": "1", "memory": "1Gi"}
    assert requests(pod, "1.34") == {"cpu": "4", "memory": "1Gi"}
    assert pod_resources.effective_limits(pod, "1.34") == {"memory": parse_quantity("8Gi")}


def test_a_pod_level_limit_of_huge_pages_is_the_request_even_where_containers_ask() -> None:
    own = {"hugepages-2Mi": "64Mi", "memory": "1Gi"}
    pod = {
        "containers": [{"name": "c", "resources": {"requests": own, "limits": own}}],
        "resources": {"limits": {"hugepages-2Mi": "128Mi", "memory": "8Gi"}},
    }
    assert requests(pod) == {"hugepages-2Mi": "128Mi", "memory": "1Gi"}


def test_pod_level_request_defaults_to_pod_level_limit() -> None:
    pod = {
        "containers": [container()],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi", "example.com/gpu": "1"}},
    }
    assert requests(pod) == {"cpu": "2", "memory": "1Gi"}
    assert pod_resources.qos_class(pod) == "Guaranteed"
    assert pod_resources.qos_class(pod, "1.33") == "BestEffort"


def test_qos_classes() -> None:
    full = container("1", "1Gi", "1000m", "1024Mi")
    half = container("1", "1Gi", "1", "2Gi")
    assert pod_resources.qos_class({"containers": [full, full]}) == "Guaranteed"
    assert pod_resources.qos_class({"containers": [container(cpu_limit="1", memory_limit="1Gi")]}) == "Guaranteed"
    assert pod_resources.qos_class({"containers": [full, half]}) == "Burstable"
    assert pod_resources.qos_class({"containers": [full, container()]}) == "Burstable"
    assert pod_resources.qos_class({"containers": [container(), container()]}) == "BestEffort"
    assert pod_resources.qos_class({"containers": [container("1", "", "1")]}) == "Burstable"
    assert pod_resources.qos_class({"containers": [full], "initContainers": [container()]}) == "Burstable"
    assert (
        pod_resources.qos_class({"containers": [full], "initContainers": [sidecar("1", "1Gi", "1", "1Gi")]})
        == "Guaranteed"
    )
    assert pod_resources.qos_class({"containers": [{"resources": {"limits": {"example.com/gpu": 1}}}]}) == "BestEffort"
    assert pod_resources.qos_class({}) == "BestEffort"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "containers",
                    "initContainers",
                    "resources",
                    "requests",
                    "limits",
                    "cpu",
                    "overhead",
                    "restartPolicy",
                ]
            )
            | st.integers(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(ANYTHING)
def test_accepts_malformed_pods(pod: object) -> None:
    facts = pod_resources.compute_pod_resources(pod)
    assert facts.qos in ("Guaranteed", "Burstable", "BestEffort")
