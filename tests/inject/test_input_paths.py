"""Findings of a run that changes several sidecars have places in the input, not in what an earlier step made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import run
from tests.inject.test_reposition import POD, write_version

LIST = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
    f"{'- ' if not number else '  '}{line}\n" for number, line in enumerate(POD.splitlines())
)


@pytest.mark.parametrize("text", [POD, LIST], ids=["pod", "list"])
@pytest.mark.parametrize("policy", ["keep", "fail"])
def test_conflict_is_at_its_line_in_the_input(policy: str, text: str, tmp_path: Path) -> None:
    write_version(tmp_path, "second", "1.0.0")
    old = run("sidecarctl add second --library lib -f -", tmp_path, stdin=text).stdout
    old = old.replace("registry.example/second:1.0.0", "registry.example/second:mine")
    write_version(tmp_path, "second", "2.0.0")
    write_version(tmp_path, "first", "1.0.0", "first helper")
    (tmp_path / "web.yaml").write_text(old)
    words = f"sidecarctl add first second --set first.position=first --library lib --on-conflict {policy} --check --format json web.yaml"
    done = run(words, tmp_path)
    found = [each for each in json.loads(done.stdout)["findings"] if each["rule"] == "upgrade-conflict"]
    (line,) = (number for number, each in enumerate(old.splitlines(), 1) if "second:mine" in each)
    assert [each["place"]["line"] for each in found] == [line]
    assert done.code == 1
