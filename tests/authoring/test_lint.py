"""Tests of lint: findings have the right location, and valid sidecars have none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sidecarctl.authoring import lint_parameters, test_runner
from sidecarctl.authoring.lint import lint
from sidecarctl.authoring.lint_parameters import find_uses
from sidecarctl.authoring.test_cases import run_example
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.renamed_parameters import current_name
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.findings import Finding, Place
from tests.authoring.library_kit import INPUT, TEMPLATE, command, entry
from tests.calls import count_calls

ONE = "  parameters:\n    properties:\n      logDir: {type: string, default: /logs, description: Where logs are.}\n"


def _linted(library: Path, **parts: str) -> list[Finding]:
    entry(library, **{"tests/pod/input.yaml": INPUT, **parts})
    (one,) = test_runner.run_tests(Catalog((("lib", library),)), ["agent"], update=True)
    assert not one.error, one.error
    return list(one.findings)


def test_valid_sidecar_has_no_findings(tmp_path: Path) -> None:
    assert _linted(tmp_path) == []


WRONG = {
    "unpinned-image": (":1.0.0", ":latest", "template.yaml.j2:3"),
    "missing-resources": ("    limits: {cpu: 50m, memory: 32Mi}\n", "    limits: {cpu: 50m}\n", "template.yaml.j2:4"),
    "pod-security-claim": ("    runAsNonRoot: true\n", "", "template.yaml.j2:7"),
    "undefined-volume": (
        "  securityContext:\n",
        "  volumeMounts:\n  - {name: nowhere, mountPath: /x}\n  securityContext:\n",
        "template.yaml.j2:8",
    ),
    "unbounded-volume": (
        "  securityContext:\n",
        "  volumeMounts:\n  - {name: tmp, mountPath: /x}\n  securityContext:\n",
        "template.yaml.j2:17",
    ),
}


@pytest.mark.parametrize("rule", WRONG)
def test_finding_has_the_right_location(rule: str, tmp_path: Path) -> None:
    old, new, place = WRONG[rule]
    template = TEMPLATE.replace(old, new)
    if rule == "unbounded-volume":
        template += "volumes:\n- name: tmp\n  emptyDir: {}\n"
    if rule == "undefined-volume":
        pytest.skip("the API rules already reject the result") if _refused(tmp_path, template) else None
    found = _linted(tmp_path, template=template)
    assert [f.rule for f in found] == [rule]
    assert str(found[0].place).startswith(f"{tmp_path}/agent/{place}:")


def _refused(folder: Path, template: str) -> bool:
    entry(folder / "other", template=template, **{"tests/pod/input.yaml": INPUT})
    (one,) = test_runner.run_tests(Catalog((("lib", folder / "other"),)), ["agent"], update=True)
    return any(result.state == "failed" for result in one.results)


def test_reports_unmounted_volume(tmp_path: Path) -> None:
    found = _linted(tmp_path, template=TEMPLATE + "volumes:\n- name: tmp\n  emptyDir: {sizeLimit: 1Mi}\n")
    assert [f.message for f in found] == ['volume "tmp" is not mounted']


def test_reports_unneeded_pod_security_level(tmp_path: Path) -> None:
    found = _linted(tmp_path, spec="  podSecurity: {level: baseline, reason: I thought so.}\n")
    assert [(f.rule, f.severity.value) for f in found] == [("pod-security-claim", "info")]


def test_reports_probe_of_localhost_port(tmp_path: Path) -> None:
    template = TEMPLATE.replace("  securityContext:", "  livenessProbe: {tcpSocket: {port: 9901}}\n  securityContext:")
    found = _linted(tmp_path, spec="  adminPorts: [9901]\n", template=template)
    assert [f.rule for f in found] == ["probed-admin-port"]


def test_reports_missing_descriptions_and_test_cases(tmp_path: Path) -> None:
    entry(
        tmp_path, spec=ONE.replace(", description: Where logs are.", ""), template=TEMPLATE + "# {{ params.logDir }}\n"
    )
    (one,) = test_runner.run_tests(Catalog((("lib", tmp_path),)), [])
    assert {f.rule for f in one.findings} == {"missing-description", "missing-tests"}


USES = [
    "{{ params.logDir }}",
    '{{ params["logDir"] }}',
    "{% set p = params %}{{ p.logDir }}",
    "{% for name in ['logDir'] %}{{ params[name] }}{% endfor %}",
    "{% if params.logDir.startswith('/') %}{% endif %}",
    '{% include "part.j2" %}',
]


@pytest.mark.parametrize("use", USES)
def test_recognizes_each_way_to_use_a_parameter(use: str, tmp_path: Path) -> None:
    found = _linted(tmp_path, spec=ONE, template=f"{TEMPLATE}# {use}\n", **{"part.j2": "{{ params.logDir }}"})
    assert found == []


def test_reports_unused_parameter_at_its_declaration(tmp_path: Path) -> None:
    (found,) = _linted(tmp_path, spec=ONE)
    assert (found.rule, str(found.place)) == ("unused-parameter", f"{tmp_path}/agent/sidecar.yaml:11:7")


NESTED = """\
  parameters:
    properties:
      tls:
        type: object
        default: {}
        description: TLS.
        properties:
          caKey: {type: string, default: ca.crt, description: Key of the CA.}
          unused: {type: string, default: "", description: Nothing.}
