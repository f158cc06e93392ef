"""Tests of KCL templates: output, errors with their line, and isolation."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from library_kit import entry, inputs

from sidecarctl.catalog.engines import kcl
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.render import render, template_inputs
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.yamltext.parse import parse
from tests.command import run as command
from tests.repository import WORKLOAD

Run = Callable[..., Fragment]
SPEC = "  engine: kcl\n  parameters: {properties: {logDir: {type: string, default: /logs}, none: {type: string}}}\n"
needs_kcl = pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="kcl_lib is not installed")


def test_missing_extra_shows_the_install_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kcl.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        run(spec=SPEC, kcl="a = 1\n")
    assert "pip install 'sidecarctl[kcl]'" in caught.value.hint


@needs_kcl
@pytest.mark.parametrize("number", ["18446744073709551615", "12345678901234567890.5", "2e19", "9007199254740993"])
def test_large_numbers_are_written(number: str, tmp_path: Path) -> None:
    spec = "  engine: kcl\n  parameters: {properties: {cpu: {type: number}}}\n"
    limits = '{limits = {cpu = option("input").params.cpu}}'
    template = f'containers = [{{name = option("input").instance, image = "x:1", resources = {limits}}}]\n'
    entry(tmp_path / "sidecars", "large", spec=spec, kcl=template)
    done = command(f"sidecarctl add large --set cpu={number}", tmp_path, stdin=WORKLOAD.format(name="web"))
    assert done.code == 0, done.stderr
    assert f"cpu: {parse(number).value}" in done.stdout


@needs_kcl
def test_kcl_output_equals_jinja_output(run: Run, library: Path) -> None:
    from_kcl = run(
        spec=SPEC,
        kcl="""\
_input = option("input")
containers = [{
    name = _input.instance
    image = "busybox"
    args = [_input.params.logDir, str(_input.kube.minor)]
    command = _input.params.none
    ports = [{containerPort = p.containerPort} for t in _input.targets for p in t.ports]
}]
pod = {terminationGracePeriodSeconds = 60.0}
""",
    )
    from_jinja = run(
        spec=SPEC.replace("kcl", "jinja"),
        jinja="""\
containers:
- name: {{ instance }}
  image: busybox
  args: [{{ params.logDir }}, "{{ kube.minor }}"]
  ports:
  {% for target in targets %}{% for port in target.ports %}
  - containerPort: {{ port.containerPort }}
  {% endfor %}{% endfor %}
