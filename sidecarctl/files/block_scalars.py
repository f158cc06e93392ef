"""Which lines of a text are the content of block scalars, by their indentation: the text may be no YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"(?:^|[:-])[ \t]+(?:[!&]\S*[ \t]+)*[|>][-+0-9]*[ \t]*(?:#.*)?\r?$")
_DASHES = re.compile(r" *(?:- +)*")
_ITEM = re.compile(r" *(?:- +)*- +(?=[|>!&])")


def outside_block_scalars(text: str) -> Iterator[str]:
    """Yield the lines of a text that are not the content of a block scalar."""
    indent: int | None = None
    for line in text.split("\n"):
        if indent is not None and (len(line) - len(line.lstrip(" ")) > indent or not line.strip()):
            continue
        indent = _indentation(line) if _HEADER.search(line) else None
        yield line


def _indentation(line: str) -> int:
    """Return the column of the key of a block scalar, or of the dash of its item: its content is indented more."""
    item = _ITEM.match(line)
    if item:
        return line.rindex("-", 0, item.end())
    found = _DASHES.match(line)
    return found.end() if found else 0
