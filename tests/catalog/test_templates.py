"""Tests of template output, and of errors for invalid or hostile templates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from library_kit import CONTAINER, entry, inputs

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError
from tests.command import ROOT
from tests.command import run as run_command
from tests.security.kit import ADD, library

Run = Callable[..., Fragment]
SPEC = """\
  parameters:
    properties:
      logDir: {type: string, default: /var/log/app}
      items: {type: array, default: [a, b]}
      none: {type: string}
      enabled: {type: boolean, default: true}
"""


def test_template_gets_its_inputs(run: Run) -> None:
    template = """\
containers:
- name: {{ instance }}
  image: busybox:{{ kube.minor }}
  args: [{{ params.logDir | quote }}, {{ mode | quote }}, {{ workload.kind | quote }}]
  env:
  {% for item in params.items %}
  - {name: {{ item }}, value: "{{ loop.index }}/{{ loop.length }} {{ params.enabled }}"}
  {% endfor %}
  ports: [{containerPort: {{ targets | port_named("http") }}}]
  securityContext:
    {{ {"runAsUser": 65532, "capabilities": {"drop": ["ALL"]}} | to_yaml | indent(4) }}
volumes:
app:
  env:
documents:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: {{ companion }}}
"""
    fragment = run(spec=SPEC, jinja=template)
    assert fragment.containers == (
        {
            "name": "agent",
            "image": "busybox:34",
            "args": ["/var/log/app", "native", "Deployment"],
            "ports": [{"containerPort": 80}],
            "env": [{"name": "a", "value": "1/2 true"}, {"name": "b", "value": "2/2 true"}],
            "securityContext": {"runAsUser": 65532, "capabilities": {"drop": ["ALL"]}},
        },
    )
    assert list(fragment.containers[0]) == ["name", "image", "args", "ports", "env", "securityContext"]
    assert fragment.volumes == fragment.env == ()
    assert fragment.documents[0]["metadata"] == {"name": "web-agent"}


def test_template_can_include_files_of_its_directory(run: Run) -> None:
    files = {"parts.j2": "{% macro image(tag) %}busybox:{{ tag }}{% endmacro %}"}
    fragment = run(
        jinja='{% import "parts.j2" as parts %}\ncontainers: [{name: a, image: {{ parts.image(1) }}}]', **files
    )
    assert fragment.containers[0]["image"] == "busybox:1"


@pytest.mark.parametrize(
    ("template", "line", "message"),
    [
        ("a\n{{ nope }}", 2, "'nope' is undefined"),
        ("\n\n{{ params.logDi }}", 3, 'did you mean "logDir"?'),
        ("a\n{% for %}", 2, "invalid template syntax"),
        ("{{ 'a' | qoute }}", 1, "No filter named 'qoute'"),
        ("{{ fail('a and b exclude each other') }}", 1, "a and b exclude each other"),
        ("{{ params.none }}", 1, "value is null"),
        ("{{ params.items }}", 1, "expected text, got a list"),
        ("{{ 1 + 'a' }}", 1, "unsupported operand"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{% include 'nope' %}", 1, 'file not found: "nope"'),
        (f"{{% include '{'x' * 300}' %}}", 1, 'file not found: "xxx'),
        (f"{{% include 'x' ~ '{'x' * 300}' %}}", 1, 'file not found: "xxx'),
        ("{{ 'x' | quantity }}", 1, "invalid quantity"),
        ("{{ '+' | dns_name }}", 1, "no letter or digit"),
    ],
)
def test_error_has_the_line(run: Run, library: Path, template: str, line: int, message: str) -> None:
    with pytest.raises(LibraryError) as caught:
        run(spec=SPEC, jinja=template)
    assert message in caught.value.message
    assert caught.value.where == f"{library}/agent/template.yaml.j2:{line}"


_SAME = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {b: c}}"


@pytest.mark.parametrize(
    ("text", "other"), [("", ""), ("name: a", "name: a, namespace: b"), ("v1,", "example.com/v1,")]
)
def test_fragment_cannot_have_two_objects_of_one_kind_and_name(text: str, other: str, run: Run) -> None:
    """An upgrade could not tell them apart: the record has neither namespaces nor API groups."""
    with pytest.raises(LibraryError, match="duplicate object ConfigMap/a: companions of one kind must differ"):
        run(jinja=f"documents: [{_SAME}, {_SAME.replace(text, other) if text else _SAME}]")
    assert len(run(jinja=f"documents: [{_SAME}, {_SAME.replace('name: a', 'name: d')}]").documents) == 2


@pytest.mark.parametrize("spec", ["  template: NAME\n", "  engine: kcl\n  modules: {part: NAME}\n"])
def test_name_that_no_file_can_have_is_an_error_of_the_library(run: Run, library: Path, spec: str) -> None:
    with pytest.raises(LibraryError, match='file not found: "xxx') as caught:
        run(spec=spec.replace("NAME", "x" * 300), jinja="", kcl="")
    assert caught.value.where.startswith(f"{library}/agent/sidecar.yaml:")


def test_error_in_included_file_has_its_location(run: Run, library: Path) -> None:
    with pytest.raises(LibraryError) as caught:
        run(jinja="{% include 'part' %}", part="\n{{ nope }}")
    assert caught.value.where == f"{library}/agent/part:2"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ params.__class__ }}",
        "{{ params['__class__'] }}",
        "{{ fail.__globals__ }}",
        "{{ fail.__code__ }}",
        "{{ dict.__subclasses__() }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ params.items.append(1) }}",
        "{{ params.update({}) }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ (5).to_bytes(10**9, 'big') }}",
        "{{ ''.encode() }}",
        "{{ [1, 2] | random }}",
        "{{ lipsum() }}",
        "{{ range | lower }}",
        "{{ [fail] | capitalize }}",
        "{{ params.items | title }}",
        "{{ range(3) | map('string') | upper }}",
        "{{ {'a': fail} | urlencode }}",
        "{{ fail | wordcount }}",
        "{{ {range: 1} | to_yaml }}",
        "{{ [1, 2] | join(params.items) }}",
        "{{ dict.update(params, {'a': 1}) }}",
    ],
)
def test_rejects_sandbox_escapes(run: Run, template: str) -> None:
    with pytest.raises(LibraryError):
        run(spec=SPEC, jinja=template)


_GROW = "{% set n = namespace(x='a', l=[1], i=9) %}{% for i in range(60) %}{% set n.STEP %}{% endfor %}"


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(10**9) %}{% endfor %}",
        "{% for a in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include 'template.yaml.j2' %}{% include 'template.yaml.j2' %}",
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ [0] * 10**9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 'x' | center(10**9) }}",
        "{{ 'x'.center(10**9) }}",
        "{{ 'x' | indent(10**9) }}",
        "{{ ('x' * 100000).replace('x', 'x' * 100000) }}",
        "{{ ('x' * 100000).join(range(9999) | list) }}",
        "{{ 2 ** 10**9 }}",
        _GROW.replace("STEP", "x = n.x ~ n.x"),
        _GROW.replace("STEP", "x = n.x + n.x"),
        _GROW.replace("STEP", "l = n.l + n.l"),
        _GROW.replace("STEP", "l = [n.l, n.l]"),
        _GROW.replace("STEP", "l = {'a': n.l, 'b': n.l}"),
        _GROW.replace("STEP", "l = (n.l, n.l)"),
        _GROW.replace("STEP", "l = dict(a=n.l, b=n.l)"),
        _GROW.replace("STEP", "i = n.i * n.i"),
        _GROW.replace("STEP", "x %}{{ n.x }}{{ n.x }}{% endset"),
        "{% for i in range(90000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ '\\ud800' }}",
        "a: {{ '\\0' }}",
        "a: &a [*a]",
        "a: " + "[" * 5000,
    ],
)
def test_limits_endless_or_huge_templates(run: Run, template: str) -> None:
    with pytest.raises(LibraryError):
        run(jinja=template)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/../../secret", "link", "..\\secret"])
def test_rejects_files_outside_the_directory(run: Run, library: Path, name: str) -> None:
    (library / "secret").write_text("secret")
    place = entry(library)
    (place / "link").symlink_to(library / "secret")
    with pytest.raises(LibraryError, match="outside the sidecar directory"):
        run(jinja="{% include " + repr(name) + " %}")


@pytest.mark.parametrize("name", ["tests/case/expected.yaml", "sub/tests/x", "./tests/x"])
def test_rejects_files_of_test_cases(run: Run, library: Path, name: str) -> None:
    """Cached renderings do not depend on them."""
    file = entry(library) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a: 1")
    with pytest.raises(LibraryError, match="is in the directory of test cases"):
        run(jinja="{% include " + repr(name) + " %}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("- a", "output is a list"),
        ("text", "output is a single value"),
        ("a: [", "invalid YAML"),
        ("a: 1\na: 2", "duplicate key"),
        ("contaners: []", 'did you mean "containers"?'),
        ("containers: 5", "must be a list"),
        ("containers: [{name: a}]", "missing required field: image"),
        ("containers: [{nam: a, image: b}]", 'did you mean "name"?'),
        ("containers: [{name: a, image: b}, {name: a, image: b}]", "duplicate name"),
        ("app: {env: [{name: A, value: a}, {name: A, value: $(A) b}]}", 'app.env[1].name: duplicate name "A"'),
        ("app: {volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}", 'duplicate mountPath "/a"'),
        ("pod: {imagePullSecrets: [{name: a}, {name: a}]}", "pod.imagePullSecrets[1].name: duplicate name"),
        ("containers: [{name: a, image: b, env: [{name: A, value: 1}]}]", "must be a string"),
        ("volumes: [{name: a}]", "volumes[0]"),
        ("documents: [{kind: ConfigMap}]", "missing required field: apiVersion"),
    ],
)
def test_rejects_invalid_fragments(run: Run, template: str, message: str) -> None:
    with pytest.raises(LibraryError) as caught:
        run(jinja=template)
    assert message in caught.value.message
    assert re.search(r"template\.yaml\.j2:[12]$", caught.value.where)


@pytest.mark.parametrize("code", [0x0D, 0x7F, 0x85, 0x2028, 0xFFFE])
def test_character_that_a_template_cannot_write_is_an_error_of_the_parameter(run: Run, code: int) -> None:
    template = f"{CONTAINER}documents:\n- {{apiVersion: v1, kind: X, text: {{{{ params.items[1] }}}}}}\n"
    with pytest.raises(UsageError) as caught:
        run({"items": ["a", f"x{chr(code)}y"]}, spec=SPEC, jinja=template)
    assert caught.value.message == f"agent: parameter items[1] contains the unsupported character U+{code:04X}"
    assert run({"items": ["a", f"x{chr(code)}y"]}, spec=SPEC, jinja=CONTAINER).containers


def test_error_for_an_instance_name_that_is_read_as_a_number_says_how_to_quote(run: Run) -> None:
    with pytest.raises(LibraryError, match="must be a string, got the number 5") as caught:
        run(jinja="containers:\n- name: {{ '5' }}\n  image: b:1\n")
    assert "{{ instance | quote }}" in caught.value.hint


def test_accepts_empty_fragments(run: Run) -> None:
    assert run(jinja="{# nothing #}\n") == run(jinja="containers:\n") == Fragment()


COMMON = """\
containers:
- name: a
  image: b:1
  env: [{name: A, value: old}, {name: B, value: kept}]
  resources: {requests: {cpu: 10m}, limits: {memory: 64Mi}}
