"""JSON that is safe to print: reports go to terminals and to the logs of CI systems."""

from __future__ import annotations

import json
from typing import Any

from sidecarctl.report.terminal import AZURE_COMMAND, visible


def to_json(data: Any) -> str:
    """Return data as indented JSON with a final line break. Characters that `visible` escapes are escapes of JSON.

    A command of Azure Pipelines, which is found anywhere in a line, gets an escape too. Values that JSON does not have are
    written as text.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    if not text.isascii():
        text = "".join(char if char.isascii() or visible(char) == char else json.dumps(char)[1:-1] for char in text)
    text = text.replace("\x7f", "\\u007f")
    return (AZURE_COMMAND.sub(r"#\\u0023\1", text) if "##" in text else text) + "\n"