"""


def test_reports_unused_nested_parameter(tmp_path: Path) -> None:
    found = _linted(tmp_path, spec=NESTED, template=TEMPLATE + "# {{ params.tls.caKey }}\n")
    assert [f.message for f in found] == ["unused parameter tls.unused"]


def test_reports_undeclared_parameter_in_the_template(tmp_path: Path) -> None:
    template = TEMPLATE + "# {{ params.logDir }}\n{% if false %}{{ params.logDri }}{% endif %}\n"
    (found,) = _linted(tmp_path, spec=ONE, template=template)
    assert (found.rule, found.help) == ("undeclared-parameter", 'did you mean "logDir"?')
    assert str(found.place) == f"{tmp_path}/agent/template.yaml.j2:14:25"


def test_accepts_any_key_of_items_and_open_maps(tmp_path: Path) -> None:
    spec = "  parameters: {properties: {labels: {type: object, default: {}, description: Labels.}}}\n"
    template = TEMPLATE + "# {{ params.labels.team }}{% for k, v in params.labels.items() %}{% endfor %}\n"
    assert [f.rule for f in _linted(tmp_path, spec=spec, template=template.replace("params.labels.team", "1"))] == []


def test_reports_failing_template_with_its_line(tmp_path: Path) -> None:
    entry(tmp_path, template="containers:\n- {{ nothing }}\n")
    (one,) = test_runner.run_tests(Catalog((("lib", tmp_path),)), [])
    (found,) = [f for f in one.findings if f.rule == "template-failure"]
    assert str(found.place) == f"{tmp_path}/agent/template.yaml.j2:2:1"
    assert one.failed


def test_finds_parameters_of_kcl_and_plain_templates(tmp_path: Path) -> None:
    from sidecarctl.authoring.lint import Subject, undeclared_parameter, unused_parameter
    from sidecarctl.catalog.sidecar import read_sidecar

    kcl = '_input = option("input")\n_p = _input.params\nx = _p.logDir\ny = _p.logDri  # params.comment\n'
    home = entry(tmp_path, spec="  engine: kcl\n" + ONE, **{"template.k": kcl})
    subject = Subject(read_sidecar(home, "lib"), [])
    assert list(unused_parameter(subject)) == []
    assert [f.place.line for f in undeclared_parameter(subject) if f.place] == [4]
    plain = '  engine: plain\n  substitutions: [{path: "containers[0].image", parameter: logDri}]\n'
    home = entry(tmp_path, "other", spec=plain + ONE, **{"template.yaml": "containers: []\n"})
    subject = Subject(read_sidecar(home, "lib"), [])
    assert [f.message for f in unused_parameter(subject)] == ["unused parameter logDir"]
    assert [f.rule for f in undeclared_parameter(subject)] == ["undeclared-parameter"]


PARAMETER = "  parameters:\n    properties:\n      {}: {{type: string, default: /x, description: A directory.}}\n"


def _renamed(library: Path, old: str, new: str, declared: str) -> list[tuple[str, str]]:
    spec = f"  renamedParameters: {{{old}: {new}}}\n" + PARAMETER.format(declared)
    template = f"# {{{{ params.{declared} }}}}\n{TEMPLATE}"
    return [(f.rule, f.message) for f in _linted(library, spec=spec, template=template)]


def test_renamed_parameter_must_not_be_declared(tmp_path: Path) -> None:
    message = 'renamed parameter "logDir" is still declared'
    assert _renamed(tmp_path, "logDir", "directory", "logDir") == [("invalid-renamed-parameter", message)]


@pytest.mark.parametrize("renamed", ["p0: p1, p1: p0", ", ".join(f"p{n}: p{n + 1}" for n in range(150))])
def test_renamed_parameter_has_a_current_name(renamed: str, tmp_path: Path) -> None:
    found = _linted(tmp_path, spec=f"  renamedParameters: {{{renamed}}}\n" + PARAMETER.format("p150"))
    message = '"p0" has no current name: it is renamed in a cycle or more than 100 times'
    assert message in [one.message for one in found if one.rule == "invalid-renamed-parameter"]


class Names(dict[str, str]):
    """Renamed parameters that count how often they are read."""

    reads = 0

    def __getitem__(self, name: str) -> str:
        self.reads += 1
        return super().__getitem__(name)


def test_chain_of_renamed_parameters_takes_linear_time() -> None:
    def count_reads(length: int) -> int:
        renamed = Names({f"p{number}": f"p{number + 1}" for number in range(length)})
        for name in renamed:
            current_name(name, renamed)
        return renamed.reads

    assert count_reads(2_000) < 2.2 * count_reads(1_000)


def test_new_name_of_a_renamed_parameter_must_be_declared(tmp_path: Path) -> None:
    message = 'new name of "logDir" is not declared: "directry"'
    assert _renamed(tmp_path, "logDir", "directry", "directory") == [("invalid-renamed-parameter", message)]


@pytest.mark.parametrize("new", ["directory", "env"])
def test_new_name_can_be_a_common_parameter(new: str, tmp_path: Path) -> None:
    assert _renamed(tmp_path, "logDir", new, "directory") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## 1.0.0 - 2026-01-01\n\n- One.\n", []),
        ("## 0.9.0 - 2026-01-01\n\n- One.\n", ["CHANGELOG.md has no entry for version 1.0.0"]),
    ],
)
def test_changelog_has_an_entry_for_the_version(text: str, expected: list[str], tmp_path: Path) -> None:
    found = _linted(tmp_path, **{"CHANGELOG.md": text})
    assert [one.message for one in found] == expected
    assert {one.rule for one in found} <= {"missing-changelog-entry"}
    assert all(str(one.place).endswith("agent/sidecar.yaml:5:12") for one in found)


def test_blank_lines_of_a_kcl_template_take_linear_time(tmp_path: Path) -> None:
    kcl = "\n" * 80_000 + 'containers = [{name = "agent", image = "x:1.0.0"}]\n'
    entry(tmp_path / "lib", spec="  engine: kcl\n", **{"template.k": kcl})
    assert "internal error" not in command("test agent --library lib", tmp_path).stderr


def test_aliases_of_a_kcl_template_are_words(tmp_path: Path) -> None:
    kcl = "_p = input.params\nq: any = input.params\nx = [_p.one, q?.two, params['three'].four, xq.five]\n"
    home = entry(tmp_path, spec="  engine: kcl\n", **{"template.k": kcl})
    uses = find_uses(read_sidecar(home, "test"))
    assert uses is not None
    assert [use.path for use in uses] == [("one",), ("two",), ("three", "four")]


def test_each_template_file_is_read_once_for_all_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = "containers:\n" + "".join(
        f"- {{name: c{number}, image: 'x:{number}', env: [{{name: {{{{ params.p{number} | default('A') }}}}}}]}}\n"
        for number in range(40)
    )
    home = entry(tmp_path, template=template, **{"notes.txt": "Notes.\n"})
    sidecar = read_sidecar(home, "test")
    outcome = run_example(sidecar)
    reads: list[str] = []
    read_text = lint_parameters.read_text
    monkeypatch.setattr(
        lint_parameters, "read_text", lambda file, folder: reads.append(file.name) or read_text(file, folder)
    )
    found = lint(sidecar, [outcome])
    assert sum(one.rule == "unpinned-image" for one in found) == 40
    assert sum(one.rule == "undeclared-parameter" for one in found) == 40
    assert [one.place.line for one in found if one.rule == "unpinned-image" and one.place] == list(range(2, 42))
    assert max(map(reads.count, reads)) <= 2


def test_texts_that_are_in_no_file_are_searched_a_limited_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "containers:\n{% for n in range(600) %}- {name: c{{ n }}, image: 'x{{ n }}:latest'}\n{% endfor %}"
    sidecar = read_sidecar(entry(tmp_path, template=template), "test")
    outcome = run_example(sidecar)
    searched: list[str] = []
    find_text = lint_parameters._find_text
    monkeypatch.setattr(lint_parameters, "_find_text", lambda *args: searched.append(args[2]) or find_text(*args))
    places = [one.place for one in lint(sidecar, [outcome]) if one.rule == "unpinned-image"]
    assert len(searched) <= 2 * lint_parameters._MOST_SEARCHES
    assert len(places) == 600
    assert all(place and place.file.endswith("template.yaml.j2") for place in places)


def test_unused_parameters_are_found_by_path() -> None:
    def search(count: int) -> int:
        rows = [SimpleNamespace(path=(f"a{number}",)) for number in range(count)]
        uses = [SimpleNamespace(path=(f"b{number}", "c")) for number in range(count)]
        subject: Any = SimpleNamespace(
            rows=rows, uses=uses, parameter_place=lambda path: Place("sidecar.yaml", 1, 1, 1, 1)
        )
        return count_calls(lambda: list(lint_parameters.unused_parameter(subject))).total()

    assert search(400) < 5 * search(100)
