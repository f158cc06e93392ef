"""What is wrong with a value according to its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.lazy_dataclass import dataclass

Path = tuple["str | int", ...]


@dataclass(frozen=True)
class SchemaProblem:
    """One schema violation.

    `path` is the location in the value. `on_key` is True for an invalid key. `missing` is the name of a missing field.
    """

    path: Path
    message: str
    hint: str = ""
    on_key: bool = False
    missing: str = ""

    def __str__(self) -> str:
        text = f"{path_text(self.path)}: {self.message}" if self.path else self.message
        return f"{text}; {self.hint}" if self.hint else text


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as text: `containers[0].image`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
