"""The comment that tells editors the JSON Schema of a file."""

from __future__ import annotations

_SCHEMAS = "https://raw.githubusercontent.com/sidecarctl/sidecarctl/main/schemas"


def format_schema_comment(name: str) -> str:
    """Return the first line of a generated file, for the YAML language server. `name` is "composition" or "sidecar"."""
    return f"# yaml-language-server: $schema={_SCHEMAS}/{name}.schema.json\n"
