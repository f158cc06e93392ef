"""Which rules have a safe fix: one table. `docs/validation.md` has the same for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sidecarctl.findings import Finding
from sidecarctl.validate.fix.amounts import memory_limit, requests, size_limit
from sidecarctl.validate.fix.fixes import Fix, Fixer, Given
from sidecarctl.validate.fix.repeats import repeated, repeated_variable
from sidecarctl.validate.fix.scalars import recased, retyped
from sidecarctl.validate.fix.successors import succeeded
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Fixable:
    """How the findings of a rule are fixed; `flags` are those that it takes besides `--fix`, `when` says which findings."""

    fixer: Fixer
    when: str
    flags: tuple[str, ...] = ()


_SAME_ITEM = Fixable(repeated, "the item says the same as an earlier one of its list")

FIXABLE: Mapping[str, Fixable] = {
    "deprecated-api": Fixable(succeeded, "the object means the same under the successor"),
    "duplicate-env": Fixable(repeated_variable, "all variables of that name in the container are the same"),
    "duplicate-host-alias": _SAME_ITEM,
    "duplicate-mount-path": _SAME_ITEM,
    "duplicate-port": _SAME_ITEM,
    "duplicate-port-name": _SAME_ITEM,
    "duplicate-pull-secret": _SAME_ITEM,
    "duplicate-volume-name": _SAME_ITEM,
    "host-port-conflict": _SAME_ITEM,
    "invalid-enum": Fixable(recased, "only the case of letters differs"),
    "missing-memory-limit": Fixable(memory_limit, "an amount is given", ("--memory-limit",)),
    "missing-requests": Fixable(requests, "the amounts are given", ("--cpu-request", "--memory-request")),
    "removed-api": Fixable(succeeded, "the object means the same under the successor"),
    "unbounded-emptydir": Fixable(size_limit, "an amount is given", ("--size-limit",)),
    "wrong-type": Fixable(retyped, "a number or boolean needs quotes, or a whole number or boolean none"),
}


@dataclass(frozen=True)
class Refusal:
    """A finding whose fix is not made, and why."""

    finding: Finding
    why: str


def proposed(document: Document, findings: Sequence[Finding], given: Given) -> tuple[list[Fix], list[Refusal]]:
    """Return the fixes of a document's findings, each by itself, and those that can't be written."""
    fixes: list[Fix] = []
    refused: list[Refusal] = []
    for finding in findings:
        known = FIXABLE.get(finding.rule)
        if known is None or finding.source != "input":
            continue
        try:
            fix = known.fixer(finding, document, given)
        except EditRefused as refusal:
            refused.append(Refusal(finding, refusal.message))
            continue
        if fix is not None:
            fixes.append(fix)
    return fixes, refused
