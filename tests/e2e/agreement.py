"""Our verdict beside the oracle's: where they part, unless the table of known differences says why."""

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

# Where the server writes a path otherwise than the manifest has it.
RESPELLED = (
    (r"\.template\.(labels|annotations)\b", r".template.metadata.\1"),
    (r"\bHost(PID|IPC)\b", r"host\1"),
    (r"(Affinity\..*)\.namespace$", r"\1.namespaces"),
    (r"\.\{topologyKey, whenUnsatisfiable\}$", ""),
    (r"\.overhead\.limits\b", ".overhead"),
    (r"\bspec\.resources\.storage\b", "spec.resources.requests.storage"),
    (r"\.template\.spec\.volumes\[(\d+)\]\.name", r".volumeClaimTemplates[\1].metadata.name"),
    (r"topologySpreadConstraints\[(\d+)\]\[(\d+)\]", r"topologySpreadConstraints[\1].matchLabelKeys[\2]"),
    (r"\.deprecatedServiceAccount$", ".serviceAccount"),
    (r"\.downwarAPI\b", ".downwardAPI"),
)
# Where the server leaves out which item of a list it means, or counts those of a list that it makes.
_NO_INDEX = re.compile(
    r"volumeMounts\.(recursiveReadOnly|mountPropagation|subPath)|volumeClaimTemplates\[\d+\]\.metadata\.name|downwardAPI\.(fieldRef|resourceFieldRef|mode|path)"
)
_KEY = re.compile(r"\[([^\]]*[^\]\d][^\]]*)\]")


@dataclass(frozen=True)
class Known:
    """A known difference: who refuses (we or server), what fits of rule or server's message, and why it stays."""

    who: str
    fits: str
    why: str


@dataclass(frozen=True)
class Parted:
    """A manifest on which the verdicts part. `where` True: both refuse, but at different fields."""

    document: Any
    who: str
    said: str
    where: bool = False

    def __str__(self) -> str:
        return f"{'elsewhere' if self.where else self.who + ' alone'}: {self.said}"


@cache
def _chosen() -> tuple[RuleSelection, tuple[Rule, ...]]:
    return select_rules(kube_version=NEWEST), tuple(r for r in rules().values() if r.layer == "api" and r.check)


def ours(document: Any) -> list[Finding]:
    """What we say that an API server refuses."""
    chosen, api = _chosen()
    found = list(check_schema(document, chosen))
    errors = {one.path for one in found if is_rejection(one)}
    found += (one for _, one in check_documents([document], api, chosen.context) if one.path not in errors)
    return [one for one in found if is_rejection(one)]


def shown(path: PathTuple) -> str:
    """Write a path as `spec.containers[0].name`; keys that are no words stand as they are."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def respelled(field: str) -> str:
    """Write a path of the server's as the manifest has it, and as `shown` does."""
    field = _KEY.sub(r".\1", field)
    for pattern, text in RESPELLED:
        field = re.sub(pattern, text, field)
    return field


def compare(document: Any, verdict: oracle.Verdict) -> Parted | None:
    """Return how the verdicts part, None where they agree, in place too."""
    if not verdict.supported and not verdict.problems:
        return None
    found = ours(document)
    if verdict.accepted:
        if not found:
            return None
        return Parted(document, "we", "; ".join(f"{one.rule} {shown(one.path)}: {one.message}" for one in found[:2]))
    server = [f"{problem.type} {problem.field}: {problem.message or problem.detail}" for problem in verdict.problems]
    if not found:
        return Parted(document, "server", "; ".join(server[:2]))
    fields = {respelled(field) for field in verdict.fields} | {_KEY.sub(r".\1", field) for field in verdict.fields}
    # The server names a map or a list where we name the entry, or the other way round.
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
    """Leave out what the table knows."""
    table = tuple(table)
    return [
        one
        for one in parted
        if not any(known.who in (one.who, "any") and re.search(known.fits, one.said) for known in table)
    ]
