"""What a workload says for itself: annotations by which it asks for sidecars, sets their parameters, or opts out.

    sidecarctl.dev/inject: "logger,metrics"       asks for sidecars
    sidecarctl.dev/inject: "false"                opts out of every rule
    sidecarctl.dev/logger.logDir: /srv/log        sets a parameter of an instance, or of every instance of a sidecar

They stand on the pod template or on the workload itself; the pod template wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sidecarctl.catalog.assignments import RawText, assign
from sidecarctl.composition.model import own_metadata
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.record import Record
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass

PREFIX = "sidecarctl.dev/"
INJECT = PREFIX + "inject"
OPT_OUT = "false"
_PARAMETER = re.compile(r"sidecarctl\.dev/([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\.(.+)")
# Annotations of that shape that set nothing: how findings are ignored, and what a sidecar's companions hash to.
_RESERVED = ("ignore",)
_CONFIG_HASH = "config-hash"
NAMED_PARAMETER = re.compile(r'parameter "([^".\[]+)')


@dataclass(frozen=True)
class Asked:
    """What a workload's annotations ask for.

    inject      what stands in the annotation, "" where it says nothing
    sidecars    the names in it: logger, logger@1.0.0
    parameters  by instance or sidecar: dotted key to the text given
    """

    workload: Workload
    inject: str = ""
    sidecars: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, str]] | None = None

    @property
    def opts_out(self) -> bool:
        """True where no rule is to apply."""
        return self.inject == OPT_OUT

    def given(
        self, instances: Mapping[str, str], recorded: Iterable[str], known: Iterable[str]
    ) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
        """Return parameters by instance, and what is wrong with them.

        `instances` are those that are wanted, with their sidecars; `recorded` stand in the workload; `known` are names for
        a suggestion.
        """
        out: dict[str, dict[str, Any]] = {}
        findings: list[Finding] = []
        for name, parameters in (self.parameters or {}).items():
            meant = [name] if name in instances else [i for i, sidecar in instances.items() if sidecar == name]
            if not meant and name not in recorded:
                findings.append(self._unmeant(name, next(iter(parameters)), known))
            for key, text in parameters.items():
                try:
                    for instance in meant:
                        assign(out.setdefault(instance, {}), key, RawText(text))
                except UsageError as error:
                    findings.append(self.finding(f"{PREFIX}{name}.{key}", "invalid-inject-parameter", error))
        return out, findings

    def _unmeant(self, name: str, parameter: str, known: Iterable[str]) -> Finding:
        key, names = f"{PREFIX}{name}.{parameter}", list(known)
        meant = "" if name in names else did_you_mean(name, names)
        return Finding(
            "unused-parameter-annotation",
            f"the annotation {key} sets a parameter of {name}, which nothing asks for here",
            Severity.WARNING,
            self._path(key),
            True,
            help=meant or f"add {name} to the annotation {INJECT}",
            workload=self.workload.label,
        )

    def blamed(self, instance: str, sidecar: str, error: UsageError) -> str:
        """Return the annotation that an error about a parameter of an instance is most likely about."""
        named = NAMED_PARAMETER.search(error.message)
        keys = [
            f"{PREFIX}{name}.{key}"
            for name in (instance, sidecar)
            for key in (self.parameters or {}).get(name, {})
            if named is None or key.partition(".")[0] == named[1]
        ]
        return keys[0] if keys else ""

    def finding(self, key: str, rule: str, error: UsageError) -> Finding:
        """Return an error in what an annotation asks for, with its place in the manifest."""
        return Finding(
            rule,
            f"the annotation {key}: {error.message}",
            path=self._path(key),
            help=error.hint,
            workload=self.workload.label,
        )

    def _path(self, key: str) -> PathTuple:
        holder = self.workload.template_path if key in self.workload.annotations else self.workload.path
        return (*holder, "metadata", "annotations", key)


def asked(workload: Workload, record: Record) -> Asked | None:
    """Return what a workload asks for, None where it asks for nothing. What sidecarctl wrote itself does not count."""
    own, pods = own_metadata(workload, "annotations"), workload.annotations
    if not any(key.startswith(PREFIX) for holder in (own, pods) for key in holder):
        return None
    inject = pods.get(INJECT, own.get(INJECT, ""))
    text = str(inject).lower() if isinstance(inject, bool) else str(inject).strip()
    text = "" if text == "true" else text
    names = () if text == OPT_OUT else tuple(name for name in (part.strip() for part in text.split(",")) if name)
    written = {key for instance in record.instances.values() for key in instance.added.annotations}
    parameters: dict[str, dict[str, str]] = {}
    for holder in (own, pods):
        for key, value in holder.items():
            found = _PARAMETER.fullmatch(key) if key.startswith(PREFIX) and key not in written else None
            if found and found[1] not in _RESERVED and found[2] != _CONFIG_HASH:
                parameters.setdefault(found[1], {})[found[2]] = str(value)
    return Asked(workload, text, names, parameters) if text or parameters else None
