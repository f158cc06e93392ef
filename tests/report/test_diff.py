"""Unified diffs: `patch` applies them, and each hunk shows whole blocks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.report import diff
from sidecarctl.report.diff import unified_diff
from tests.calls import count_calls

lines = st.lists(st.sampled_from(["a", "b", "- c", "  d", "", "e\r", "f\u2028g", "h\x0c"]), max_size=14)
text = st.builds(lambda body, end: "\n".join(body) + end, lines, st.sampled_from(["", "\n", "\r\n"]))


def apply(before: str, diff: str) -> str:
    """Apply a unified diff strictly."""
    old = before.split("\n")
    old = [line + "\n" for line in old[:-1]] + ([old[-1]] if old[-1] else [])
    done: list[str] = []
    at = 0
    rows = [row + "\n" for row in diff.split("\n")[:-1]]
    for index, row in enumerate(rows[2:], 2):
        if row.startswith("@@"):
            start, _, length = row.split()[1][1:].partition(",")
            begin = int(start) - (length != "0")
            done += old[at:begin]
            at = begin
        elif not row.startswith("\\"):
            line = row[1:]
            if index + 1 < len(rows) and rows[index + 1].startswith("\\"):
                line = line[:-1]
            if row[0] in " -":
                assert old[at] == line
                at += 1
            if row[0] in " +":
                done.append(line)
    return "".join(done + old[at:])


@settings(max_examples=300)
@given(text, text)
def test_applying_the_diff_returns_the_new_text(before: str, after: str) -> None:
    assert (
        apply(before, unified_diff(before, after, "f")) == after
        if before != after
        else not unified_diff(before, after, "f")
    )


@pytest.mark.skipif(not shutil.which("patch"), reason="patch is not installed")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\nc", "a\nb\nx\nc"),
        ("a\r\nb\r\n", "a\r\nx\r\nb\r\n"),
        ("a\n", "a"),
        ("", "a\nb\n"),
        ("a", "a\nb"),
        ("a\nb\n", ""),
    ],
)
def test_patch_applies_the_diff(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "a file"
    file.write_bytes(before.encode())
    diff = unified_diff(before, after, "a file").encode()
    subprocess.run(["patch", "--binary", "-s", str(file)], input=diff, check=True, cwd=tmp_path)
    assert (file.read_bytes() if file.exists() else b"") == after.encode()


def test_diff_of_a_manifest_shows_the_inserted_lines() -> None:
    before = "spec:\n  containers:\n  - name: web\n    image: nginx\n  volumes: []\n"
    after = before.replace("  volumes", "  - name: logger\n    image: fluent-bit\n  volumes")
    assert (
        unified_diff(before, after, "web.yaml")
        == """\
--- web.yaml
+++ web.yaml
@@ -2,4 +2,6 @@
   containers:
   - name: web
     image: nginx
+  - name: logger
+    image: fluent-bit
   volumes: []
"""
    )


def test_diff_marks_a_missing_final_newline() -> None:
    assert unified_diff("a\nb", "a\nb\n", "f") == (
        "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    )


def test_diff_of_an_inserted_item_starts_at_its_dash() -> None:
    before = "- x: 1\n  y: 2\n- x: 3\n  y: 2\n"
    after = "- x: 1\n  y: 2\n- x: 9\n  y: 2\n- x: 3\n  y: 2\n"
    assert "+- x: 9\n+  y: 2\n" in unified_diff(before, after, "f")


def test_control_characters_are_escaped_only_on_a_terminal() -> None:
    assert "+\\x1b[2J\tx\n" in unified_diff("a\n", "\x1b[2J\tx\n", "f", terminal=True)
    assert "+\x1b[2J\tx\n" in unified_diff("a\n", "\x1b[2J\tx\n", "f")
    assert "\r" not in unified_diff("a\r\n", "a\r\nb\r\n", "f", terminal=True)


def test_removed_lines_are_red_and_added_lines_green() -> None:
    colored = unified_diff("a\n", "b\n", "f", color=True)
    assert "\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n" in colored


def test_diff_of_equal_texts_is_empty() -> None:
    assert unified_diff("a\n", "a\n", "f") == ""


def test_diff_of_many_similar_documents_has_one_hunk_per_change() -> None:
    one = "---\nkind: Deployment\nmetadata:\n  name: web-{}\nspec:\n" + "".join(f"  line{i}: 1\n" for i in range(40))
    before = "".join(one.format(i) for i in range(300))
    after = before.replace("  line20: 1\n", "  line20: 1\n  logger: 1\n  line3: 1\n")
    diff = unified_diff(before, after, "f")
    assert diff.count("\n@@") == 300
    assert diff.count("\n+  logger: 1\n+  line3: 1\n") == 300
    assert "\n-" not in diff.replace("--- f\n", "")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names must be text")
@pytest.mark.parametrize("name", [b"s\xff.yaml", b"line\nbreak.yaml", b'"quoted".yaml', b"\x1b[31m.yaml"])
def test_patch_applies_the_diff_of_a_file_with_an_odd_name(tmp_path: Path, name: bytes) -> None:
    file = tmp_path / os.fsdecode(name)
    file.write_text("one\n")
    diff = unified_diff("one\n", "two\n", os.fsdecode(name))
    assert "\\n" not in diff.splitlines()[0]
    subprocess.run(["patch", "-p0"], cwd=tmp_path, input=diff.encode(), check=True, capture_output=True)
    assert file.read_text() == "two\n"


def test_diff_of_long_repetitive_texts_takes_limited_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{number % 120}\n" for number in range(3000)]
    before = "".join(lines)
    after = "".join("new\n" + line if number % 300 == 7 else line for number, line in enumerate(lines))
    matcher = SequenceMatcher.find_longest_match.__code__

    def searches(steps: int) -> int:
        monkeypatch.setattr(diff, "_STEPS", steps)
        found: list[str] = []
        calls = count_calls(lambda: found.append(unified_diff(before, after, "a.yaml")), matcher).total()
        assert apply(before, found[0]) == after
        return calls

    assert searches(diff._STEPS) >= 9
    assert searches(200_000) <= 4
    assert searches(0) == 0
