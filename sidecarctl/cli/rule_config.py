"""Rule severities from the nearest composition (`spec.validate.rules`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sidecarctl.validate.rule_selection import OF_MANIFESTS, OFF, Severities, unknown_rule_error

_FILE = "sidecarctl.yaml"


def beside(file: str) -> Severities:
    """Return the severities that hold for a manifest; for standard input those of the folder we are in.

    Raises UsageError with the place where the file is no composition or names a rule that does not exist.
    """
    return _of_folder(Path(file).resolve().parent)


@cache
def _of_folder(folder: Path) -> Severities:
    for one in (folder, *folder.parents):
        if (one / _FILE).is_file():
            return _read(one / _FILE)
    return {}


@cache
def _read(path: Path) -> Severities:
    from sidecarctl.composition.layers import read_file
    from sidecarctl.validate.registry import current_name, rules

    said = (read_file(path).value["spec"].get("validate") or {}).get("rules") or {}
    known = [one.name for one in rules().values() if one.layer in OF_MANIFESTS]
    current = {name: severity for name, severity in said.items() if name in known}
    severities = {current_name(name): severity for name, severity in said.items()} | current
    for name in severities:
        if name not in known:
            raise unknown_rule_error(name, known, f"{path}: spec.validate.rules")
    # Kubernetes reads `off` without quotes as the boolean.
    return {name: OFF if severity is False else str(severity) for name, severity in severities.items()}
