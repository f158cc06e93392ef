"""`remove` restores empty values, and annotations in one line, in whatever way they were written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.command import run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
{annotations}spec:
{spec}  containers:
  - name: app
    image: registry.example/app:1.0.0
"""
ANNOTATIONS = {
    "an anchor": "  annotations: &empty {}\n",
    "a tag": "  annotations: !!map {}\n",
    "a verbatim tag": "  annotations: !<tag:yaml.org,2002:map> {}\n",
    "a comment before a null on the next line": "  annotations: # why\n    null\n",
    "a comment inside": "  annotations: { # why\n   }\n",
    "brackets on the next line": "  annotations: # why\n   {}\n",
    "an explicit key": "  ? annotations # why\n  : # none\n   null\n",
    "a tilde": "  annotations: ~\n",
    "nothing": "  annotations:\n",
}
# Not empty: the record is written behind the last annotation.
FLOW = {
    "an exclamation mark": "  annotations: {note: 'ship it !now'}\n",
    "a quoted key without a value": "  annotations: {'note':}\n",
    "a tag": "  annotations: {note: !!str }\n",
    "a comment directly behind a quoted value": "  annotations: {\n    note: 'x'# why\n  }\n",
}
SPECS = {
    "a tag on a list": "  initContainers: !!seq []\n",
    "a comment inside a list": "  initContainers: [ # why\n   ]\n",
    "a null list": "  volumes: null\n",
}


@pytest.mark.parametrize("style", [*ANNOTATIONS, *SPECS])
def test_remove_restores_every_style_of_empty_value(style: str, tmp_path: Path) -> None:
    text = POD.format(annotations=ANNOTATIONS.get(style, ""), spec=SPECS.get(style, ""))
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert added.code == 0, added.stderr
    removed = run("sidecarctl remove --all", tmp_path, stdin=added.stdout)
    assert (removed.code, removed.stdout) == (0, text), removed.stderr


COMMENTED = {
    "a list on the next line": ("", "  volumes:\n    # why\n    []\n"),
    "a null behind a comment": ("", "  volumes: # why\n    null\n"),
    "annotations on the next line": (ANNOTATIONS["brackets on the next line"], ""),
    "an explicit key": (ANNOTATIONS["an explicit key"], ""),
    "inside the brackets of a list": ("", "  volumes: [\n    # why\n    ]\n"),
    "inside the brackets of a mapping": ("  annotations: {\n    # why\n    }\n", ""),
    "behind a tag": ("", "  volumes: !!seq # why\n    []\n"),
    "behind an anchor": ("", "  volumes: &none\n    # why\n    []\n"),
}


@pytest.mark.parametrize("new", ["# because", "# why, and what else"])
@pytest.mark.parametrize("style", COMMENTED)
def test_remove_keeps_a_comment_that_changed_before_the_value(style: str, new: str, tmp_path: Path) -> None:
    text = POD.format(annotations=COMMENTED[style][0], spec=COMMENTED[style][1])
    added = run("sidecarctl add logger", tmp_path, stdin=text).stdout
    lines = added.splitlines(keepends=True)
    edited = "".join(line if "sidecarctl.dev/sidecars" in line else line.replace("# why", new) for line in lines)
    assert edited != added
    removed = run("sidecarctl remove --all", tmp_path, stdin=edited)
    assert (removed.code, removed.stdout) == (0, text.replace("# why", new)), removed.stderr


@pytest.mark.parametrize("value", ["!!seq # why\n    []", "&none\n    # why\n    []", "[\n    # why\n    ]"])
def test_remove_keeps_the_comment_of_an_empty_value_in_a_document_that_was_indented(value: str, tmp_path: Path) -> None:
    def wrap(text: str) -> str:
        lines = "".join(f"    {line}" for line in text.splitlines(keepends=True))
        return "apiVersion: v1\nkind: List\nitems:\n  - " + lines[4:]

    text = POD.format(annotations="", spec=f"  volumes: {value}\n")
    added = run("sidecarctl add log-tail --set logDir=/logs --set path=a.log", tmp_path, stdin=text).stdout
    removed = run("sidecarctl remove --all", tmp_path, stdin=wrap(added))
    assert removed.code == 0
    assert removed.stdout.split() == wrap(text).split()


def test_remove_keeps_a_comment_that_was_written_into_brackets(tmp_path: Path) -> None:
    text = POD.format(annotations="", spec="  volumes: [\n  ]\n")
    added = run("sidecarctl add log-tail --set logDir=/logs --set path=a.log", tmp_path, stdin=text).stdout
    edited = added.replace("\n  ]\n", "\n    # later\n  ]\n")
    assert edited != added
    removed = run("sidecarctl remove --all", tmp_path, stdin=edited)
    assert (removed.code, removed.stdout) == (0, text.replace("[\n", "[\n    # later\n"))


@pytest.mark.parametrize("style", FLOW)
def test_remove_restores_annotations_in_one_line(style: str, tmp_path: Path) -> None:
    text = POD.format(annotations=FLOW[style], spec="")
    added = run("sidecarctl add logger", tmp_path, stdin=text)
    assert added.code == 0, added.stderr
    assert "annotations: {" in added.stdout
    removed = run("sidecarctl remove --all", tmp_path, stdin=added.stdout)
    assert (removed.code, removed.stdout) == (0, text), removed.stderr


