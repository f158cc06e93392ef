"""Every rule name in the code has a page, and the examples of declared rules match their findings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sidecarctl
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding
from sidecarctl.inject import pipeline
from sidecarctl.validate.registry import rules
from sidecarctl.validate.schema import check_object
from sidecarctl.yamltext.stream import split
from tests.rule_examples import complete

PACKAGE = Path(sidecarctl.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
# Names that are put together where they are used.
BUILT = {"{word}-conflict": ("annotation-conflict", "label-conflict")}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))


@cache
def takers(path: Path) -> dict[str, int]:
    """Return the functions of a module with a parameter `rule`, and the position of that parameter."""
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)]
    return {"Finding": 0} | {
        function.name: [a.arg for a in function.args.args if a.arg != "self"].index("rule")
        for function in functions
        if any(a.arg == "rule" and a.annotation and ast.unparse(a.annotation) == "str" for a in function.args.args)
    }


def printed(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield the rule names in a module with their nodes; "" for a name that is not a constant."""
    tree = parsed(path)
    known = takers(path)
    for neighbour in MODULES:
        if neighbour.parent == path.parent:
            known = {**{f".{name}": at for name, at in takers(neighbour).items()}, **known}
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        # A method may be that of a class in another module of the room.
        called = node.func.id if isinstance(node.func, ast.Name) else f".{getattr(node.func, 'attr', '')}"
        position = known.get(called, known.get(called.removeprefix(".")))
        if position is None:
            continue
        named = [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
        argument = named[0] if named else node.args[position] if len(node.args) > position else None
        if argument is not None:
            yield from ((name, node) for name in names_of(argument, constants))


def names_of(value: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.IfExp):
        yield from (*names_of(value.body, constants), *names_of(value.orelse, constants))
    elif isinstance(value, ast.JoinedStr):
        yield from BUILT.get(ast.unparse(value)[2:-1], ("",))
    elif isinstance(value, ast.Name):
        # A parameter's names come from the calls.
        yield from names_of(constants[value.id], constants) if value.id in constants else ()
    elif not isinstance(value, ast.Attribute):
        yield ""


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_printed_rule_has_a_page(path: Path) -> None:
    for name, node in printed(path):
        assert name in rules(), f"{path}:{getattr(node, 'lineno', 0)}: no page for {name or ast.unparse(node)}"


def test_name_search_finds_rule_names() -> None:
    found = {name for path in MODULES for name, _ in printed(path)}
    assert {
        "unknown-field",
        "unused-ignore",
        "port-conflict",
        "label-conflict",
        "edit-refused",
        "grace-too-short",
    } <= found


def structural(example: str) -> set[str]:
    return {
        one.rule
        for document in split(complete(example), "x.yaml")
        for one in check_object.check_object(document.value, "1.34")
    }


@pytest.mark.parametrize("name", check_object.RULES)
def test_structure_examples_match_findings(name: str) -> None:
    one = rules()[name]
    assert one.layer == "structure"
    assert structural(one.bad) == {name}
    assert structural(one.good) == set()


SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: logger, version: 1.0.0, summary: Shares a directory and sets one of everything.}
spec: {engine: plain}
"""
TEMPLATE = """\
containers:
- name: logger
  image: registry.example/logger:1.0.0
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 32Mi}}
  volumeMounts: [{name: logger-logs, mountPath: /var/log/app}]
volumes:
- {name: logger-logs, emptyDir: {sizeLimit: 1Gi}}
app:
  volumeMounts: [{name: logger-logs, mountPath: /var/log/app}]
  env: [{name: LOG_DIR, value: /var/log/app}]
pod:
  annotations: {prometheus.io/port: "9113"}
  labels: {logs: "9113"}
  securityContext: {fsGroup: 3000}
"""


@pytest.fixture(scope="module")
def logger(tmp_path_factory: pytest.TempPathFactory) -> Request:
    folder = tmp_path_factory.mktemp("library") / "logger"
    folder.mkdir()
    (folder / "sidecar.yaml").write_text(SIDECAR)
    (folder / "template.yaml").write_text(TEMPLATE)
    sidecar = open_catalog([folder.parent], {}).find("logger")
    return Request(sidecar, resolve(sidecar, {}))


def composed(example: str, request: Request) -> set[str]:
    found: tuple[Finding, ...] = pipeline.add(complete(example), [request], pipeline.Options()).findings
    return {one.rule for one in found}


ADDING = (
    "container-conflict",
    "lost-record",
    "volume-conflict",
    "mount-conflict",
    "mount-shadows",
    "env-conflict",
    "annotation-conflict",
    "label-conflict",
    "pod-setting-kept",
    "edit-refused",
)


@pytest.mark.parametrize("name", ADDING)
def test_inject_examples_match_findings(name: str, logger: Request) -> None:
    one = rules()[name]
    assert one.layer == "composing"
    assert name in composed(one.bad, logger)
    assert name not in composed(one.good, logger)


@pytest.mark.parametrize("name", ADDING)
def test_good_inject_example_has_no_other_findings(name: str, logger: Request) -> None:
    assert composed(rules()[name].good, logger) <= {"mount-shadows"}
