"""Limits on input, in one table. An environment variable changes each limit."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from io import BufferedIOBase


@dataclass(frozen=True)
class Limit:
    """A limit: its variable, its default, its maximum, and what it limits."""

    variable: str
    default: int
    most: int
    what: str

    @property
    def value(self) -> int:
        """The limit of this run. Raises UsageError if the variable is not a number or too large."""
        text = os.environ.get(self.variable, "")
        if not text:
            return self.default
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= self.most:
            raise UsageError(
                f'invalid {self.variable} "{text}": expected a number from 1 to {self.most:,}',
                hint=f"it limits {self.what}; the default is {self.default:,}",
            )
        return int(text)

    def check(self) -> None:
        """Raise UsageError if the variable is invalid."""
        self.value  # noqa: B018

    @property
    def way_out(self) -> str:
        """How to raise the limit."""
        return f"if this is intended, raise the limit of {self.value:,} with the environment variable {self.variable}"


def read_at_most(stream: IO[bytes] | BufferedIOBase, count: int) -> bytes:
    """Return at most `count` bytes of a stream, in pieces: one read would allocate a raised limit at once."""
    parts: list[bytes] = []
    while count > 0 and (part := stream.read(min(_PIECE, count))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


_PIECE = 1 << 20
_MANY = 10**12
INPUT = Limit("SIDECARCTL_MAX_INPUT", 256 << 20, _MANY, "the size of an input file or of stdin in bytes")
DOCUMENT = Limit("SIDECARCTL_MAX_DOCUMENT", 64 << 20, _MANY, "the number of characters in a document")
VALUES = Limit("SIDECARCTL_MAX_VALUES", 2_000_000, _MANY, "the number of values in a document")
ALIASED = Limit(
    "SIDECARCTL_MAX_ALIASED", 50_000, _MANY, "the number of values that the aliases of a document expand to"
)
DEPTH = Limit("SIDECARCTL_MAX_DEPTH", 400, 10_000, "the nesting depth of a document")
FILE = Limit("SIDECARCTL_MAX_FILE", 1 << 20, _MANY, "the size of a library or composition file in bytes")
FILE_VALUES = Limit("SIDECARCTL_MAX_FILE_VALUES", 200_000, _MANY, "the number of values in a YAML file of a library")
TEMPLATE = Limit("SIDECARCTL_MAX_TEMPLATE", 256 << 10, _MANY, "the size of a template in bytes")
STEPS = Limit(
    "SIDECARCTL_MAX_STEPS",
    500_000,
    _MANY,
    "the number of steps of a template, of items that a plain template searches by name, and of properties of its parameters"
    " with defaults",
)
RENDERED = Limit("SIDECARCTL_MAX_RENDERED", 2 << 20, _MANY, "the number of characters that a template renders")
SECONDS = Limit(
    "SIDECARCTL_MAX_SECONDS", 10, 100_000, "the run time of a template, a pattern, or reading an archive in seconds"
)
MEMORY = Limit(
    "SIDECARCTL_MAX_MEMORY",
    1024,
    1_000_000,
    "the memory of a template, a pattern, reading an archive, or Git in mebibytes",
)
STEP_SECONDS = Limit(
    "SIDECARCTL_MAX_STEP_SECONDS",
    300,
    1_000_000,
    "the CPU time for a step of a command, such as a file, a document, or the report, in seconds",
)
LIBRARY_FILES = Limit("SIDECARCTL_MAX_LIBRARY_FILES", 5_000, _MANY, "the number of files of a vendored library")
LIBRARY_SIZE = Limit("SIDECARCTL_MAX_LIBRARY", 16 << 20, _MANY, "the size of a vendored library in bytes")
FETCH_SIZE = Limit("SIDECARCTL_MAX_FETCH", 256 << 20, _MANY, "what is fetched or unpacked for a library in bytes")
FETCH_SECONDS = Limit(
    "SIDECARCTL_MAX_FETCH_SECONDS", 120, 100_000, "the time that Git may take for a library in seconds"
)

# The nesting depth of library files and rendered sidecars. Functions that recurse over them use several frames per level.
LIBRARY_DEPTH = 100

ALL = (
    *(INPUT, DOCUMENT, VALUES, ALIASED, DEPTH, FILE, FILE_VALUES, TEMPLATE, STEPS, RENDERED, SECONDS, MEMORY),
    *(STEP_SECONDS, LIBRARY_FILES, LIBRARY_SIZE, FETCH_SIZE, FETCH_SECONDS),
)
