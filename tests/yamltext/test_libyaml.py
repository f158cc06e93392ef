"""A process that runs one command line parses as the Python API does, without importing ruamel.yaml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import test_parse

ROOT = Path(__file__).resolve().parents[2]
REFUSED = [
    *("a: [", "a: \x07", "a: @b", "a: 'b", "a:\n\tb: c", "*x", "a: b: c", "{a: http://x:80}", "- a\nb", "a: 1\na: 2"),
    *("&a [*a]", "\ud800", "a: \\\n", '"\\q"', "%YAML 1.3\n---\na", "a\n...\nb", "? [a]: b"),
]
PROGRAM = """
import json, sys
from sidecarctl.yamltext import libyaml
{before}
from sidecarctl.yamltext.nodes import walk
from sidecarctl.yamltext.parse import SyntaxProblem, parse

def describe(text):
    try:
        root = parse(text)
    except (SyntaxProblem, UnicodeEncodeError) as problem:
        return repr((problem, vars(problem)))
    return [repr((type(one).__name__, one.start, one.end, one.value)) for one in walk(root)] if root else None

found = [describe(text) for text in json.load(sys.stdin)]
print(json.dumps([found, "ruamel.yaml" in sys.modules]))
"""
UNKNOWN_NAME = "libyaml._UNUSED['tokens'] = ''"


def parse_all(texts: list[str], before: str) -> tuple[list[object], bool]:
    """Return what a process reads, and whether it imported ruamel.yaml."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        input=json.dumps(texts),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found, imported = json.loads(done.stdout)
    return found, imported


@pytest.fixture(scope="module")
def texts() -> list[str]:
    files = [
        *ROOT.glob("library/*/tests/*/*.yaml"),
        *ROOT.glob("library/*/sidecar.yaml"),
        *ROOT.glob("examples/*/*.yaml"),
    ]
    return [*(text for text, _ in test_parse.READ), *REFUSED, *(file.read_text("utf-8") for file in sorted(files))]


def test_events_equal_those_of_the_package(texts: list[str]) -> None:
    expected, imported = parse_all(texts, "")
    assert imported
    found, imported = parse_all(texts, "libyaml.enable()")
    assert not imported
    assert found == expected


@pytest.mark.parametrize("before", [UNKNOWN_NAME, "import ruamel.yaml", "sys.modules['_ruamel_yaml'] = None"])
def test_package_is_used_if_the_extension_cannot_be_loaded_alone(texts: list[str], before: str) -> None:
    expected, _ = parse_all(texts[:50], "")
    found, imported = parse_all(texts[:50], f"libyaml.enable(); {before}")
    assert imported
    assert found == expected