def test_remove_refuses_to_restore_a_null_behind_a_tag(tmp_path: Path) -> None:
    added = run("sidecarctl add logger", tmp_path, stdin=POD.format(annotations="", spec="  volumes: ~\n"))
    tagged = added.stdout.replace("\n  volumes:\n", "\n  volumes: !!seq\n")
    assert tagged != added.stdout
    removed = run("sidecarctl remove --all", tmp_path, stdin=tagged)
    assert (removed.code, removed.stdout) == (1, "")
    assert "cannot restore the empty value of spec.volumes: it has a tag" in removed.stderr


def test_remove_separates_what_it_restores_from_a_comment(tmp_path: Path) -> None:
    text = POD.format(annotations="  annotations: {a: b}\n", spec="")
    added = run("sidecarctl add logger", tmp_path, stdin=text).stdout.replace("}}'}\n", "}}'# why\n    }\n")
    removed = run("sidecarctl remove --all", tmp_path, stdin=added)
    assert (removed.code, removed.stdout) == (0, text.replace("{a: b}\n", "{a: b # why\n    }\n"))


def dump_yaml(value: Any) -> str:
    """Return a value in block style, as other programs write it."""
    stream = io.StringIO()
    YAML().dump(value, stream)
    return stream.getvalue()


def load_yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


FORMER_TEXTS = ["", "[]", "null", "~", "\n[]", "#x\n[]", "&a", "!!null ''", " # why", " ~", " # why\n  []", "\t[]"]


@pytest.mark.parametrize("dump", [json.dumps, dump_yaml])
@pytest.mark.parametrize("was", FORMER_TEXTS)
def test_remove_restores_an_empty_value_in_a_document_of_another_style(
    was: str, dump: Callable[[Any], str], tmp_path: Path
) -> None:
    added = run("sidecarctl add log-tail", tmp_path, stdin=POD.format(annotations="", spec="  volumes:\n"))
    assert added.code == 0, added.stderr
    pod = load_yaml(added.stdout)
    annotations = pod["metadata"]["annotations"]
    (key,) = [each for each in annotations if each == "sidecarctl.dev/sidecars"]
    annotations[key] = json.dumps({**json.loads(annotations[key]), "was": {"spec/volumes": was}})
    name = "pod.json" if dump is json.dumps else "pod.yaml"
    (tmp_path / name).write_text(dump(pod))
    removed = run(f"sidecarctl remove --all {name}", tmp_path)
    assert removed.code == 0, removed.stderr
    left = json.loads(removed.stdout) if dump is json.dumps else load_yaml(removed.stdout)
    assert left["spec"]["volumes"] in (None, [])
    assert "annotations" not in left["metadata"]


@pytest.mark.parametrize("was", ["~", "", "Null"])
def test_remove_restores_what_json_does_not_have_in_other_files(was: str, tmp_path: Path) -> None:
    text = json.dumps(load_yaml(POD.format(annotations="", spec=""))).replace(
        '"spec": {', f'"spec": {{"volumes":{was}, '
    )
    added = run("sidecarctl add log-tail", tmp_path, stdin=text)
    assert added.code == 0, added.stderr
    assert run("sidecarctl remove --all", tmp_path, stdin=added.stdout).stdout == text


def test_remove_after_compact_json_became_yaml_restores_the_value(tmp_path: Path) -> None:
    pod = load_yaml(POD.format(annotations="", spec="  volumes: []\n"))
    added = run("sidecarctl add log-tail", tmp_path, stdin=json.dumps(pod, separators=(",", ":")))
    assert added.code == 0, added.stderr
    removed = run("sidecarctl remove --all", tmp_path, stdin=dump_yaml(json.loads(added.stdout)))
    assert (removed.code, load_yaml(removed.stdout)) == (0, pod), removed.stderr


RECORD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations:
    x: text
    sidecarctl.dev/sidecars: '{{"v":1,"instances":{{"a":{{"sidecar":"a","version":"1","added":{{"annotations":["x"]}}}}}},"was":{{"metadata/annotations":"{was}"}}}}'
spec:
  containers:
  - name: app
    image: registry.example/app:1.0.0
"""


@pytest.mark.parametrize("was", ["hello", "{}\\nspec2: {}", ": : [", "# \\ud800\\n {}", "[1]"])
def test_refuses_a_record_whose_former_text_is_not_empty(was: str, tmp_path: Path) -> None:
    done = run("sidecarctl remove --all", tmp_path, stdin=RECORD.format(was=was))
    assert (done.code, done.stdout) == (1, "")
    assert "error[unreadable-record]" in done.stderr


def test_refuses_a_record_that_nests_too_deep(tmp_path: Path) -> None:
    nested = "[" * 90_000 + "]" * 90_000
    text = RECORD.format(was="{}").replace('"v":1,', f'"v":1,"x":{nested},')
    done = run("sidecarctl remove --all", tmp_path, stdin=text)
    assert (done.code, done.stdout) == (1, "")
    assert "error[unreadable-record]" in done.stderr
