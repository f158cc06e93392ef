"""Pod settings of a sidecar: set unless the app sets them, and shared by the sidecars that need the same value."""

from __future__ import annotations

from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.adapt import sleep_seconds
from sidecarctl.kube.workload import Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import PULL_SECRETS, find_index
from sidecarctl.yamltext.edits import Edit, Insert

DEFAULT_GRACE_SECONDS = 30
GRACE_PERIOD = "terminationGracePeriodSeconds"


@dataclass
class PodSettings:
    """Collect the edits, added settings, and findings for the pod settings of one instance.

    A setting that another instance added belongs to both, and is removed with the last of them.
    """

    workload: Workload
    record: Record
    instance: str
    edits: list[Edit] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def collect(self, fragment: Fragment) -> None:
        """Collect the pod settings of a fragment."""
        context = as_mapping(self.workload.pod.get("securityContext"))
        for key, value in fragment.security_context.items():
            if key not in context:
                self._set(value, "securityContext", key)
            else:
                own = self.record.instances.get(self.instance)
                if context[key] != value:
                    self._warn("pod-setting-kept", context[key], value, "securityContext", key)
                # A person may have changed a setting that this instance needs as well as others.
                if context[key] == value or (own and f"securityContext/{key}" in own.added.pod):
                    self._join("securityContext", key)
        if fragment.share_process_namespace:
            self._share_processes()
        self._set_grace_period(fragment)
        for name in dict.fromkeys(secret["name"] for secret in fragment.image_pull_secrets):
            self._add_pull_secret(name)

    def _add_pull_secret(self, name: str) -> None:
        present = as_list(self.workload.pod.get(PULL_SECRETS))
        if find_index(present, "name", name) is not None:
            self._join(PULL_SECRETS, name)
            return
        path = (*self.workload.pod_path, PULL_SECRETS, len(present))
        self.edits.append(Insert(path, {"name": name}, f"sidecar {self.instance}"))
        self.added.append(f"{PULL_SECRETS}/{name}")

    def _share_processes(self) -> None:
        # The sidecar cannot work without the app's processes, so a different value is a conflict.
        pod, key = self.workload.pod, "shareProcessNamespace"
        if pod.get("hostPID") is True:
            self._refuse_processes("hostPID", "true")
        elif pod.get(key) is None:
            self._set(True, key)
        elif pod[key] is not True:
            self._refuse_processes(key, str(pod[key]).lower())
        else:
            self._join(key)

    def _set_grace_period(self, fragment: Fragment) -> None:
        key, seconds = GRACE_PERIOD, fragment.termination_grace_period_seconds or 0
        present = self.workload.pod.get(key)
        if present is None:
            if seconds > DEFAULT_GRACE_SECONDS:
                self._set(seconds, key)
        elif isinstance(present, int) and not isinstance(present, bool):
            if present < seconds:
                self._warn("grace-too-short", present, seconds, key)
            if min(present, max(seconds, *map(sleep_seconds, fragment.containers), 0)) > DEFAULT_GRACE_SECONDS:
                self._join(key)

    def _set(self, value: Any, *steps: str) -> None:
        self.edits.append(Insert(self._path(*steps), value, f"sidecar {self.instance}"))
        self.added.append("/".join(steps))

    def _join(self, *steps: str) -> None:
        others = (each for each in self.record.instances.values() if each.name != self.instance)
        if any("/".join(steps) in other.added.pod for other in others):
            self.added.append("/".join(steps))

    def _warn(self, rule: str, present: Any, wanted: Any, *steps: str) -> None:
        key = steps[-1]
        self.findings.append(
            Finding(
                rule,
                f'{key} stays {present}, but sidecar "{self.instance}" needs {wanted}',
                Severity.WARNING,
                self._path(*steps),
                help=f"set {key} to {wanted} if the app supports it",
                workload=self.workload.label,
            )
        )

    def _refuse_processes(self, key: str, present: str) -> None:
        self.findings.append(
            Finding(
                "pod-setting-conflict",
                f'{key} is {present}, but sidecar "{self.instance}" must signal a process of the app',
                path=self._path(key),
                why="With `shareProcessNamespace: true`, the sidecar sees the processes of its pod and no others.",
                help=f"remove {key}, or configure the sidecar to notify the app in another way",
                workload=self.workload.label,
            )
        )

    def _path(self, *steps: str) -> PathTuple:
        return (*self.workload.pod_path, *steps)
