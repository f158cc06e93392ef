"""The comment that tells editors the JSON Schema of a file."""

from __future__ import annotations

# The directory of the `$id` of every schema, where the documentation site publishes them.
SCHEMAS = "https://sidecarctl.dev/schemas"


def format_schema_comment(name: str) -> str:
    """Return the first line of a generated file, for the YAML language server. `name` is that of a schema ("sidecar")."""
    return f"# yaml-language-server: $schema={SCHEMAS}/{name}.schema.json\n"
