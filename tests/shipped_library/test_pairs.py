"""Tests of all pairs of shipped sidecars on one pod: both work, or the second is rejected for a real conflict."""

from __future__ import annotations

from itertools import combinations

import pytest

from sidecarctl.authoring.trial import InjectedParts, find_injected_parts
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from tests.shipped_library.manifests import MANIFESTS, NAMES, VERSIONS, request

PAIRS = list(combinations(NAMES, 2))
# Each pair meets every kind and every version; which kind with which version goes round.
ROUNDS = [[(kind, VERSIONS[(i + turn) % 3]) for i, kind in enumerate(MANIFESTS)] for turn in range(3)]


@pytest.mark.parametrize("first", NAMES[:-1])
def test_pair_works_or_has_a_real_conflict(first: str) -> None:
    for number, (one, two) in enumerate(PAIRS):
        if one == first:
            for kind, version in ROUNDS[number % 3]:
                _share(one, two, kind, version)


def _share(one: str, two: str, kind: str, version: str) -> None:
    text, options = MANIFESTS[kind], Options(version)
    try:
        result = pipeline.add(text, [request(one), request(two)], options)
    except UsageError as refusal:
        assert refusal.message and refusal.hint, f"an unclear refusal: {refusal.message}"
        return
    if result.failed:
        for finding in result.findings:
            if finding.severity.value == "error":
                assert _holds(finding, one, two, kind, version), f"{one} and {two} on a {kind}: {finding}"
        return
    alone = pipeline.remove(result.text, [one], options).text
    assert pipeline.remove(alone, [two], options).text == text
    other = pipeline.remove(result.text, [two], options).text
    assert pipeline.remove(other, [one], options).text == text


def _holds(finding: Finding, one: str, two: str, kind: str, version: str) -> bool:
    """Return True if a conflict names something that both sidecars have."""
    if finding.rule == "job-never-completes" or not finding.help:
        return bool(finding.help)
    both = []
    for name in (one, two):
        result = pipeline.add(MANIFESTS[kind], [request(name)], Options(version))
        if result.failed:
            return True  # it is refused by itself already
        both.append([what for own in find_injected_parts(result.text, name) for what in _claims(own, finding.rule)])
    return any(what in finding.message for what in set(both[0]) & set(both[1]))


def _claims(own: InjectedParts, rule: str) -> list[str]:
    """Return what an instance has of the kind that a rule checks."""
    if rule == "port-conflict":
        return [f"port {port.get('containerPort')}/" for _, c in own.containers for port in c.get("ports", ())]
    if rule == "env-conflict":
        return [variable["name"] for variables in own.env.values() for variable in variables]
    if rule == "mount-conflict":
        return [mount["mountPath"] for mounts in own.mounts.values() for mount in mounts]
    return [
        *(own.annotations if rule == "annotation-conflict" else ()),
        *(own.labels if rule == "label-conflict" else ()),
    ]
