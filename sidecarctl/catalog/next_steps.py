"""What to do after adding a sidecar: `nextSteps` in its metadata, a text with placeholders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.catalog.entry_files import YamlFile
from sidecarctl.errors import LibraryError
from sidecarctl.findings import shorten
from sidecarctl.lazy_pattern import lazy_pattern

# The placeholders beside parameters.
_INPUTS = ("instance", "container")
_LONGEST_VALUE, _LONGEST_STEPS = 1_000, 10_000  # characters
_PLACEHOLDER = lazy_pattern(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")


def read_next_steps(source: YamlFile, text: str, schema: Mapping[str, Any]) -> str:
    """Return the text of `nextSteps`. Raises LibraryError for a placeholder that may have no value or a secret one."""
    names = [name for name in _PLACEHOLDER.findall(text) if name not in _INPUTS]
    if not names:
        return text
    from sidecarctl.catalog.parameter_values import has_default

    properties, required = schema.get("properties", {}), schema.get("required", ())
    for name in names:
        if name not in properties:
            rule, hint = "unknown parameter", f"use one of {', '.join((*_INPUTS, *properties))}"
        elif _may_have_secret(name, schema):
            rule, hint = "the parameter is secret (writeOnly)", "use another parameter"
        elif name not in required and not has_default(properties[name], schema):
            rule, hint = "the parameter may have no value", "use a parameter that is required or has a default"
        else:
            continue
        where = source.place(("metadata", "nextSteps"))
        raise LibraryError(f'invalid placeholder "{{{name}}}" in nextSteps: {rule}', where=where, hint=hint)
    return text


def _may_have_secret(name: str, schema: Mapping[str, Any]) -> bool:
    from sidecarctl.catalog.parameter_values import has_secrets

    if not has_secrets(schema):  # most sidecars have none, and do not need the other module
        return False
    from sidecarctl.catalog.secret_parameters import may_have_secret

    return may_have_secret(name, schema)


def format_next_steps(text: str, instance: str, containers: Sequence[str], parameters: Mapping[str, Any]) -> str:
    """Return what to do after adding an instance: `text` with its placeholders replaced.

    Long values, and a long text, are shortened: every workload has its own.
    """
    values = {**parameters, "instance": instance, "container": ", ".join(containers) or "the app"}
    filled = _PLACEHOLDER.sub(lambda match: shorten(_format_value(values.get(match[1])), _LONGEST_VALUE), text)
    return shorten(filled, _LONGEST_STEPS)


def _format_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_format_value, value))
    return json.dumps(value, ensure_ascii=False)
