"""Whether the fields that a sidecar writes can have secrets, so that reports name them without their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError
from sidecarctl.kube.secret_values import PLACEHOLDERS


def may_write_secrets(sidecar: Sidecar, recorded: Mapping[str, Any]) -> bool:
    """Return True if a sidecar has a secret parameter or a placeholder for a secret, or its recorded parameters have one."""
    return has_secrets(sidecar.parameters) or has_placeholder(sidecar, recorded)


def has_placeholder(sidecar: Sidecar, recorded: Mapping[str, Any]) -> bool:
    """Return True if the template, the parameters, or recorded parameters have the text that `adopt` writes for a secret."""
    texts = (json.dumps([sidecar.parameters, recorded], default=str), _template(sidecar))
    return any(placeholder in text for text in texts for placeholder in PLACEHOLDERS)


def _template(sidecar: Sidecar) -> str:
    try:
        return read_text(sidecar.template, sidecar.folder)
    except LibraryError:  # it cannot write a field either
        return ""
