"""How much is taken before it counts as a mistake or an attack: one table. A variable of the environment moves each limit."""

from __future__ import annotations

import os
from typing import NamedTuple

from sidecarctl.errors import UsageError


class Limit(NamedTuple):
    """A limit: the variable that moves it, what holds without it, how far it can be moved, and what it is a limit of."""

    variable: str
    default: int
    most: int
    what: str

    @property
    def value(self) -> int:
        """The limit of this run. Raises UsageError for a variable that is no number, or too large a one."""
        text = os.environ.get(self.variable, "")
        if not text:
            return self.default
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= self.most:
            raise UsageError(
                f"{self.variable} is {text!r}, which is no number from 1 to {self.most:,}",
                hint=f"it limits {self.what}; without it {self.default:,} holds",
            )
        return int(text)

    @property
    def way_out(self) -> str:
        """What to do where the limit is in the way."""
        return f"{self.variable} in the environment raises the limit of {self.value:,}, if this is meant"


_MANY = 10**12
DOCUMENT = Limit("SIDECARCTL_MAX_DOCUMENT", 64 << 20, _MANY, "the characters of one document")
VALUES = Limit("SIDECARCTL_MAX_VALUES", 2_000_000, _MANY, "the values of one document, those behind aliases included")
DEPTH = Limit("SIDECARCTL_MAX_DEPTH", 400, 10_000, "how deep a document nests")
FILE = Limit("SIDECARCTL_MAX_FILE", 1 << 20, _MANY, "the bytes of a file of a library or composition")
TEMPLATE = Limit("SIDECARCTL_MAX_TEMPLATE", 256 << 10, _MANY, "the bytes of a template")
STEPS = Limit("SIDECARCTL_MAX_STEPS", 500_000, _MANY, "the steps that a template takes")
RENDERED = Limit("SIDECARCTL_MAX_RENDERED", 2 << 20, _MANY, "the characters that a template renders")
SECONDS = Limit("SIDECARCTL_MAX_SECONDS", 10, 100_000, "the seconds that a KCL template or a pattern takes")

ALL = (DOCUMENT, VALUES, DEPTH, FILE, TEMPLATE, STEPS, RENDERED, SECONDS)
