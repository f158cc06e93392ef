"""SECURITY.md claims nothing without a test."""

from __future__ import annotations

import ast
import re

import pytest

from tests.command import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
CLAIMS = [line for line in PAGE.splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_names_a_test_that_is_there(claim: str) -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(([\w/]+\.py)\)", claim)
    assert named, "a claim needs a test"
    for test, file in named:
        tree = ast.parse((ROOT / file).read_text())
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_there_are_claims_about_everything_hostile() -> None:
    assert len(CLAIMS) >= 20
    assert set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE)) >= {"A hostile library", "A hostile manifest", "Secrets"}
