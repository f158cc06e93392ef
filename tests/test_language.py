"""Odd turns of phrase stay out of docs, help, messages, and comments. People do the reading; this catches relapses."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import ROOT

ODD = re.compile(
    r"\bis no (?!longer\b|more\b|limit\b)[a-z\"'`{]|\bis none of\b"
    r"|\b(?:some|any|no)body\b"
    r"|\bput(?:s)? (?:it |them )?right\b"
    r"|\bfor ever\b|\bfor good\b"
    r"|\bstands? (?:in|there|behind|below|above|alone)\b"
    r"|\bone's own\b|\bbe it\b|\bhas it that\b"
    r"|\bis told\b|\bcan't be told\b"
    r"|\bfolders?\b",
    re.IGNORECASE,
)
# Terms of other programs, and names.
ALLOWED = re.compile(r"(?i:there is no )|as nobody|\"nobody\"|\{folder\}|`folder`|FOLDER|\bfolder(?:Annotation)?: ")
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "examples/**/*.md",
        "bench/*.md",
        "library/*/sidecar.yaml",
        ".github/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
MODULES = sorted((ROOT / "sidecarctl").rglob("*.py"))


def prose(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and the string literals with spaces of a module, with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(module.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            for number, line in enumerate(token.string.splitlines()):
                yield token.start[0] + number, re.sub(r"\{[^{}]*\}", "", line)  # expressions of f-strings


def odd(lines: Iterator[tuple[int, str]], path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}"
        for number, line in lines
        for found in ODD.finditer(ALLOWED.sub("", line))
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_use_plain_language(path: Path) -> None:
    assert odd(iter(enumerate(path.read_text("utf-8").splitlines(), 1)), path) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_messages_and_comments_use_plain_language(module: Path) -> None:
    assert odd(prose(module), module) == []
