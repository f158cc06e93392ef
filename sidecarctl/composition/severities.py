"""The severities of rules that compositions set in `spec.validate.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl.composition.composition_file import read_file
from sidecarctl.validate.registry import current_name, rules
from sidecarctl.validate.rule_selection import OF_MANIFESTS, OFF, Severities, unknown_rule_error

if TYPE_CHECKING:
    from sidecarctl.composition.model import Composition


def severities_of(composition: Composition) -> Severities:
    """Return the severities that a composition and its includes set, the including file last. Raises UsageError."""
    found: dict[str, str] = {}
    for file, configured in composition.severities.items():
        found.update(_checked(configured, file))
    return found


def read_severities(path: Path) -> Severities:
    """Return the severities that one file sets. Raises UsageError, with the file, if it names an unknown rule."""
    return _checked(read_file(path).severities, str(path))


def _checked(configured: Mapping[str, Any], file: str) -> Severities:
    """Return severities with the current names of rules. Raises UsageError, with the file, for an unknown rule."""
    known = [rule.name for rule in rules().values() if rule.layer in OF_MANIFESTS]
    severities = {current_name(name): severity for name, severity in configured.items()}
    severities.update({name: severity for name, severity in configured.items() if name in known})
    for name in severities:
        if name not in known:
            raise unknown_rule_error(name, known, f"{file}: spec.validate.rules")
    # YAML 1.1 reads an unquoted `off` as false.
    return {name: OFF if severity is False else str(severity) for name, severity in severities.items()}
