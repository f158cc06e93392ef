"""Every rule finds its bad cases at the marked line and column, and nothing in its good cases.

For every version: a bad case is found at those it names and at no other. For every role, where it names roles.
"""

from __future__ import annotations

import json

import oracle
import pytest
import yaml
from case_files import FOLDER, Case, cases, found, marked, unmarked
from test_pages import ADDING, logger  # noqa: F401

from sidecarctl.composition.request import Request
from sidecarctl.findings import Severity
from sidecarctl.inject import pipeline
from sidecarctl.kube.versions import NEWEST, SUPPORTED
from sidecarctl.kube.workload import ROLES
from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.registry import Rule, rules
from sidecarctl.validate.rule_selection import OF_MANIFESTS

RULES = [one for one in rules().values() if one.layer in OF_MANIFESTS]
CASES = [case for one in RULES for case in cases(one.name)]
BAD = [case for case in CASES if case.bad]
GOOD = [case for case in CASES if not case.bad]
# Rules that need more than a manifest: tests of their own hold them.
ELSEWHERE = {
    "inject/test_adoption.py": ("adopted-differs",),
    "inject/test_pod_settings.py": ("pod-setting-conflict",),
    "inject/test_pod_conflicts.py": (
        "linux-sidecar-on-windows",
        "mesh-on-host-network",
        "second-mesh",
        "host-network-ports",
        "target-starts-first",
        "shortened-sleep",
    ),
    "inject/test_upgrade.py": (
        "upgrade-conflict",
        "edit-overwritten",
        "newer-than-library",
        "sidecar-not-in-library",
    ),
    "cli/test_companion_files.py": ("companion-left-behind",),
    "inject/test_unlisted_companions.py": ("unlisted-companion",),
    "inject/test_hand_edits.py": ("recorded-container-missing",),
    "inject/test_chains.py": ("broken-proxy-chain",),
    "cli/test_retarget.py": ("retarget-skipped",),
    "inject/test_render.py": ("instance-taken-over", "rule-selects-nothing"),
    "inject/test_selection.py": ("unused-parameter-annotation", "invalid-inject-parameter", "unknown-injected-sidecar"),
    "inject/test_status.py": ("missing-sidecar", "edited-sidecar", "unknown-sidecar-state"),
    "inject/test_unrecorded_secrets.py": ("secret-not-recorded",),
    "integrations/test_krm.py": ("outdated",),
    "authoring/test_lint.py": tuple(one.name for one in rules().values() if one.layer == "library"),
}
# Rules that find something in containers of one role alone, and why.
ONE_ROLE = {
    "rejected-by-knative": "a Knative Service has app containers",
    "ambiguous-port-name": "it looks at ports of one name in several containers, the app's first",
    "host-network-port-mismatch": "the server looks at the app's containers alone",
    "host-users-conflict": "devices are of all containers, with a volume of the pod",
    "job-never-completes": "a classic sidecar keeps a Job from its end, a native one does not",
    "invalid-profile-annotation": "an annotation names a container of any role",
    "probe-bypasses-sidecar": "the app's probes; those of a sidecar are its own",
    "qos-downgrade": "what was added is a sidecar",
    "uid-cannot-read-shared-volume": "it takes a sidecar and its app",
}
# The server's admission fills in what its validation asks for, or rejects, and the oracle has no admission.
NOT_JUDGED = ("invalid-service-account-token", "priority-without-class", "overhead-without-class")
# The server rejects them when it allocates addresses, which the oracle does not.
NOT_ALLOCATED = ("two IP families with a single stack",)


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)
def test_every_rule_has_bad_and_good_cases(one: Rule) -> None:
    own = cases(one.name)
    assert {case.bad for case in own} == {True, False}, f"{FOLDER.name}/{one.name}.yaml needs a bad and a good case"


def test_every_case_file_belongs_to_a_rule() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {one.name for one in RULES} | {*ADDING}