- {name: helper, image: c:1}
initContainers:
- {name: same, image: b:1}
- {name: other, image: d:1}
"""


def test_common_parameters_apply_to_their_containers(run: Run) -> None:
    given: dict[str, Any] = {
        "image": "mirror/b:2",
        "imagePullPolicy": "Always",
        "resources": {"limits": {"cpu": 1}, "requests": {"cpu": None}},
        "env": {"A": "new", "C": "more"},
        "securityContext": {"runAsUser": 7},
        "patch": {"tty": True},
    }
    fragment = run(given, jinja=COMMON)
    first, helper = fragment.containers
    assert first == {
        "name": "a",
        "image": "mirror/b:2",
        "imagePullPolicy": "Always",
        "env": [{"name": "A", "value": "new"}, {"name": "B", "value": "kept"}, {"name": "C", "value": "more"}],
        "resources": {"requests": {}, "limits": {"memory": "64Mi", "cpu": "1"}},
        "securityContext": {"runAsUser": 7},
        "tty": True,
    }
    assert helper["image"] == "c:1" and helper["tty"] is True
    assert [c["image"] for c in fragment.init_containers] == ["mirror/b:2", "d:1"]
    assert fragment.init_containers[1] == {"name": "other", "image": "d:1"}


@pytest.mark.parametrize("patch", [{"name": None}, {"imagee": "x"}, {"env": "x"}])
def test_invalid_patch_is_a_usage_error(run: Run, patch: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="invalid patch for agent") as caught:
        run({"patch": patch}, jinja=COMMON)
    assert not isinstance(caught.value, LibraryError)


def test_rendering_imports_no_jsonschema(library: Path) -> None:
    entry(library, jinja=CONTAINER)
    code = (
        "import sys; from library_kit import inputs; from pathlib import Path\n"
        "from sidecarctl.catalog.catalog import open_catalog; from sidecarctl.catalog.parameters import resolve\n"
        "from sidecarctl.catalog.render import render\n"
        f"s = open_catalog([Path({str(library)!r})], {{}}).find('agent'); render(s, resolve(s, {{}}), inputs())\n"
        "print(sorted({'jsonschema', 'kcl_lib', 'typer', 'rich'} & {m.split('.')[0] for m in sys.modules}))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root}/tests/catalog"},
    )
    assert done.stdout == "[]\n", done.stderr


PLAIN = """\
  engine: plain
  substitutions:
  - {path: "containers[0].name", input: instance}
  - {path: "containers[0].env[LOG].value", parameter: level}
  - {path: "containers[a].args[0]", parameter: tls.ca}
  - {path: "pod.annotations.a\\\\.b/c", parameter: note}
  parameters:
    properties:
      level: {type: string, default: info}
      note: {type: string}
      tls: {type: object, properties: {ca: {type: string, default: x}}}
