"""kubectl completes `kubectl sidecar` through `kubectl_complete-sidecar`, as it does for every plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.cli.kubectl_completion import answer


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rem"], "remove\n:4\n"),
        (["show", "log-"], "log-tail\n:4\n"),
        (["add", "logger", "--mo"], "--mode\n:4\n"),
        (["add", "logger", "--mode", "na"], "native\n:4\n"),
        (["library", ""], "add\nupdate\nremove\nlist\nverify\n:4\n"),
        (["add", "logger", "--values", ""], ":0\n"),
        (["nonsense", ""], ":0\n"),
    ],
)
def test_answer_is_in_the_form_of_cobra(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer(words) == expected


def test_without_words_every_command_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer([]).startswith("add\nupgrade\n")
