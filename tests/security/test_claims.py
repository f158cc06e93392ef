"""Every claim of SECURITY.md has a test."""

from __future__ import annotations

import ast
import re

import pytest

from tests.command import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
CLAIMS = [line for line in PAGE.splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_links_an_existing_test(claim: str) -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(([\w/]+\.py)\)", claim)
    assert named, "a claim needs a test"
    for test, file in named:
        tree = ast.parse((ROOT / file).read_text())
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_claims_cover_libraries_manifests_and_secrets() -> None:
    assert len(CLAIMS) >= 20
    assert set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE)) >= {"A hostile library", "A hostile manifest", "Secrets"}