"""
PLAIN_TEMPLATE = """\
containers:
- {name: agent, image: b, args: [old], env: [{name: LOG, value: z}]}
- {name: a, image: c, args: [old]}
pod: {annotations: {a.b/c: w}}
"""


def test_plain_template_substitutes_parameters_by_path(run: Run) -> None:
    facts = inputs(instance="second")
    fragment = run({"level": "debug"}, facts, spec=PLAIN, plain=PLAIN_TEMPLATE)
    assert fragment.containers[0] == {
        "name": "second",
        "image": "b",
        "args": ["old"],
        "env": [{"name": "LOG", "value": "debug"}],
    }
    assert fragment.containers[1]["args"] == ["x"]
    assert fragment.annotations == {}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("containers[1].name", "no [1]"),
        ("containers[x].name", "no [x]"),
        ("container[0].name", 'no "container"'),
        ("containers[0].env[LOG].value.x.y", 'no "x"'),
        ("containers..name", "invalid path"),
    ],
)
def test_rejects_substitution_of_missing_path(run: Run, path: str, message: str) -> None:
    spec = f"  engine: plain\n  substitutions: [{{path: {path!r}, input: instance}}]\n"
    template = "containers: [{name: a, image: b, env: [{name: LOG, value: z}]}]\n"
    with pytest.raises(LibraryError) as caught:
        run(spec=spec, plain=template)
    assert message in caught.value.message
    assert "template.yaml" in caught.value.where


@pytest.mark.parametrize("kind", ["configMap", "Config Map", "Config/Map", '"v1"', "K" * 64])
def test_companion_needs_a_kind_name(run: Run, kind: str) -> None:
    with pytest.raises(LibraryError, match=r"invalid fragment: documents\[0\]\.kind: must "):
        run(jinja=f"documents:\n- apiVersion: v1\n  kind: {kind!r}\n  metadata:\n    name: a\n")


@pytest.mark.parametrize("name", ["http://a", "Reg_cred", "a" * 254])
def test_pull_secret_of_a_template_needs_an_object_name(run: Run, name: str) -> None:
    with pytest.raises(LibraryError, match=r"invalid fragment: pod\.imagePullSecrets\[0\]\.name: must "):
        run(jinja=f"pod:\n  imagePullSecrets:\n  - name: {name}\n")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("app:\n  env:\n  - name: A=B\n    value: x\n", r"app\.env\[0\]\.name: invalid name \"A=B\": "),
        (
            'app:\n  volumeMounts:\n  - name: v\n    mountPath: "/a\\tb"\n',
            r"app\.volumeMounts\[0\]\.mountPath: invalid name",
        ),
        ("pod:\n  annotations:\n    a b: x\n", r"pod\.annotations: invalid name \"a b\": use letters"),
        ("pod:\n  annotations:\n    sidecarctl.dev/sidecars: x\n", r"pod\.annotations: .* it is the record"),
        ("pod:\n  labels:\n    -a: x\n", r"pod\.labels: invalid name \"-a\": start and end"),
        (
            "pod:\n  securityContext:\n    fs-group: 1\n",
            r"pod\.securityContext: invalid name \"fs-group\": sidecars do not",
        ),
    ],
)
def test_name_that_a_record_cannot_hold_is_an_error_of_the_template(run: Run, part: str, message: str) -> None:
    with pytest.raises(LibraryError, match=f"invalid fragment: {message}"):
        run(jinja=part)


def test_long_name_of_an_instance_is_blamed_for_the_names_that_a_template_builds_from_it(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: web\n    image: nginx:1.27\n"
    (tmp_path / "web.yaml").write_text(pod)
    outcome = run_command(f"sidecarctl add logger --as {'a' * 63} -f web.yaml", tmp_path)
    assert outcome.code == 2
    assert "give a shorter one with --as" in outcome.stderr


def test_image_pattern_and_lint_walk_end_for_extreme_templates(library: Path, find: Callable[[str], Any]) -> None:
    from sidecarctl.authoring.lint import _PINNED
    from sidecarctl.authoring.lint_parameters import find_uses

    assert not _PINNED.search("a:" + "1" * 200_000)
    assert [bool(_PINNED.search(name)) for name in ("a:1.2", "a:v1.20-x", "h:5.1/a:x", "a:1", "a:latest")] == [
        *(True, True, False, False, False)
    ]
    entry(library, jinja="{{ 1" + "1" * 5000 + " }}")
    assert find_uses(find("agent")) is None


@pytest.mark.parametrize(
    "parameters",
    [
        "{required: [p], properties: {p: true}}",
        "{$defs: {q: {type: object, required: [l], properties: {l: {$ref: '#/$defs/q'}}}}, required: [p], "
        "properties: {p: {$ref: '#/$defs/q'}}}",
    ],
)
def test_required_parameter_of_any_schema_has_an_example_or_none(
    library: Path, find: Callable[[str], Any], parameters: str
) -> None:
    from sidecarctl.authoring.test_cases import run_example

    entry(library, spec=f"  parameters: {parameters}\n")
    assert run_example(find("agent")).trial is not None


@pytest.mark.parametrize("value", ["5", "[1]", "[[x]]", "[null]", "web"])
def test_containers_of_a_case_are_a_list_of_names(library: Path, find: Callable[[str], Any], value: str) -> None:
    from sidecarctl.authoring.test_cases import find_cases, read_case

    folder = entry(library) / "tests" / "one"
    folder.mkdir(parents=True)
    (folder / "case.yaml").write_text(f"containers: {value}\n")
    sidecar = find("agent")
    with pytest.raises(LibraryError, match="containers: expected a list of names"):
        read_case(sidecar, find_cases(sidecar)[0])


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_error_has_the_line_of_the_template_if_a_path_of_the_program_begins_like_it(tmp_path: Path) -> None:
    """The traceback has files of the program, here in `mine-env`, and the template in `mine`."""
    library(tmp_path, "containers:\n- name: mine\n  image: {{ missing.tag }}\n")
    program = tmp_path / "lib" / "mine-env"
    program.symlink_to(ROOT)
    outcome = run_command(ADD, tmp_path, env={"PYTHONPATH": str(program)})
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "lib/mine/template.yaml.j2:3" in outcome.stderr
