"""A hostile library: templates cannot read outside their directory, run code, or run without end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import sidecarctl
from sidecarctl.catalog.json_schema_messages import explain_errors
from sidecarctl.catalog.schema_references import SchemaFault
from sidecarctl.errors import SidecarctlError
from tests.command import run
from tests.security.kit import ADD, CONTAINER, POD, library

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ params.__class__ }}",
    "{{ fail.__globals__ }}",
    "{{ range.__self__ }}",
    "{{ namespace.__init__.__globals__['__builtins__'] }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ '{0.__class__}'.format(params) }}",
    "{{ '%s' % params.__init__ }}",
    "{{ params | map(attribute='__class__') | list }}",
    "{{ [params] | map('attr', '__class__') | list }}",
    "{% set x = joiner.__init__ %}{{ x }}",
    "{% import os %}",
    "{{ dict.mro() }}",
    "{{ (1).__class__.__bases__ }}",
    "{{ workload.update({'a': 1}) }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_template_cannot_run_code_or_access_python_objects(template: str, tmp_path: Path) -> None:
    library(tmp_path, f"containers:\n- name: mine\n  image: x:1\n  args: [{template}]\n")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "template.yaml.j2:" in outcome.stderr
    assert "internal error" not in outcome.stderr
    assert "uid=" not in outcome.stderr and "<class" not in outcome.stderr


def test_template_with_a_huge_number_is_an_error(tmp_path: Path) -> None:
    library(tmp_path, f"containers:\n- name: mine\n  image: x:{{{{ {'9' * 5_000} }}}}\n")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "Exceeds the limit" in outcome.stderr


@pytest.mark.parametrize(
    "path", ["../secret.txt", "/etc/passwd", "..\\\\secret.txt", "x/../../secret.txt", "file:///etc/passwd"]
)
@pytest.mark.parametrize("how", ["{{% include '{}' %}}", "{{% import '{}' as x %}}", "{{% extends '{}' %}}"])
def test_template_cannot_read_files_outside_its_directory(how: str, path: str, tmp_path: Path) -> None:
    entry = library(tmp_path, how.format(path))
    (entry.parent / "secret.txt").write_text("geheim")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "is outside the sidecar directory" in outcome.stderr
    assert "geheim" not in outcome.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
@pytest.mark.parametrize("name", ["sidecar.yaml", "template.yaml.j2", "part.j2"])
def test_link_cannot_lead_out_of_a_library(name: str, tmp_path: Path) -> None:
    entry = library(tmp_path, "{% include 'part.j2' %}")
    (tmp_path / "secret.txt").write_text("geheim: 1\n")
    (entry / name).unlink(missing_ok=True)
    (entry / name).symlink_to(tmp_path / "secret.txt")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "is outside the sidecar directory" in outcome.stderr
    assert "geheim" not in outcome.stderr


@pytest.mark.parametrize("name", ["../lib/mine", "/tmp", "..", "mine/../mine", "mine@../1.0.0"])
def test_sidecar_name_cannot_be_a_path(name: str, tmp_path: Path) -> None:
    library(tmp_path)
    outcome = run(["sidecarctl", "add", name, "--library", "lib", "-f", "web.yaml"], tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")


@pytest.mark.parametrize("ref", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "../x.json"])
def test_schema_cannot_fetch_references(ref: str, tmp_path: Path) -> None:
    library(tmp_path, properties=f"{{a: {{$ref: {ref!r}}}}}")
    outcome = run(f"{ADD} --set a=1", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "sidecar.yaml:" in outcome.stderr


DEFINITIONS = "\n    $defs: {d: {x-far: {$ref: '%s'}, properties: {type: {type: string}, anyOf: {type: string}}}}"


@pytest.mark.parametrize("ref", ["#/$defs/d/x-far", "#/$defs/d%2Fx-far", "#/$defs/d/properties", "#/$defs/d~1x-far"])
def test_reference_leads_only_to_checked_schemas(ref: str, tmp_path: Path) -> None:
    far = (tmp_path / "far.json").absolute()
    far.write_text('{"enum": ["SECRET"]}')
    library(tmp_path, properties=f"{{a: {{$ref: {ref!r}}}}}" + DEFINITIONS % far.as_uri())
    for command in (f"{ADD} --set a=1", "sidecarctl show mine --library lib", "sidecarctl test --library lib"):
        outcome = run(command, tmp_path)
        printed = outcome.stdout + outcome.stderr
        assert (outcome.code in (1, 2), "SECRET" in printed) == (True, False), printed
        assert 'parameters.properties.a.$ref: must be a reference of the form "#/$defs/<name>"' in printed


def test_validation_opens_no_url_or_file(tmp_path: Path) -> None:
    """A second line of defense, for a schema that the check of the metadata let through."""
    far = tmp_path / "far.json"
    far.write_text("{}")
    with pytest.raises(SchemaFault):
        explain_errors({"$ref": far.absolute().as_uri()}, 1)


@pytest.mark.skipif(os.name != "posix", reason="needs a timer")
@pytest.mark.parametrize("pattern", ["(" * 3_000 + ")" * 3_000, "a{99999999999}", "[" * 2_000, "[[a]"])
def test_odd_pattern_is_an_error_without_warnings(pattern: str, tmp_path: Path) -> None:
    library(tmp_path, properties=f"{{q: {{type: string, pattern: '{pattern}', description: A.}}}}")
    outcome = run(f"{ADD} --set q=x", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: ") and "internal error" not in outcome.stderr


@pytest.mark.parametrize("steps", ["", ", nextSteps: 'Set {b}.'"])
def test_invalid_pattern_in_a_schema_with_a_secret_is_an_error(steps: str, tmp_path: Path) -> None:
    """Validation does not reach the pattern: the condition never holds."""
    unreached = "\n    if: {not: {}, patternProperties: {'[a': {}}}"
    library(
        tmp_path,
        properties="{b: {type: integer, default: 1}, s: {type: string, writeOnly: true}}" + unreached,
        summary=f"A.{steps}",
    )
    outcome = run(f"{ADD} --set b=1", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert 'invalid pattern "[a"' in outcome.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a child process with limits")
@pytest.mark.parametrize("where", ["metadata", "output", "lock file"])
def test_too_many_errors_to_list_in_time_are_one_error(where: str, tmp_path: Path) -> None:
    many, command = range(20_000), "sidecarctl list --library lib"
    library(tmp_path)
    if where == "metadata":
        library(tmp_path, properties=f"{{{', '.join(f'p{number}: {{type: 5}}' for number in many)}}}")
    elif where == "output":
        library(tmp_path, template="containers:\n{% for i in range(60000) %}\n- {a: 1, x: 2}\n{% endfor %}\n")
        command = ADD
    else:
        head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: LibraryLock\nlibraries:\n"
        (tmp_path / "sidecarctl.lock").write_text(head + "- {name: A, source: '', digest: x, zz: 1}\n" * len(many))
    outcome = run(command, tmp_path, env={"SIDECARCTL_MAX_SECONDS": "1"})
    printed = outcome.stdout + outcome.stderr
    assert (outcome.code in (0, 2), "internal error" in printed) == (True, False), printed
    assert "takes more than 1 s" in " ".join(printed.split()), printed
    assert where != "metadata" or "logger" in printed


def test_slow_regular_expression_is_stopped(tmp_path: Path) -> None:
    properties = "{a: {type: string, pattern: '%s', default: '%s!'}}"
    for pattern in (
        "^(a+)+$",
        "^(a|aa)+$",
        "a*a*a*a*a*a*a*a*b",
        ".*.*.*.*.*.*.*.*=x",
        "(a{1,30}){1,30}b",
        "^(?=(a+)+$)",
    ):
        library(tmp_path, properties=properties % (pattern, "a" * 2000))
        outcome = run(ADD, tmp_path, env={"SIDECARCTL_MAX_SECONDS": "1"})
        assert (outcome.code, outcome.stdout) == (2, ""), pattern
        assert "takes more than 1 s" in outcome.stderr
        assert "SIDECARCTL_MAX_SECONDS" in outcome.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_slow_pattern_and_template_are_stopped_in_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    monkeypatch.setenv("SIDECARCTL_NO_CACHE", "1")
    errors: list[str] = []

    def add() -> None:
        try:
            sidecarctl.add(POD, ["mine"], libraries=[tmp_path / "lib"])
        except SidecarctlError as error:
            errors.append(str(error))

    text = "{a: {type: string, pattern: '%s', default: '%s'}}"
    for content in (
        {"properties": "{a: {type: string, pattern: '^(a+)+$', default: '%s!'}}" % ("a" * 50)},
        {"properties": "{a: {type: string, pattern: '^(a+)+$', minLength: 99, default: '%s!'}}" % ("a" * 50)},
        {"properties": text % ("^" + "a?" * 40 + "a" * 40 + "$|^$", "a" * 40)},
        {"properties": text % ("^" + "(?:a|a)" * 40 + "!$", "a" * 40)},
        {"template": "{{ 3 | round(300000000, 'floor') }}"},
    ):
        library(tmp_path, **content)
        thread = threading.Thread(target=add)
        thread.start()
        thread.join(60)
    assert len(errors) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit needs fork")
@pytest.mark.parametrize("more", ["", "minLength: 2, not: {type: integer}, "])
def test_pattern_that_takes_much_memory_is_stopped(more: str, tmp_path: Path) -> None:
    pattern = "^(?:" + "()" * 99 + ".)*$"
    library(tmp_path, properties=f"{{q: {{type: string, {more}pattern: '{pattern}', default: {'a' * 100_000}}}}}")
    outcome = run(ADD, tmp_path, env={"SIDECARCTL_MAX_MEMORY": "64"})
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "takes more memory than 64 MiB" in outcome.stderr and "SIDECARCTL_MAX_MEMORY" in outcome.stderr
    assert run(ADD, tmp_path).code == 0


KCL = {
    "a file": "import file\n_x = file.read('/etc/passwd')\n",
    "the network": "import net\n_x = net.to_IP4('127.0.0.1')\n",
    "a module outside the directory": "import ...outside\n",
    "an endless recursion": "_f = lambda n { _f(n) }\n_x = _f(1)\n",
}


@pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="KCL is not installed")
@pytest.mark.parametrize("what", KCL)
def test_kcl_template_cannot_read_files_use_the_network_or_loop(what: str, tmp_path: Path) -> None:
    library(tmp_path, KCL[what] + 'containers = [{name = "mine", image = "x:1"}]\n', engine="kcl")
    began = time.monotonic()
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "internal error" not in outcome.stderr
    assert time.monotonic() - began < 90


@pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="KCL is not installed")
@pytest.mark.parametrize("name", ["file", "net", "datetime", "crypto", "runtime", "json", "kcl_plugin"])
def test_kcl_module_of_a_sidecar_cannot_have_the_name_of_a_system_module(name: str, tmp_path: Path) -> None:
    template = 'import NAME\nimport NAME.part\ncontainers = [{name = "mine", image = "x:1", args = [str(part.x)]}]\n'
    entry = library(tmp_path, template.replace("NAME", name), engine="kcl")
    metadata = (entry / "sidecar.yaml").read_text()
    (entry / "sidecar.yaml").write_text(metadata + f"  modules: {{{name}: vendor}}\n")
    (entry / "vendor").mkdir()
    (entry / "vendor" / "part.k").write_text("x = 1\n")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert f'import of "{name}" is not allowed: it is a module of KCL' in outcome.stderr


@pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="KCL is not installed")
def test_kcl_template_cannot_read_the_environment(tmp_path: Path) -> None:
    library(tmp_path, 'containers = [{name = "mine", image = "x:1", args = [str(option("GEHEIM"))]}]\n', engine="kcl")
    outcome = run(ADD, tmp_path, env={"GEHEIM": "offen"})
    assert outcome.code == 0, outcome.stderr
    assert "offen" not in outcome.stdout


def test_library_text_cannot_send_control_sequences(tmp_path: Path) -> None:
    properties = r'{token: {type: string, description: "a\e[2Jb", default: "\e]0;x\a"}}'
    library(tmp_path, CONTAINER.replace("x:1", '"x\\e[31m:1"'), properties, summary=r'"\e[31mred\x07 \u202e"')
    for words in (
        "list",
        "list --format json",
        "show mine",
        "show mine --format json",
        "test mine",
        "add mine -f web.yaml -v",
        "add mine -f web.yaml --diff",
    ):
        outcome = run(f"sidecarctl {words} --library lib", tmp_path)
        assert not set("\x1b\x07\u202e") & set(outcome.stdout + outcome.stderr), words


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe as stderr")
def test_warning_of_python_about_a_template_is_not_printed(tmp_path: Path) -> None:
    """Python would print the line of the template that has the number of the line in the compiled code."""
    library(
        tmp_path,
        "containers:\n- {name: mine, image: 'x:1'}\n{% if false %}{{ 1[0:1] }}{% endif %}\n" + "{# \x1b #}\n" * 90,
    )
    words = [sys.executable, "-m", "sidecarctl", *ADD.split()[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Warning" in done.stderr, "\x1b" in done.stderr) == (0, False, False), done.stderr


@pytest.mark.parametrize("case", ["example", "key of an example", "enum", "test case"])
def test_example_command_of_a_library_cannot_send_control_sequences(case: str, tmp_path: Path) -> None:
    token = {
        "example": r'{type: string, examples: ["\e]0;x\a"]}',
        "key of an example": r'{type: object, additionalProperties: {type: string}, examples: [{"\e]0;x\a": v}]}',
        "enum": r'{type: string, enum: ["\e]0;x\a"]}',
        "test case": "{type: string, minLength: 6, pattern: x}",
    }[case]
    entry = library(tmp_path, "containers: [{name: mine, image: x:1}]\n", f"{{token: {token}}}")
    metadata = (entry / "sidecar.yaml").read_text()
    (entry / "sidecar.yaml").write_text(metadata.replace("parameters:\n", "parameters:\n    required: [token]\n"))
    if case == "test case":
        (entry / "tests/pod").mkdir(parents=True)
        (entry / "tests/pod/input.yaml").write_text(POD)
        (entry / "tests/pod/parameters.yaml").write_text('token: "\\e]0;x\\a"\n')
    outcome = run("sidecarctl show mine --library lib", tmp_path)
    assert outcome.code == 0, outcome.stderr
    command = outcome.stdout.partition("\nUse\n")[2].partition("\nParameters\n")[0]
    assert "--values values.yaml" in command
    assert not set("\x1b\x07") & set(outcome.stdout + outcome.stderr)


def test_example_of_a_suggestion_cannot_send_control_sequences(tmp_path: Path) -> None:
    properties = "{tags: {type: object, additionalProperties: {type: string}}}"
    entry = library(tmp_path, "containers: [{name: mine, image: x:1}]\n", properties)
    metadata = (entry / "sidecar.yaml").read_text()
    fits = r'{reason: it is nginx, images: [nginx], examples: {"tags.a\e]0;x\a": v}}'
    (entry / "sidecar.yaml").write_text(metadata.replace("summary: A test.", f"summary: A test., fits: [{fits}]"))
    outcome = run("sidecarctl list --for web.yaml --library lib", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert r"replace the example value of tags.a\x1b]0;x\x07" in outcome.stdout
    assert not set("\x1b\x07") & set(outcome.stdout + outcome.stderr)


HOSTILE_EXPORT = r"""
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: x}
spec:
  libraries: [lib]
  rules:
    - {name: "r\e[31m\a\N{kind: Secret}\N#", select: SELECT, sidecars: [mine]}
