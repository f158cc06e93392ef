"""What a sidecar wants of the pod itself: set only where the app says nothing, shared by the sidecars that want the same.

Knows settings of the pod; knows nothing of its containers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.record import Record
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.yamltext.edits import Edit, Insert

DEFAULT_GRACE_SECONDS = 30


@dataclass
class Wishes:
    """The wishes of one instance, granted: edits, what the record says of them, and what was found otherwise.

    What another instance has set already belongs to both: it goes with the last of them.
    """

    workload: Workload
    record: Record
    instance: str
    edits: list[Edit] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def grant(self, fragment: Fragment) -> None:
        """Collect what the fragment wants of the pod."""
        context = as_mapping(self.workload.pod.get("securityContext"))
        for key, value in fragment.security_context.items():
            if key not in context:
                self._set(value, "securityContext", key)
            elif context[key] != value:
                self._stays("pod-setting-kept", context[key], value, "securityContext", key)
            else:
                self._join("securityContext", key)
        if fragment.share_process_namespace:
            self._share_processes()
        if fragment.termination_grace_period_seconds is not None:
            self._last(fragment.termination_grace_period_seconds)

    def _share_processes(self) -> None:
        """A sidecar that can't see the app's processes does nothing, so a pod that keeps them apart is a conflict."""
        pod, key = self.workload.pod, "shareProcessNamespace"
        if pod.get("hostPID") is True:
            self._needs_processes("hostPID", "true")
        elif pod.get(key) is None:
            self._set(True, key)
        elif pod[key] is not True:
            self._needs_processes(key, str(pod[key]).lower())
        else:
            self._join(key)

    def _last(self, seconds: int) -> None:
        key = "terminationGracePeriodSeconds"
        present = self.workload.pod.get(key)
        if present is None and seconds > DEFAULT_GRACE_SECONDS:
            self._set(seconds, key)
        elif isinstance(present, int) and present < seconds and not isinstance(present, bool):
            self._stays("grace-too-short", present, seconds, key)

    def _set(self, value: Any, *steps: str) -> None:
        self.edits.append(Insert(self._path(*steps), value, f"sidecar {self.instance}"))
        self.added.append("/".join(steps))

    def _join(self, *steps: str) -> None:
        others = (each for each in self.record.instances.values() if each.name != self.instance)
        if any("/".join(steps) in other.added.pod for other in others):
            self.added.append("/".join(steps))

    def _stays(self, rule: str, present: Any, wanted: Any, *steps: str) -> None:
        key = steps[-1]
        self.findings.append(
            Finding(
                rule,
                f"the pod sets {key} to {present}, the sidecar {self.instance} wants {wanted}; the pod's value stays",
                Severity.WARNING,
                self._path(*steps),
                help=f"set {key} to {wanted} if that suits the app",
                workload=self.workload.label,
            )
        )

    def _needs_processes(self, key: str, present: str) -> None:
        self.findings.append(
            Finding(
                "pod-setting-conflict",
                f"the pod sets {key} to {present}, and the sidecar {self.instance} has to signal a process of the app's",
                path=self._path(key),
                why="it sees the app's processes, and no others, where shareProcessNamespace is true",
                help="leave the setting out, or let the sidecar notify the app in another way",
                workload=self.workload.label,
            )
        )

    def _path(self, *steps: str) -> PathTuple:
        return (*self.workload.pod_path, *steps)
