"""Compare the verdicts of sidecarctl and the oracle, except for a table of known differences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import oracle

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.kube.versions import NEWEST
from sidecarctl.validate.check_document import check_documents, is_rejection
from sidecarctl.validate.check_files import check_schema
from sidecarctl.validate.registry import Rule, rules
from sidecarctl.validate.rule_selection import RuleSelection, select_rules

# Paths that the API server spells differently than the manifest.
RESPELLED = (
    (r"\.template\.(labels|annotations)\b", r".template.metadata.\1"),
    (r"\bHost(PID|IPC)\b", r"host\1"),
    (r"(Affinity\..*)\.namespace$", r"\1.namespaces"),
    (r"\.\{topologyKey, whenUnsatisfiable\}$", ""),
    (r"\.overhead\.limits\b", ".overhead"),
    (r"\bspec\.resources\.storage\b", "spec.resources.requests.storage"),
    (r"\.template\.spec\.volumes\[(\d+)\]\.name", r".volumeClaimTemplates[\1].metadata.name"),
    (r"topologySpreadConstraints\[(\d+)\]\[(\d+)\]", r"topologySpreadConstraints[\1].matchLabelKeys[\2]"),
    (r"(Execution\[\d+\](?:\.podAffinityTerm)?)\[(\d+)\]$", r"\1.matchLabelKeys[\2]"),
    (r"^\[\]$", ""),
    (r"^annotations\.", "metadata.annotations."),
    (r"^spec\.rollback\.version$", "metadata.annotations.deprecated.deployment.rollback.to"),
    (r"\.deprecatedServiceAccount$", ".serviceAccount"),
    (r"\.downwarAPI\b", ".downwardAPI"),
    (r"\.LoadBalancerSourceRanges\b", ".loadBalancerSourceRanges"),
    (r"^spec\.clusterIPs\[0\]$", "spec.clusterIP"),
)
# Paths in which the API server omits list indices, or counts items of a generated list.
_NO_INDEX = re.compile(
    r"volumeMounts\.(recursiveReadOnly|mountPropagation|subPath)|volumeClaimTemplates\[\d+\]\.metadata\.name|downwardAPI\.(fieldRef|resourceFieldRef|mode|path)"
)
_KEY = re.compile(r"\[([^\]]*[^\]\d][^\]]*)\]")


@dataclass(frozen=True)
class Known:
    """A known difference: who rejects (we or server), a pattern for the message, and the reason."""

    who: str
    fits: str
    why: str


@dataclass(frozen=True)
class Parted:
    """A manifest with different verdicts. `where`: both reject it, but at different fields."""

    document: Any
    who: str
    said: str
    where: bool = False

    def __str__(self) -> str:
        return f"{'elsewhere' if self.where else self.who + ' alone'}: {self.said}"


@cache
def _chosen(kube_version: str) -> tuple[RuleSelection, tuple[Rule, ...]]:
    return select_rules(kube_version=kube_version), tuple(r for r in rules().values() if r.layer == "api" and r.check)


def ours(document: Any, kube_version: str = NEWEST) -> list[Finding]:
    """Return the findings that an API server would reject."""
    chosen, api = _chosen(kube_version)
    found = list(check_schema(document, chosen))
    errors = {one.path for one in found if is_rejection(one)}
    found += (one for _, one in check_documents([document], api, chosen.context) if one.path not in errors)
    return [one for one in found if is_rejection(one)]


def shown(path: PathTuple) -> str:
    """Format a path as `spec.containers[0].name`; special keys are not escaped."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def respelled(field: str) -> str:
    """Convert a path of the API server to the spelling of the manifest, in the format of `shown`."""
    field = _KEY.sub(r".\1", field)
    for pattern, text in RESPELLED:
        field = re.sub(pattern, text, field)
    return field


def compare(document: Any, verdict: oracle.Verdict, kube_version: str = NEWEST) -> Parted | None:
    """Return the difference between the verdicts, None if verdict and place agree."""
    if not verdict.supported and not verdict.problems:
        return None
    found = ours(document, kube_version)
    if verdict.accepted:
        if not found:
            return None
        return Parted(document, "we", "; ".join(f"{one.rule} {shown(one.path)}: {one.message}" for one in found[:2]))
    server = [f"{problem.type} {problem.field}: {problem.message or problem.detail}" for problem in verdict.problems]
    if not found:
        return Parted(document, "server", "; ".join(server[:2]))
    fields = {respelled(field) for field in verdict.fields} | {_KEY.sub(r".\1", field) for field in verdict.fields}
    # The API server may name a map or list while sidecarctl names the entry, or the reverse.
    for one in found:
        place = shown(one.path)
        if any(_near(place, field) for field in fields):
            return None
    we = "; ".join(f"{one.rule} {shown(one.path)}: {one.message}" for one in found)
    said = f"we {we}; the server {'; '.join(server)}"
    return Parted(document, "both", said, where=True)


def _near(ours: str, theirs: str) -> bool:
    if _NO_INDEX.search(theirs):
        ours, theirs = (re.sub(r"\[\d+\]|\.items\b", "", text) for text in (ours, theirs))
    if ours == theirs or not theirs:
        return True
    return ours.startswith((theirs + ".", theirs + "[")) or theirs.startswith((ours + ".", ours + "["))


def unknown(parted: Iterable[Parted], table: Iterable[Known]) -> list[Parted]:
    """Return the differences that are not in the table."""
    table = tuple(table)
    return [
        one
        for one in parted
        if not any(known.who in (one.who, "any") and re.search(known.fits, one.said) for known in table)
    ]