"""
JOBS_REFUSED = r"""
{%- if workload.kind in ["Job", "CronJob"] %}{{ fail("no \x1b]0;x\x07\x85---\x85{kind: Secret}\u2028#\u2029") }}{% endif %}
containers: [{name: mine, image: x:1}]
"""


@pytest.mark.parametrize(
    ("engine", "select"),
    [
        ("kyverno", "{kinds: [Deployment, Job]}"),
        ("mutatingadmissionpolicy", "{kinds: [Deployment, Job]}"),
        ("sidecarset", "{labels: {a: b}}"),
    ],
)
def test_comment_of_an_export_quotes_text_in_one_line(engine: str, select: str, tmp_path: Path) -> None:
    """YAML ends a comment at U+0085, U+2028, and U+2029 too, so what follows would be an object of the export."""
    library(tmp_path, JOBS_REFUSED)
    (tmp_path / "sidecarctl.yaml").write_text(HOSTILE_EXPORT.replace("SELECT", select))
    outcome = run(f"sidecarctl export --to {engine}", tmp_path)
    assert outcome.code == 0, outcome.stderr
    (comment,) = [line for line in outcome.stdout.splitlines() if "kind: Secret" in line and r"\x85---" in line]
    assert comment.startswith("# ")
    assert not set("\x1b\x07\x85\u2028\u2029") & set(outcome.stdout + outcome.stderr)


BRANCHING = (
    "{a: {$ref: '#/$defs/d0'}}\n    $defs: {"
    + ", ".join(
        f"d{i}: {{type: object, properties: {{x: {{$ref: '#/$defs/d{i + 1}'}}, y: {{$ref: '#/$defs/d{i + 1}'}}}}}}"
        for i in range(30)
    )
    + ", d30: {type: object}}"
)
MULTIPLYING = (
    "{a: {type: array, items: {type: object, allOf: [{properties: {"
    + ", ".join(f"p{i}: {{}}" for i in range(3000))
    + f"}}}}]}}, default: [{', '.join(['{}'] * 12000)}]}}}}"
)


@pytest.mark.parametrize("properties", [BRANCHING, MULTIPLYING])
def test_defaults_without_end_are_an_error_in_every_thread(properties: str, tmp_path: Path) -> None:
    library(tmp_path, CONTAINER.replace("params.token | default('none')", "'x'"), properties)
    assert "have more than 500,000 properties" in add_in_thread(tmp_path, {})


def add_in_thread(cwd: Path, parameters: dict[str, object]) -> str:
    """Add the sidecar `mine` in another thread than the main thread. Return its error, empty if there is none."""
    problems: list[str] = []

    def add() -> None:
        try:
            sidecarctl.add(POD, ["mine"], {"mine": parameters}, libraries=[cwd / "lib"])
            problems.append("")
        except SidecarctlError as error:
            problems.append(error.message)

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    thread.join(60)
    return "\n".join(problems) if problems else "still running"


def doubling(keyword: str) -> str:
    """Return properties whose schema is the same one behind 2 ** 40 paths."""
    steps = (f"d{i}: {{{keyword}: [{{$ref: '#/$defs/d{i + 1}'}}, {{$ref: '#/$defs/d{i + 1}'}}]}}" for i in range(40))
    return f"{{a: {{$ref: '#/$defs/d0', default: x}}}}\n    $defs: {{{', '.join(steps)}, d40: {{type: string}}}}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit needs fork")
@pytest.mark.parametrize("keyword, parameters", [("allOf", {}), ("oneOf", {}), ("anyOf", {"a": None})])
def test_schema_of_references_that_double_is_stopped_in_every_thread(
    keyword: str, parameters: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    library(tmp_path, properties=doubling(keyword))
    assert "validating parameters takes more than 1 s" in add_in_thread(tmp_path, parameters)


@pytest.mark.parametrize(
    "parameters", [{}, {"token": "x"}, {"a": {"z": "\u00e9", "n": None}}, {"token": "x" * 13}, {"no": 1}], ids=str
)
def test_parameters_and_errors_are_the_same_in_every_thread(parameters: dict[str, object], tmp_path: Path) -> None:
    template = CONTAINER.replace("params.token | default('none')", "(params | to_json)")
    values = "{b: [1, {c: 1.5}], d: [null, true, \u00e9]}"
    library(tmp_path, template, f"{{token: {{type: string, maxLength: 12}}, a: {{default: {values}}}}}")
    found: list[tuple[str, ...]] = []

    def add() -> None:
        try:
            found.append((sidecarctl.add(POD, ["mine"], {"mine": parameters}, libraries=[tmp_path / "lib"]).text,))
        except SidecarctlError as error:
            found.append((type(error).__name__, error.message, error.hint, error.where))

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    add()
    assert found[0] == found[1] != (POD,)


@pytest.mark.parametrize("name", ["template.k", "p/x.k"])
def test_file_of_a_kcl_template_is_limited_and_no_pipe(name: str, tmp_path: Path) -> None:
    entry = library(tmp_path, "containers = []\n", "{}", "kcl")
    (entry / "p").mkdir()
    (entry / name).write_text("# " + "x" * 3_000_000)
    assert "larger than" in run(ADD, tmp_path).stderr
    (entry / name).unlink()
    os.mkfifo(entry / name)
    assert "not a regular file" in run(ADD, tmp_path).stderr


@pytest.mark.parametrize(
    "template",
    [
        '{# a: #}\n? {{ ("a: " * 60000) | to_json }}\n: 1\n' + "\n" * 60000,
        '{{ fail("p9 " * 40000 ~ "xx pp p p9999999 " * 40000) }}',
    ],
)
def test_long_message_of_a_template_is_searched_in_linear_time(template: str, tmp_path: Path) -> None:
    properties = "{" + ", ".join(f"p{i}: {{type: string}}" for i in range(20000)) + "}"
    library(tmp_path, template, properties)
    assert run(ADD, tmp_path).code == 2


def test_next_steps_are_shortened(tmp_path: Path) -> None:
    entry = library(tmp_path, CONTAINER.replace("params.token | default('none')", "'x'"))
    text = (
        (entry / "sidecar.yaml")
        .read_text()
        .replace("summary: A test.", f'summary: A test., nextSteps: "{"{a}" * 133}"')
    )
    text = text.replace("{token: ", f'{{a: {{type: string, default: "{"word " * 80000}"}}, token: ')
    (entry / "sidecar.yaml").write_text(text)
    done = run(f"{ADD} -o out.yaml", tmp_path)
    assert done.code == 0, done.stderr
    assert "word word" in done.stderr
    assert len(done.stderr) < 20_000
