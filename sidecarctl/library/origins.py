"""Where each parameter was given, and which of them a message means. Knows keys and places; knows no value and no schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sidecarctl.library.assignments import addressed
from sidecarctl.yamltext.parse import Lines, parse

# A parameter's dotted key to where it was given: `--set port=1`, or `file:line:column`.
Origins = Mapping[str, str]

_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


def of_sets(texts: Sequence[str], sidecars: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, per sidecar, the keys that `--set` gives, which `parse_set` has taken."""
    origins: dict[str, dict[str, str]] = {}
    for text in texts:
        name, key, _ = addressed(text, sidecars)
        origins.setdefault(name, {})[key] = f"--set {text.partition('=')[0]}"
    return origins


def of_values(text: str, file: str) -> dict[str, dict[str, str]]:
    """Return, per sidecar, the keys that a values file gives, which `read_values` has taken."""
    lines, origins = Lines(text), {}
    for name, (_, parameters) in getattr(parse(text), "pairs", {}).items():
        places = {key: lines.at(node.start) for key, (node, _) in getattr(parameters, "pairs", {}).items()}
        origins[name] = {key: f"{file}:{line + 1}:{column + 1}" for key, (line, column) in places.items()}
    return origins


def meant(message: str, origins: Origins) -> str:
    """Return where the parameter was given that a message names, empty where it names none that was.

    What to do stands at a message's end (`…; set port`), so what is named there goes first.
    """
    for part in reversed(message.split("; ")):
        for word in _KEY.findall(part):
            for key, place in origins.items():
                if f"{key}.".startswith(f"{word}.") or f"{word}.".startswith(f"{key}."):
                    return place
    return ""
