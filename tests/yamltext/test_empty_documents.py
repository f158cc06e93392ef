"""Documents of blanks and comments are skipped without a parser, and nothing that a parser rejects is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.kube.kinds import DEFAULT_KINDS, has_no_workload
from sidecarctl.yamltext import stream
from sidecarctl.yamltext.parse import parse
from tests.command import run

EMPTY = ["", "\n", " \n  \n", "#", "# comment: [\n", "\r\n# a\r\n  # b", "#\tcontainers:\n\n", "#~\n"]
OTHER = [
    "\t\n",
    "a",
    "0\n",
    "# a\n-",
    "#\x07\n",
    "#\u2028- a",
    "#\x85a",
    "# \ud800",
    "...\n",
    "\ufeff",
    "\u2003",
    "#\x0ca",
    "%YAML 1.1",
]


@pytest.mark.parametrize("text", EMPTY)
def test_empty_document_is_not_parsed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert parse(text) is None
    monkeypatch.delattr(stream, "parse")
    assert stream.Document("", text).root is None
    assert has_no_workload(text, DEFAULT_KINDS)


@pytest.mark.parametrize("text", OTHER)
def test_what_a_parser_reads_is_parsed(text: str) -> None:
    assert not stream.is_empty(text)


@pytest.mark.parametrize("command", ["validate", "add log-tail --set logDir=/l --diff"])
def test_character_in_a_comment_that_yaml_rejects_is_an_error(tmp_path: Path, command: str) -> None:
    outcome = run(f"sidecarctl {command}", tmp_path, stdin="---\n# a\x07\n---\napiVersion: v1\nkind: Namespace\n")
    assert outcome.code
    assert ":2:4" in outcome.stdout + outcome.stderr
