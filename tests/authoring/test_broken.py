"""A broken entry is told with its place by `list`, `test` and `add` alike, and the rest of its library stays usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authoring.library_kit import INPUT, TEMPLATE, command, entry

PARAMETERS = "  parameters: {properties: {logDir: {type: string}}}\n"
# What is wrong: further parts of the entry, what is said, and at which place.
BROKEN: dict[str, tuple[dict[str, str], str, str]] = {
    "empty metadata": ({"sidecar.yaml": ""}, "sidecar.yaml is empty", "sidecar.yaml"),
    "metadata that is no YAML": ({"sidecar.yaml": "a: [\n"}, "", "sidecar.yaml:"),
    "a wrong key": ({"spec": "  engin: jinja\n"}, 'did you mean "engine"', "sidecar.yaml:9:3"),
    "a wrong schema": (
        {"spec": PARAMETERS.replace("string", "text")},
        "parameters",
        "sidecar.yaml:9:",
    ),
    "a template that can't be read": ({"template": "a: 1\n{% for x in %}\n"}, "", "template.yaml.j2:2"),
    "a template that is not there": ({"spec": "  template: other.j2\n"}, "there is no", "sidecar.yaml:9:13"),
    "a template outside": ({"spec": "  template: ../../x.j2\n"}, "leads outside", "sidecar.yaml:9:13"),
    "an include from outside": ({"template": '{% include "../other/template.yaml.j2" %}\n'}, "", "template.yaml.j2:1"),
    "an undefined variable": ({"template": "\ncontainers: {{ nothing }}\n"}, "nothing", "template.yaml.j2:2"),
    "a result that is a list": ({"template": "- a\n- b\n"}, "renders a list", "template.yaml.j2:1"),
    "a result that is no fragment": (
        {"template": "volumes: []\ncontaners: []\n"},
        'did you mean "containers"',
        "template.yaml.j2:2",
    ),
    "a result that is no YAML": (
        {"template": "{% if true %}\nvolumes: []\n  containers: x\n{% endif %}\n"},
        "renders invalid YAML",
        "template.yaml.j2:3",
    ),
    "a result of 50 MB": (
        {"template": '{% for x in range(50000) %}{{ "x" * 1000 }}\n{% endfor %}'},
        "",
        "template.yaml.j2:1",
    ),
    "a look behind Python's back": ({"template": "{{ ''.__class__ }}\n"}, "", "template.yaml.j2:1"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    entry(tmp_path / "lib", "good", **{"tests/pod/input.yaml": INPUT})
    (tmp_path / "pod.yaml").write_text(INPUT)
    return tmp_path


@pytest.mark.parametrize("what", BROKEN)
def test_every_command_tells_the_same_with_file_and_line(what: str, folder: Path) -> None:
    parts, said, place = BROKEN[what]
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
        told = " ".join((done.stdout + done.stderr).split())
        assert f"lib/bad/{place}" in told, (words, told)
        assert said in told, (words, told)
        assert "Traceback" not in told
        assert "internal error" not in told
    assert [done.code for done in answers.values()] == [0, 1, 2]
    assert "broken" in answers["list --library lib"].stdout
    assert command("add good --library lib -f pod.yaml", folder).code == 0
    assert command("test good --library lib --update", folder).code == 0


def test_two_entries_of_one_name_and_version_are_told_by_each(folder: Path) -> None:
    entry(folder / "lib", "bad")
    entry(folder / "lib", "bad", folder="bad@1.0.0")
    for words, code in (("list --library lib", 0), ("test --library lib", 1), ("add bad --library lib -f pod.yaml", 2)):
        done = command(words, folder)
        assert done.code == code
        assert "twice" in done.stdout + done.stderr
    assert command("add good --library lib -f pod.yaml", folder).code == 0


def test_a_folder_with_a_template_and_no_metadata_is_an_unfinished_sidecar(folder: Path) -> None:
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


def test_a_sidecar_that_refuses_its_defaults_is_not_broken(folder: Path) -> None:
    entry(folder / "lib", "picky", template='{{ fail("set this or that") }}\n')
    done = command("list --library lib", folder)
    assert "broken" not in done.stdout
