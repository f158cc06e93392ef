"""Tests of invalid entries: `list`, `test`, and `add` report their location, and the rest of the library works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.authoring.library_kit import INPUT, TEMPLATE, command, entry

DEEP = f"{'{a: ' * 101}1{'}' * 101}"
PARAMETERS = "  parameters: {properties: {logDir: {type: string}}}\n"
# Case: parts of the entry, message, location.
BROKEN: dict[str, tuple[dict[str, str], str, str]] = {
    "empty metadata": ({"sidecar.yaml": ""}, "sidecar.yaml is empty", "sidecar.yaml"),
    "invalid YAML in metadata": ({"sidecar.yaml": "a: [\n"}, "", "sidecar.yaml:"),
    "unknown field": ({"spec": "  engin: jinja\n"}, 'did you mean "engine"', "sidecar.yaml:9:3"),
    "invalid schema": (
        {"spec": PARAMETERS.replace("string", "text")},
        "parameters",
        "sidecar.yaml:9:",
    ),
    "template syntax error": ({"template": "a: 1\n{% for x in %}\n"}, "", "template.yaml.j2:2"),
    "missing template": ({"spec": "  template: other.j2\n"}, "file not found", "sidecar.yaml:9:13"),
    "deep metadata": ({"spec": f"  parameters: {DEEP}\n"}, "is nested deeper than 100 levels", "sidecar.yaml"),
    "deep output": (
        {"template": f"{TEMPLATE}documents: {DEEP}\n"},
        "is nested deeper than 100 levels",
        "template.yaml.j2:1",
    ),
    "template outside the directory": (
        {"spec": "  template: ../../x.j2\n"},
        "outside the sidecar directory",
        "sidecar.yaml:9:13",
    ),
    "include outside the directory": (
        {"template": '{% include "../other/template.yaml.j2" %}\n'},
        "",
        "template.yaml.j2:1",
    ),
    "undefined variable": ({"template": "\ncontainers: {{ nothing }}\n"}, "nothing", "template.yaml.j2:2"),
    "list instead of fragment": ({"template": "- a\n- b\n"}, "output is a list", "template.yaml.j2:1"),
    "invalid fragment": (
        {"template": "volumes: []\ncontaners: []\n"},
        'did you mean "containers"',
        "template.yaml.j2:2",
    ),
    "invalid YAML in output": (
        {"template": "{% if true %}\nvolumes: []\n  containers: x\n{% endif %}\n"},
        "output is invalid YAML",
        "template.yaml.j2:3",
    ),
    "output of 50 MB": (
        {"template": '{% for x in range(50000) %}{{ "x" * 1000 }}\n{% endfor %}'},
        "",
        "template.yaml.j2:1",
    ),
    "access to Python internals": ({"template": "{{ ''.__class__ }}\n"}, "", "template.yaml.j2:1"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    entry(tmp_path / "lib", "good", **{"tests/pod/input.yaml": INPUT})
    (tmp_path / "pod.yaml").write_text(INPUT)
    return tmp_path


@pytest.mark.parametrize("what", BROKEN)
def test_all_commands_report_the_location(what: str, folder: Path) -> None:
    parts, message, place = BROKEN[what]
    entry(folder / "lib", "bad", **{"spec": PARAMETERS, "template": TEMPLATE, **parts})
    answers = {
        words: command(words, folder)
        for words in (
            "list --library lib",
            "test bad --library lib",
            "add bad --library lib -f pod.yaml",
        )
    }
    for words, done in answers.items():
        output = " ".join((done.stdout + done.stderr).split())
        assert f"lib/bad/{place}" in output, (words, output)
        assert message in output, (words, output)
        assert "Traceback" not in output
        assert "internal error" not in output
    assert [done.code for done in answers.values()] == [0, 1, 2]
    assert "broken" in answers["list --library lib"].stdout
    assert command("add good --library lib -f pod.yaml", folder).code == 0
    assert command("test good --library lib --update", folder).code == 0


def test_all_commands_report_duplicate_entries(folder: Path) -> None:
    entry(folder / "lib", "bad")
    entry(folder / "lib", "bad", folder="bad@1.0.0")
    for words, code in (("list --library lib", 0), ("test --library lib", 1), ("add bad --library lib -f pod.yaml", 2)):
        done = command(words, folder)
        assert done.code == code
        assert "duplicate sidecar" in done.stdout + done.stderr
    assert command("add good --library lib -f pod.yaml", folder).code == 0


def test_directory_without_metadata_is_an_invalid_entry(folder: Path) -> None:
    (folder / "lib/half").mkdir()
    (folder / "lib/half/template.yaml.j2").write_text("containers: []\n")
    for words, code in (
        ("list --library lib", 0),
        ("test --library lib", 1),
        ("add half --library lib -f pod.yaml", 2),
    ):
        done = command(words, folder)
        assert done.code == code
        assert "lib/half/sidecar.yaml" in done.stdout + done.stderr


def test_sidecar_that_rejects_its_defaults_is_valid(folder: Path) -> None:
    entry(folder / "lib", "picky", template='{{ fail("set this or that") }}\n')
    done = command("list --library lib", folder)
    assert "broken" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="paths have at most 260 characters")
def test_deep_directory_in_a_sidecar_does_not_break_the_library(folder: Path) -> None:
    home = entry(folder / "lib", "deep")
    here = os.open(home, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        listed = command("list --library lib", folder)
        assert listed.code == 0, listed.stderr
        assert {"good", "deep"} <= {line.split(" ")[0] for line in listed.stdout.splitlines()}
        assert "broken" not in listed.stdout
        assert command("add good --library lib pod.yaml", folder).code == 0
        assert command("test good --library lib", folder).code in (0, 1)
    finally:
        subprocess.run(["rm", "-rf", home], check=True)  # shutil.rmtree is recursive