pod: {terminationGracePeriodSeconds: 60}
""",
    )
    assert from_kcl == from_jinja
    assert list(from_kcl.containers[0]) == list(from_jinja.containers[0])


@needs_kcl
def test_imports_own_files_and_vendored_modules(run: Run) -> None:
    place_spec = SPEC + "  modules: {k8s: .}\n"
    template = 'import .parts\nimport k8s.shapes\ncontainers = [shapes.Container{name = "a", image = parts.image}]\n'
    shapes = "schema Container:\n    name: str\n    image: str\n"
    fragment = run(spec=place_spec, kcl=template, **{"parts.k": 'image = "b:1"\n', "shapes.k": shapes})
    assert fragment.containers[0]["image"] == "b:1"


@needs_kcl
@pytest.mark.parametrize(
    ("template", "line", "message"),
    [
        ("a = 1\nx =\n", 2, "expected one of"),
        ('a = 1\nx: int = "a"\n', 2, "expected int"),
        ('\nassert 1 == 2, "ports clash"\n', 2, "ports clash"),
        ('x = option("nope", required=True)\n', 1, "must be initialized"),
        ('_i = option("input")\nx = _i.instance.nope\n', 2, "not found"),
        ("import .nothing\n", 1, "nothing"),
    ],
)
def test_error_has_the_line(run: Run, library: Path, template: str, line: int, message: str) -> None:
    with pytest.raises(LibraryError) as caught:
        run(spec=SPEC, kcl=template)
    assert message in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.where.startswith(f"{library}/agent/template.k:{line}")


@needs_kcl
@pytest.mark.parametrize(
    "template",
    [
        "import file\nx = 1\n",
        "import file as f\nx = 1\n",
        "import net\n",
        "import http\n",
        "import datetime\n",
        "import runtime\n",
        "import kcl_plugin.hello\n",
        "import ..outside\nx = outside.y\n",
        "import outside\n",
        "import .part\n",
        'import yaml\nx = yaml.dump_to_file({}, "/tmp/never")\n',
        'import json as j\n_f = [j.dump_to_file][0]\nx = _f({}, "/tmp/never")\n',
    ],
)
def test_rejects_modules_outside_the_sidecar(run: Run, library: Path, template: str) -> None:
    (library / "outside.k").write_text("y = 1\n")
    with pytest.raises(LibraryError, match="unsafe template operation"):
        run(spec=SPEC, kcl=template, **{"part.k": "import file\n"})


@needs_kcl
def test_recovers_from_a_crash(run: Run) -> None:
    with pytest.raises(LibraryError, match="KCL crashed") as caught:
        run(spec=SPEC, kcl="f = lambda n {\n    f(n + 1)\n}\nx = f(1)\n")
    assert "SIDECARCTL_MAX_MEMORY" in caught.value.hint
    assert run(spec=SPEC, kcl='containers = [{name = "a", image = "b"}]\n').containers


@needs_kcl
def test_error_about_the_memory_or_time_names_the_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LibraryError, match="more than 1,024 MiB of memory") as caught:
        run(spec=SPEC, kcl="pod = [[1] * 1000] * 100000\n")
    assert "SIDECARCTL_MAX_MEMORY" in caught.value.hint
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    kcl._worker.stop()
    with pytest.raises(LibraryError, match="run time exceeds 1 s") as caught:
        run(spec=SPEC, kcl="pod = [i * j for i in range(100000) for j in range(100000)]\n")
    kcl._worker.stop()
    assert "SIDECARCTL_MAX_SECONDS" in caught.value.hint


@needs_kcl
def test_too_little_memory_is_not_taken_for_a_slow_template(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_MEMORY", "1")
    kcl._worker.stop()
    with pytest.raises(LibraryError, match="more than 1 MiB of memory"):
        run(spec=SPEC, kcl='containers = [{name = "a", image = "b"}]\n')
    kcl._worker.stop()


@needs_kcl
def test_template_that_is_stopped_at_a_limit_is_not_rendered_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[object] = []
    whole = kcl._Worker.ask

    def counting(worker: kcl._Worker, request: Any) -> Any:
        requests.append("input" in request)
        return whole(worker, request)

    monkeypatch.setattr(kcl._Worker, "ask", counting)
    with pytest.raises(LibraryError, match="KCL crashed"):
        run(spec=SPEC, kcl='f = lambda n {\n    f(n + 1)\n}\n_i = option("input")\nx = f(1)\ny = _i.companion\n')
    assert requests == [False, True]


@needs_kcl
def test_template_whose_check_is_stopped_is_not_rendered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[object] = []

    def stopped(worker: kcl._Worker, request: Any) -> Any:
        requests.append("input" in request)
        return {"error": "run time exceeds 10 s", "where": "", "kind": "slow"}

    monkeypatch.setattr(kcl._Worker, "ask", stopped)
    with pytest.raises(LibraryError, match="run time exceeds 10 s"):
        run(spec=SPEC, kcl="a = 1\n")
    assert requests == [False]


@needs_kcl
def test_own_text_of_a_template_that_equals_a_placeholder_stays(run: Run) -> None:
    part = {"part.k": 'text = "zqcompanionqz"\n'}
    template = (
        'import .part\n_i = option("input")\ncontainers = [{name = _i.companion, image = "b", args = [part.text]}]\n'
    )
    assert run(spec=SPEC, kcl=template, **part).containers[0]["args"] == ["zqcompanionqz"]


class _InterruptedOnce:
    """A pipe in which the first read is interrupted, as by Ctrl-C."""

    def __init__(self, pipe: Any) -> None:
        self.pipe, self.interrupted = pipe, False

    def readline(self) -> str:
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        return str(self.pipe.readline())

    def close(self) -> None:
        self.pipe.close()


@needs_kcl
def test_answer_of_an_interrupted_run_is_not_used_for_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    template = 'containers = [{name = "NAME", image = "b"}]\n'
    assert run(spec=SPEC, kcl=template.replace("NAME", "first")).containers[0]["name"] == "first"
    process: Any = kcl._worker._process
    monkeypatch.setattr(process, "stdout", _InterruptedOnce(process.stdout))
    with pytest.raises(KeyboardInterrupt):
        run(spec=SPEC, kcl=template.replace("NAME", "interrupted"))
    assert run(spec=SPEC, kcl=template.replace("NAME", "next")).containers[0]["name"] == "next"


@needs_kcl
def test_rejects_invalid_fragments(run: Run) -> None:
    with pytest.raises(LibraryError, match='did you mean "containers"'):
        run(spec=SPEC, kcl="contaners = []\n")


@needs_kcl
def test_ignores_unused_inputs(library: Path, find: Callable[[str], Sidecar], monkeypatch: pytest.MonkeyPatch) -> None:
    template = '_i = option("input")\ncontainers = [{name = _i.instance, image = "i:${_i.workload.kind}"}]\n'
    entry(library, spec=SPEC, kcl=template)
    sidecar = find("agent")
    calls = []
    whole = kcl.render
    monkeypatch.setattr(kcl, "render", lambda s, data: calls.append(1) or whole(s, data))
    for number in range(5):
        render(sidecar, resolve(sidecar, {}), inputs(f"app{number}"))
    assert calls == [1]


ONLY_WRITTEN = [
    'containers = [{name = "a", image = "i", args = [_i.companion]}]',
    'containers = [{name = "a", image = "i", args = ["x-${_i.companion}"] if _i.mode == "native" else []}]',
    '_c = _i.companion\ncontainers = [{name = "a", image = "i", args = [if _i.mode == "native": _c]}]',
]
LOOKED_AT = [
    'containers = [{name = "a" if _i.companion == "app0-agent" else "b", image = "i"}]',
    'containers = [{name = "a", image = "i", args = [str(len(_i.companion))]}]',
    'containers = [{name = "a", image = "i", args = [c for c in [_i.companion] if "0" not in c]}]',
    '_c = _i.companion\n_d = _c\ncontainers = [{name = "a", image = "i", args = [_d.upper()]}]',
    '_m = {c = _i.companion}\ncontainers = [{name = "a", image = "i", args = [_m.c.upper()]}]',
    'volumes = [{name = _i.companion, emptyDir = {}}]\ncontainers = [{name = volumes[0].name.replace("0", "zero"), image = "i"}]',
    'containers = [{name = "a", image = "i", args = [_i["companion"].upper()]}]',
    'containers = [{name = "a", image = "i", args = ["${_i.companion.upper()}"]}]',
    'containers = [{name = _i.companion, image = name.replace("0", "zero")}]',
    'containers = [{"name" = "${_i.companion}", image = "i", args = [name.upper()]}]',
    'containers = [{name = "a", image = "i", securityContext = {a = {b = _i.companion}}, args = [securityContext.a.b.upper()]}]',
    'containers = [{name = _i.companion, image = "i", if name == "app0-agent": args = ["first"]}]',
]


@needs_kcl
@pytest.mark.parametrize("template", [*ONLY_WRITTEN, *LOOKED_AT])
def test_shares_renderings_if_names_are_only_printed(
    template: str, library: Path, find: Callable[[str], Sidecar], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(library, spec=SPEC, kcl=f'_i = option("input")\n{template}\n')
    sidecar = find("agent")
    calls = []
    whole = kcl.render
    monkeypatch.setattr(kcl, "render", lambda s, data: calls.append(1) or whole(s, data))
    names = [f"app{number}" for number in range(3)]
    shared = [render(sidecar, resolve(sidecar, {}), inputs(name)) for name in names]
    rendered = len(calls)
    alone = [kcl.render(sidecar, template_inputs(resolve(sidecar, {}), inputs(name))) for name in names]
    assert [dict(each.containers[0]) for each in shared] == [each["containers"][0] for each in alone]
    assert rendered == (1 if template in ONLY_WRITTEN else 3)
