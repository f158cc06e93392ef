"""Fixes that write a scalar another way: in quotes or without, in the letters that the field knows."""

from __future__ import annotations

import re

from sidecarctl.findings import Finding
from sidecarctl.validate.fix.fixes import Fix, Given, scalar_at, value_at
from sidecarctl.yamltext.edits import Replace
from sidecarctl.yamltext.nodes import Scalar
from sidecarctl.yamltext.stream import Document

_WHOLE = re.compile(r"-?[1-9][0-9]*|0")
_QUOTES = ("'", '"')


def retyped(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Put a number or boolean in quotes where a string is wanted, as it is written; take quotes off where they are wrong."""
    wanted = next(iter(finding.wants), "")
    value = value_at(document.value, finding.path)
    if wanted == "string" and isinstance(value, (bool, int, float)):
        return _quoted(finding, document)
    whole = wanted in ("int32", "int64") and isinstance(value, str) and _WHOLE.fullmatch(value)
    if whole or (wanted == "boolean" and value in ("true", "false")):
        return _unquoted(finding, document)
    return None


def _quoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None:
        return None
    written = document.text[node.start : node.end]
    says = f'put it in quotes: "{written}"'
    return Fix(finding, (Replace(finding.path, written, says, f'"{written}"'),), says)


def _unquoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None or node.style not in _QUOTES:
        return None
    value = node.value == "true" if node.value in ("true", "false") else int(node.value)
    says = f"remove the quotes: {node.value}"
    return Fix(finding, (Replace(finding.path, value, says, node.value),), says)


def recased(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Write a word as the field knows it, where only the case of letters differs."""
    value = value_at(document.value, finding.path)
    meant = [word for word in finding.wants if isinstance(value, str) and word.lower() == value.lower()]
    return rewritten(finding, document, meant[0], f"write {meant[0]}") if len(meant) == 1 else None


def rewritten(finding: Finding, document: Document, text: str, says: str) -> Fix | None:
    """Write another word in the place of the finding's, in its quotes."""
    node = scalar_at(document, finding.path)
    if node is None or node.style not in ("", *_QUOTES):
        return None
    return Fix(finding, (Replace(finding.path, text, says, in_its_quotes(node, text)),), says)


def in_its_quotes(node: Scalar, text: str) -> str:
    """Return a word (no quote, no backslash in it) as it is to be written in the place of a scalar; "" for the usual way."""
    return f"{node.style}{text}{node.style}" if node.style in _QUOTES else ""
