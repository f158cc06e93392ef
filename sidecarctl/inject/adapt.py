"""Adapts a fragment to a workload: where a default of the sidecar does not fit and a smaller value does, use it and say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import replace


def adapt_fragment(workload: Workload, fragment: Fragment) -> tuple[Fragment, tuple[Finding, ...]]:
    """Return the fragment with preStop sleeps that fit the pod's grace period, and a note for each shortened one."""
    grace = workload.pod.get("terminationGracePeriodSeconds")
    if not isinstance(grace, int) or isinstance(grace, bool) or grace < 0:
        return fragment, ()
    notes: list[Finding] = []

    def adapt(container: Mapping[str, Any]) -> Mapping[str, Any]:
        seconds = sleep_seconds(container)
        if seconds <= grace:
            return container
        # Half of the time is left for the shutdown itself. Before Kubernetes 1.33, a sleep has at least one second.
        shorter = max(1, grace // 2) if grace else 0
        done = f"sleeps {shorter} instead of {seconds} seconds" if shorter else f"does not sleep {seconds} seconds"
        notes.append(
            Finding(
                "shortened-sleep",
                f'the preStop hook of "{container["name"]}" {done}: the pod has {grace} seconds to terminate',
                Severity.INFO,
                (*workload.pod_path, "terminationGracePeriodSeconds"),
                why="The API server rejects a sleep that is longer than the termination grace period.",
                help="raise terminationGracePeriodSeconds if the sidecar needs the whole time",
                workload=workload.label,
            )
        )
        return _with_sleep(container, shorter)

    containers = tuple(map(adapt, fragment.containers))
    return (replace(fragment, containers=containers), tuple(notes)) if notes else (fragment, ())


def sleep_seconds(container: Mapping[str, Any]) -> int:
    """Return how long the preStop hook of a container sleeps; 0 without a sleep."""
    sleep = as_mapping(as_mapping(as_mapping(container.get("lifecycle")).get("preStop")).get("sleep"))
    seconds = sleep.get("seconds")
    return seconds if isinstance(seconds, int) else 0


def _with_sleep(container: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    """Return the container with another preStop sleep, or without the hook for 0 seconds."""
    lifecycle = {**container["lifecycle"], "preStop": {"sleep": {"seconds": seconds}}}
    if not seconds:
        del lifecycle["preStop"]
    if lifecycle:
        return {**container, "lifecycle": lifecycle}
    return {key: value for key, value in container.items() if key != "lifecycle"}
