"""JSON that is safe to print: reports go to terminals and to the logs of CI systems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sidecarctl.report.terminal import AZURE_COMMAND, visible

_INDENT = "  "


def to_json(data: Any) -> str:
    """Return data as indented JSON with a final line break. Characters that `visible` escapes are escapes of JSON.

    A command of Azure Pipelines, which is found anywhere in a line, gets an escape too. Values that JSON does not have are
    written as text. A list of many items can be an iterator, in a dict or in another iterator: each item is made when it is
    written, so that memory holds one at a time.
    """
    return "".join(map(_escaped, _parts(data))) + "\n"


def _parts(value: Any, margin: str = "") -> Iterator[str]:
    """Yield the JSON of a value, whose further lines begin with the margin."""
    if isinstance(value, Iterator):
        yield from _members("[]", (("", each) for each in value), margin)
    elif isinstance(value, dict) and any(isinstance(each, Iterator) for each in value.values()):
        named = ((json.dumps(key, ensure_ascii=False) + ": ", each) for key, each in value.items())
        yield from _members("{}", named, margin)
    else:
        text = json.dumps(value, indent=_INDENT, ensure_ascii=False, default=str)
        yield text.replace("\n", f"\n{margin}")


def _members(brackets: str, members: Iterator[tuple[str, Any]], margin: str) -> Iterator[str]:
    """Yield the members of a dict or an iterator, each a value with the text before it, between two brackets."""
    before = brackets[0]
    for name, value in members:
        yield f"{before}\n{margin}{_INDENT}{name}"
        yield from _parts(value, margin + _INDENT)
        before = ","
    yield brackets if before != "," else f"\n{margin}{brackets[1]}"


def _escaped(text: str) -> str:
    if not text.isascii():
        text = "".join(char if char.isascii() or visible(char) == char else json.dumps(char)[1:-1] for char in text)
    text = text.replace("\x7f", "\\u007f")
    return AZURE_COMMAND.sub(r"#\\u0023\1", text) if "##" in text else text
