"""Which workloads a command changes or shows: by kind, name, namespace, and labels, without Helm hooks and opt-outs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.composition.annotations import INJECT, OPT_OUT
from sidecarctl.errors import UsageError
from sidecarctl.kube.workload import Workload, as_mapping, get_own_metadata
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

HOOK = "helm.sh/hook"
HOOK_REASON = "Helm hook; --hooks includes it"
OPT_OUT_REASON = f'opted out by {INJECT}: "{OPT_OUT}"'
_GLOB = lazy_pattern(r"[*?\[]")
_REQUIREMENT = lazy_pattern(
    r"\s*(?:(?P<not>!)?\s*(?P<key>[^\s=!,()]+)\s*"
    r"(?:(?P<operator>==|=|!=)\s*(?P<value>[^\s,()]*)|(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


@dataclass(frozen=True)
class Requirement:
    """One condition on a label, as in a kubectl selector. `values` are the accepted ones, None for any."""

    key: str
    values: tuple[str, ...] | None = None
    negated: bool = False

    def holds(self, labels: Mapping[str, Any]) -> bool:
        """Return True if the labels meet the condition."""
        found = self.key in labels and (self.values is None or str(labels[self.key]) in self.values)
        return found is not self.negated


@dataclass(frozen=True)
class WorkloadFilter:
    """Selects workloads. Kinds are compared without case; names and namespaces are globs; empty selects every workload.

    hooks    include Helm hooks and tests
    opt_out  leave out workloads with the annotation `sidecarctl.dev/inject: "false"`
    """

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    labels: tuple[Requirement, ...] = ()
    text: str = ""
    hooks: bool = True
    opt_out: bool = False

    @property
    def selects_all(self) -> bool:
        """True if no workload is left out by kind, name, namespace, or label."""
        return not (self.kinds or self.names or self.namespaces or self.labels)

    def matches(self, workload: Workload) -> bool:
        """Return True if kind, name, namespace, and labels match."""
        return self.selects_all or (
            (not self.kinds or _is_kind(workload, self.kinds))
            and _matches_any(workload.name, self.names)
            and (not self.namespaces or namespace_matches(workload.namespace, self.namespaces))
            and all(one.holds(_labels(workload)) for one in self.labels)
        )

    def find_exclusion(self, workload: Workload) -> str:
        """Return why a matching workload is left out, an empty string if it is not."""
        if not self.hooks and is_hook(workload) and not requests_sidecars(workload):
            return HOOK_REASON
        if self.opt_out and read_inject(workload) == OPT_OUT and not self._asks_for(workload):
            return OPT_OUT_REASON
        return ""

    def selects(self, workload: Workload) -> bool:
        """Return True if a workload matches and is not left out."""
        return self.matches(workload) and not self.find_exclusion(workload)

    def _asks_for(self, workload: Workload) -> bool:
        """Return True if the filter has the very name of the workload."""
        return any(workload.name == name and not _GLOB.search(name) for name in self.names)


EVERY_WORKLOAD = WorkloadFilter()


def make_filter(
    kinds: Sequence[str] = (),
    names: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    selector: str | None = None,
    *,
    hooks: bool = True,
    opt_out: bool = False,
) -> WorkloadFilter:
    """Return the filter of a command line. Raises UsageError for an invalid selector.

    `text` describes the filter as the command line writes it, for messages.
    """
    words = [f"--kind {each}" for each in kinds] + [f"--name {each}" for each in names]
    words += [f"--namespace {each}" for each in namespaces] + ([f"--selector {selector}"] if selector else [])
    return WorkloadFilter(
        tuple(kinds),
        tuple(names),
        tuple(namespaces),
        tuple(parse_selector(selector or "")),
        " ".join(words),
        hooks,
        opt_out,
    )


def parse_selector(text: str) -> Iterable[Requirement]:
    """Return the conditions of a label selector as kubectl writes it. Raises UsageError."""
    at, found = 0, []
    while at < len(text):
        match = _REQUIREMENT.match(text, at)
        if match is None or (match["not"] and (match["operator"] or match["set"])):
            raise UsageError(
                f'invalid label selector "{text}"', hint="use conditions such as app=web,tier!=cache,env in (prod,test)"
            )
        found.append(_requirement(match))
        at = match.end()
    return found


def _requirement(match: re.Match[str]) -> Requirement:
    if match["set"]:
        values = tuple(each.strip() for each in match["values"].split(","))
        return Requirement(match["key"], values, match["set"] == "notin")
    if match["operator"]:
        return Requirement(match["key"], (match["value"],), match["operator"] == "!=")
    return Requirement(match["key"], None, bool(match["not"]))


def is_hook(workload: Workload) -> bool:
    """Return True for a Helm hook or test."""
    return HOOK in get_own_metadata(workload, "annotations")


def read_inject(workload: Workload) -> str:
    """Return the inject annotation of the pod template, else of the workload; an empty string without one."""
    own = get_own_metadata(workload, "annotations")
    found = workload.annotations.get(INJECT, own.get(INJECT, ""))
    return str(found).lower() if isinstance(found, bool) else str(found).strip()


def requests_sidecars(workload: Workload) -> bool:
    """Return True if the inject annotation of a workload requests sidecars, and does not opt out."""
    return read_inject(workload) not in ("", OPT_OUT)


def _is_kind(workload: Workload, kinds: Sequence[str]) -> bool:
    """Return True if a kind is named as in kubectl: Deployment, deployment, deployments, or deployments.apps."""
    own = workload.kind.lower()
    names = {own, f"{own}s", f"{own}.{workload.group}", f"{own}s.{workload.group}"}
    return any(each.lower() in names or fnmatchcase(own, each.lower()) for each in kinds)


def namespace_matches(namespace: str, globs: Iterable[str]) -> bool:
    """Return True if a namespace matches one of the globs. An absent one matches none, not even `*`."""
    return bool(namespace) and any(fnmatchcase(namespace, glob) for glob in globs)


def _matches_any(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _labels(workload: Workload) -> dict[str, Any]:
    return {**as_mapping(workload.metadata.get("labels")), **get_own_metadata(workload, "labels")}