def test_rules_without_case_files_are_tested_elsewhere() -> None:
    held = {name for names in ELSEWHERE.values() for name in names}
    assert held | {*ADDING} == {one.name for one in rules().values() if one.layer not in OF_MANIFESTS}
    for path, names in ELSEWHERE.items():
        text = (FOLDER.parents[1] / path).read_text(encoding="utf-8")
        assert [name for name in names if f'"{name}"' not in text and f"[{name}]" not in text] == []


@pytest.mark.parametrize("case", [case for name in ADDING for case in cases(name)], ids=str)
def test_inject_reports_bad_case_at_mark(case: Case, logger: Request) -> None:  # noqa: F811
    text, marks = unmarked(case.rule.name, case.manifest())
    findings = pipeline.add(text, [logger], pipeline.Options()).findings
    assert [marked(one.rule, one.place) for one in findings if one.rule == case.rule.name] == marks
    assert bool(marks) is case.bad


@pytest.mark.parametrize("case", BAD, ids=str)
def test_finds_bad_case_at_mark_for_versions_and_roles(case: Case) -> None:
    for role in ROLES if case.roles else ("",):
        text, marks = unmarked(case.rule.name, case.manifest(role))
        own = [mark for mark in marks if mark[0] == case.rule.name]
        assert own, "a bad case marks what is found"
        for version in SUPPORTED:
            expected = own if version in case.versions and (not role or role in case.roles) else []
            assert found(text, case.chosen(version), case.rule.name) == expected, f"{version} {role}\n{text}"


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_accepts_good_case(case: Case) -> None:
    for role in case.roles or ("",):
        text = case.manifest(role)
        for version in case.versions:
            assert found(text, case.chosen(version), case.rule.name) == [], f"{version} {role}\n{text}"


@pytest.mark.parametrize("case", BAD, ids=str)
def test_reports_one_error_per_cause(case: Case) -> None:
    text, marks = unmarked(case.rule.name, case.manifest(case.roles[0] if case.roles else ""))
    chosen = case.chosen(case.versions[-1], everything=True)
    errors = {
        one.rule
        for one in validate_texts([SourceText(text, "case.yaml")], chosen).findings
        if one.severity is Severity.ERROR
    }
    # A manifest may have no ephemeral containers, whatever else is wrong with one.
    errors -= {"ephemeral-containers-in-manifest"} if "ephemeralContainers" in text else set()
    assert errors <= {case.rule.name} | {name for name, *_ in marks}, text


@pytest.mark.parametrize("one", [one for one in RULES if one.check], ids=lambda one: one.name)
def test_container_rules_have_cases_for_every_role(one: Rule) -> None:
    seen: set[str] = set()
    for case in cases(one.name):
        if case.bad and case.roles:
            return
        if case.bad:
            text, _ = unmarked(one.name, case.manifest())
            verdict = validate_texts([SourceText(text, "case.yaml")], case.chosen(case.versions[-1]))
            seen |= {finding.role for finding in verdict.findings if finding.role}
    assert len(seen) != 1 or len(one.roles) == 1 or one.name in ONE_ROLE, f"{seen} alone"


@pytest.mark.e2e
@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_api_server_agrees_with_cases() -> None:
    judged = [
        (case, role, document)
        for case in CASES
        if case.rule.layer == "api" and case.rule.severity is Severity.ERROR and NEWEST in case.versions
        if not case.rule.given.options and case.rule.name not in NOT_JUDGED and case.says not in NOT_ALLOCATED
        for role in case.roles or ("",)
        # Of other roles the server refuses what is good here for other reasons.
        if role in ("", "app") or (case.bad and role != "ephemeral")
        for document in yaml.safe_load_all(unmarked(case.rule.name, case.manifest(role))[0])
        if case.bad or "ephemeralContainers" not in document.get("spec", {})
    ]
    verdicts = oracle.verdicts([json.dumps(document) for _, _, document in judged])
    wrong = [
        f"{case} {role}: {'accepted' if verdict.accepted else verdict.problems}"
        for (case, role, _), verdict in zip(judged, verdicts)
        if verdict.supported and verdict.accepted is case.bad
    ]
    assert not wrong, "\n".join(wrong)
