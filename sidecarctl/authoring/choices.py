"""What can be typed after --set: the parameters of some sidecars, nested ones too, and the values that a schema names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.authoring.rows import common_rows, rows
from sidecarctl.library.sidecar import Sidecar


def assignments(sidecars: Sequence[Sidecar], incomplete: str) -> list[tuple[str, str]]:
    """Return `[SIDECAR.]KEY=` or `KEY=VALUE` with a description, for what begins with `incomplete`."""
    found = [each for sidecar in sidecars for each in _of(sidecar, f"{sidecar.name}." if len(sidecars) > 1 else "")]
    if "=" in incomplete:
        typed = incomplete.partition("=")[0]
        pairs = [(f"{key}={value}", text) for key, values, text in found if key == typed for value in values]
    else:
        pairs = [(f"{key}=", text) for key, _, text in found]
    return [(word, text) for word, text in pairs if word.startswith(incomplete)]


def _of(sidecar: Sidecar, prefix: str) -> Iterator[tuple[str, list[str], str]]:
    for row in [*rows(sidecar.parameters), *common_rows()]:
        if not any(step in ("[]", "<name>") for step in row.path) and row.type not in ("map", "any value"):
            words = row.type.split(", ")[0].split(" | ") if " | " in row.type and " or " not in row.type else []
            yield prefix + ".".join(row.path), words, row.description
