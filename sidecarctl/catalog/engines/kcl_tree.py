"""Syntax trees of KCL files, as KCL's own parser gives them in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class TemplateError(Exception):
    """An invalid or unsafe template: message, and `file:line:column`."""

    def __init__(self, message: str, where: str = "", kind: str = "error") -> None:
        super().__init__(message)
        self.where = where
        self.kind = kind


def parse(api: Any, file: Path) -> Any:
    """Return the syntax tree of a file. Imports are not resolved. Raises TemplateError for invalid syntax."""
    result = api.API().parse_file(api.ParseFileArgs(path=str(file)))
    for error in result.errors:
        if "Syntax" in error.code:
            message = error.messages[0]
            raise TemplateError(
                message.msg, f"{message.pos.filename or file}:{message.pos.line}:{message.pos.column + 1}"
            )
    return json.loads(result.ast_json)


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings of a syntax tree."""
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
            stack.extend(here.values())
        elif isinstance(here, list):
            stack.extend(here)


def names_of(node: dict[str, Any]) -> list[str]:
    """Return the names of an identifier or selector: `a.b` has two."""
    found = node.get("names") or node.get("attr", {}).get("node", {}).get("names") or []
    return [each["node"] for each in found]


def place_of(file: Path, node: dict[str, Any]) -> str:
    """Return `file:line:column` of an import, identifier, or selector."""
    spot = node.get("path") or (node.get("names") or node.get("attr", {}).get("node", {}).get("names") or [{}])[0]
    return f"{file}:{spot.get('line', 1)}:{spot.get('column', 0) + 1}"
