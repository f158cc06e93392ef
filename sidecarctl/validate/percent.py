"""Amounts of pods that are a number or a percentage ("25%"), as the API server reads them. Knows no field."""

from __future__ import annotations

import re

from sidecarctl.findings import quote

_PERCENT = re.compile(r"([0-9]+)%", re.ASCII)


def percentage(value: object) -> int | None:
    """Return the number of a percentage, None for anything else."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 20 else None
    return int(found.group(1)) if found else None


def amount(value: object) -> int | None:
    """Return the number of pods or percent, whichever it is; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return value
    return percentage(value)


def amount_fault(value: object) -> str | None:
    """Say why a value is no amount, as the end of a sentence; None where it is one or of a wrong type."""
    if isinstance(value, str) and percentage(value) is None:
        return f"is {quote(value)}, which is no percentage in whole numbers"
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return f"is {value}, and can't be negative"
    return None
