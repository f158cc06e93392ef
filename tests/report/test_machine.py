"""Machine-readable formats: each follows its schema for any content, and is deterministic."""

from __future__ import annotations

import json
import random
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sidecarctl.findings import AutoFix, Finding, Ignored, Place, Related, Severity
from sidecarctl.report.machine import FORMATS, relative, render_report
from sidecarctl.report.machine.ci import code, prose
from sidecarctl.report.machine.sarif import uri
from sidecarctl.results import InstanceChange, PodFacts, Report, WorkloadChange

HERE = Path(__file__).parent
REPORT_SCHEMA = json.loads((HERE.parents[1] / "schemas" / "report.schema.json").read_text("utf-8"))
SARIF_SCHEMA = json.loads((HERE / "sarif.schema.json").read_text("utf-8"))
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

texts = st.text(max_size=30)
numbers = st.integers(1, 300)
places = st.builds(Place, texts, numbers, numbers, numbers, numbers, texts)
findings = st.builds(
    Finding,
    rule=st.sampled_from(["port-conflict", "odd-rule"]),
    message=texts,
    severity=st.sampled_from(Severity),
    path=st.lists(texts | st.integers(0, 9), max_size=4).map(tuple),
    why=texts,
    help=texts,
    workload=texts,
    container=texts,
    role=st.sampled_from(["", "app", "init", "sidecar", "classic", "ephemeral"]),
    source=st.just("input") | texts,
    related=st.lists(st.builds(Related, texts, place=st.none() | places), max_size=2).map(tuple),
    place=st.none() | places,
    autofix=st.none() | st.builds(AutoFix, texts, texts),
)
reports = st.builds(
    Report,
    version=st.just("0.1.0"),
    findings=st.lists(findings, max_size=5).map(tuple),
    ignored=st.lists(st.builds(Ignored, findings, texts), max_size=2).map(tuple),
    changes=st.lists(
        st.builds(
            WorkloadChange,
            texts,
            texts,
            texts,
            texts,
            numbers,
            skipped=texts,
            instances=st.lists(st.builds(InstanceChange, st.just("added"), texts, reason=texts), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    files=st.lists(texts, max_size=3).map(tuple),
    fail_on=st.none() | st.sampled_from(Severity),
)


def errors(schema: dict[str, Any], value: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("name", FORMATS)
def test_output_does_not_depend_on_the_order_of_findings(name: str, report: Report) -> None:
    shuffled = list(report.findings)
    for seed in range(5):
        random.Random(seed).shuffle(shuffled)
        assert render_report(replace(report, findings=tuple(shuffled)), name) == render_report(report, name)


@pytest.mark.parametrize("name", FORMATS)
@given(report=reports)
def test_any_content_is_rendered_without_control_characters(name: str, report: Report) -> None:
    text = render_report(report, name)
    assert text.endswith("\n")
    assert not CONTROLS.search(text)
    text.encode("utf-8")


def test_unknown_format_is_an_error(report: Report) -> None:
    with pytest.raises(ValueError, match="unknown format"):
        render_report(report, "anchors")


class TestJson:
    @given(reports)
    def test_any_report_is_valid_against_the_schema(self, report: Report) -> None:
        assert errors(REPORT_SCHEMA, json.loads(render_report(report, "json"))) == []

    def test_schema_describes_every_written_key(self, report: Report) -> None:
        undescribed: list[str] = []

        def walk(value: object, schema: dict[str, Any], where: str) -> None:
            described: dict[str, Any] = {}
            for part in (schema, *schema.get("allOf", [])):
                part = REPORT_SCHEMA["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
                described |= part.get("properties", {})
                schema = {**part, **schema}
            if isinstance(value, dict):
                for key, below in value.items():
                    if key in described:
                        walk(below, described[key], f"{where}.{key}")
                    elif "additionalProperties" not in schema:
                        undescribed.append(f"{where}.{key}")
            elif isinstance(value, list):
                for item in value:
                    walk(item, schema.get("items", {}), where)

        walk(json.loads(render_report(report, "json")), REPORT_SCHEMA, "")
        assert undescribed == []

    def test_schema_is_a_valid_json_schema(self) -> None:
        Draft202012Validator.check_schema(REPORT_SCHEMA)

    def test_findings_are_sorted_and_positions_start_at_one(self, report: Report) -> None:
        data = json.loads(render_report(report, "json"))
        assert [one["rule"] for one in data["findings"]] == ["label-style", "port-conflict", "floating-image"]
        assert data["findings"][1]["place"] == {
            "file": "k8s/web, prod.yaml", "line": 24, "column": 26, "endLine": 24, "endColumn": 30,
        }  # fmt: skip
        assert data["findings"][2]["place"] is None
        assert data["findings"][0]["field"] == 'metadata.labels["a.b/c"]'
        assert data["ignored"][0]["reason"] == "both bind to other addresses"
        assert data["summary"] == {
            "errors": 1, "warnings": 1, "infos": 1, "ignored": 1, "fixed": 0, "fixable": 0, "workloads": 2, "changed": 1,
        }  # fmt: skip

    def test_every_model_field_is_written(self, report: Report) -> None:
        data = json.loads(render_report(report, "json"))
        known = {
            "previous": "previousVersion",
            "next_steps": "nextSteps",
            "end_line": "endLine",
            "end_column": "endColumn",
            "autofix": "fix",
        }
        for kind, written in (
            (WorkloadChange, data["changes"][0]),
            (InstanceChange, data["changes"][0]["instances"][0]),
            (PodFacts, data["changes"][0]["before"]),
            (Finding, data["findings"][0]),
        ):
            missing = {known.get(field.name, field.name) for field in fields(kind)} - set(written)
            # Used only for snippets and fixes; companions are among the parts.
            missing -= {"on_key", "hides_line", "expected", "companions"}
            assert missing == set()


class TestSarif:
    @given(reports)
    def test_any_report_is_valid_sarif_with_matching_rule_indices(self, report: Report) -> None:
        log = json.loads(render_report(report, "sarif"))
        assert errors(SARIF_SCHEMA, log) == []
        rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
        assert [rules[result["ruleIndex"]] for result in log["runs"][0]["results"]] == [
            result["ruleId"] for result in log["runs"][0]["results"]
        ]

    def test_results_are_empty_without_findings(self, clean: Report) -> None:
        assert json.loads(render_report(clean, "sarif"))["runs"][0]["results"] == []

    def test_result_has_a_region_and_related_locations(self, report: Report) -> None:
        result = json.loads(render_report(report, "sarif"))["runs"][0]["results"][1]
        place = result["locations"][0]["physicalLocation"]
        assert unquote(place["artifactLocation"]["uri"]) == "k8s/web, prod.yaml"
        assert place["region"] == {"startLine": 24, "startColumn": 26, "endLine": 24, "endColumn": 30}
        assert result["relatedLocations"][0]["message"]["text"] == "first used here"

    def test_finding_in_a_template_is_located_at_the_workload(self, report: Report) -> None:
        result = json.loads(render_report(report, "sarif"))["runs"][0]["results"][2]
        assert result["ruleId"] == "floating-image"
        assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
        assert "Caused by: sidecar logger@1.0.0" in result["message"]["text"]

    def test_ignored_findings_are_omitted(self, report: Report) -> None:
        log = json.loads(render_report(replace(report, findings=()), "sarif"))
        assert log["runs"][0]["results"] == []

    @pytest.mark.parametrize(
        ("path", "want"),
        [
            ("a b.yaml", "a%20b.yaml"),
            ("dir/ü.yaml", "dir/%C3%BC.yaml"),
            ("/abs/x", "file:///abs/x"),
            ("a#b?c:d", "a%23b%3Fc%3Ad"),
        ],
    )
    def test_paths_are_encoded_as_uris(self, path: str, want: str) -> None:
        assert uri(path) == want


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Parse workflow commands the way the GitHub runner does."""
    found = []
    for line in text.split("\n"):
        match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
        if match:

            def back(part: str) -> str:
                for code, char in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
                    part = part.replace(code, char)
                return part

            properties = dict(pair.split("=", 1) for pair in match[2].split(","))
            found.append((match[1], {name: back(value) for name, value in properties.items()}, back(match[3])))
    return found


class TestGithub:
    def test_commands_have_file_line_and_columns(self, report: Report) -> None:
        level, properties, message = commands(render_report(report, "github"))[0]
        assert level == "error"
        assert properties == {
            "file": "k8s/web, prod.yaml", "line": "24", "endLine": "24", "col": "26", "endColumn": "30",
            "title": "port-conflict",
        }  # fmt: skip
        assert message.startswith(
            "k8s/web, prod.yaml:24 (Deployment/web, container logger (native sidecar)): containers"
        )

    def test_errors_are_first_and_the_summary_last(self, report: Report) -> None:
        text = render_report(report, "github")
        assert [level for level, _, _ in commands(text)] == ["error", "warning", "notice"]
        assert text.splitlines()[-1] == "1 error, 1 warning, 1 info in 3 files; 1 ignored"

    def test_multiline_position_has_no_columns(self, report: Report) -> None:
        assert commands(render_report(report, "github"))[2][1] == {
            "file": "stdin",
            "line": "3",
            "title": "label-style",
        }

    @given(reports)
    def test_content_cannot_inject_commands(self, report: Report) -> None:
        assert len(commands(render_report(report, "github"))) == len(report.findings)


class TestGitlab:
    def test_entries_have_the_fields_of_code_quality(self, report: Report) -> None:
        entries = json.loads(render_report(report, "gitlab"))
        assert [entry["severity"] for entry in entries] == ["info", "major", "minor"]
        assert entries[1]["location"] == {"path": "k8s/web, prod.yaml", "lines": {"begin": 24}}
        assert entries[1]["check_name"] == "port-conflict"

    def test_list_is_empty_without_findings(self, clean: Report) -> None:
        assert json.loads(render_report(clean, "gitlab")) == []

    @given(reports)
    def test_fingerprints_are_unique_in_a_report(self, report: Report) -> None:
        marks = [entry["fingerprint"] for entry in json.loads(render_report(report, "gitlab"))]
        assert len(set(marks)) == len(marks)

    def test_fingerprints_do_not_depend_on_line_numbers(self, report: Report) -> None:
        def moved(finding: Finding) -> Finding:
            place = finding.place
            return replace(finding, place=place and replace(place, line=place.line + 7, end_line=place.end_line + 7))

        later = replace(report, findings=tuple(map(moved, report.findings)))
        marks = [[one["fingerprint"] for one in json.loads(render_report(each, "gitlab"))] for each in (report, later)]
        assert marks[0] == marks[1]


class TestJunit:
    def test_only_findings_that_fail_the_run_are_failures(self, report: Report) -> None:
        root = ET.fromstring(render_report(report, "junit"))
        assert root.attrib == {"name": "sidecarctl", "tests": "4", "failures": "1", "errors": "0"}
        cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
        assert cases == {
            "no findings": [],
            "Deployment/web, container logger (classic sidecar): floating-image": ["system-out"],
            "Deployment/web, container logger (native sidecar): port-conflict": ["failure"],
            "label-style": ["system-out"],
        }

    def test_fail_on_sets_which_findings_are_failures(self, report: Report) -> None:
        root = ET.fromstring(render_report(replace(report, fail_on=Severity.WARNING), "junit"))
        assert root.get("failures") == "2"
        root = ET.fromstring(render_report(replace(report, fail_on=None), "junit"))
        assert root.get("failures") == "0"

    def test_file_without_findings_is_one_passed_case(self, clean: Report) -> None:
        root = ET.fromstring(render_report(clean, "junit"))
        assert [case.get("classname") for case in root.iter("testcase")] == ["a.yaml", "b.yaml"]

    @given(reports)
    def test_any_report_is_well_formed_with_correct_counts(self, report: Report) -> None:
        root = ET.fromstring(render_report(report, "junit"))
        assert root.get("tests") == str(len(list(root.iter("testcase"))))
        assert root.get("failures") == str(len(list(root.iter("failure"))))
        assert all(suite.get("tests") == str(len(suite)) for suite in root.iter("testsuite"))


class TestMarkdown:
    def test_findings_and_changes_are_tables(self, report: Report) -> None:
        assert (
            render_report(report, "markdown")
            == """\
**sidecarctl:** 1 error, 1 warning, 1 info in 3 files; 1 ignored

| severity | rule | where | what |
| --- | --- | --- | --- |
| error | `port-conflict` | `k8s/web, prod.yaml:24`<br>\
Deployment/web, container logger \\(native sidecar\\) | \
containers web and logger both use port 8080/TCP<br>give logger another port: \\-\\-set port=8081 |
| warning | `floating-image` | `k8s/web, prod.yaml:2`<br>\
Deployment/web, container logger \\(classic sidecar\\) | \
the image "nginx" has no tag\\\\x1b\\[2J \\| 100% &lt;b\\> |
| info | `label-style` | `stdin:3` | label app.kubernetes.io/name is missing |

| workload | change | requests | QoS |
| --- | --- | --- | --- |
| `Deployment/web` | added logger 1.0.0<br>updated metrics 1.2.0: port 9113 → 9114 | \
cpu 100m → 150m<br>memory 128Mi → 192Mi | Burstable |
| `Job/prod/batch` | skipped: annotated with sidecarctl.dev/inject: false |  |  |
"""
        )

    @given(st.text())
    def test_prose_escapes_markup_and_stays_in_its_cell(self, text: str) -> None:
        assert not re.search(r"(?<!\\)(\\\\)*[|*`<\[\n]", prose(text).replace("<br>", ""))

    @pytest.mark.parametrize(
        ("text", "want"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a|b", "`a\\|b`"), ("", "")]
    )
    def test_code_uses_more_backticks_than_it_contains(self, text: str, want: str) -> None:
        assert code(text) == want


@pytest.mark.parametrize(
    ("file", "root", "want"),
    [
        ("./k8s/a.yaml", "", "k8s/a.yaml"),
        ("/repo/k8s/a.yaml", "/repo", "k8s/a.yaml"),
        ("/other/a.yaml", "/repo", "/other/a.yaml"),
        ("k8s\\a.yaml", "", "k8s/a.yaml"),
        ("-", "/repo", "stdin"),
    ],
)
def test_paths_are_relative_to_the_repository_root(file: str, root: str, want: str) -> None:
    assert relative(file, root) == want
