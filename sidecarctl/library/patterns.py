"""Regular expressions of somebody else's, which may take for ever on a text made for that. Knows no schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sidecarctl import limits
from sidecarctl.library.schemawords import SchemaFault

# Only a group that is repeated can take longer than the text is long, and only on a text of some length.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_LONG = 20


def found(pattern: str, text: str) -> bool:
    """True where a pattern is found in a text. Raises SchemaFault where looking takes longer than the limit."""
    if len(text) <= _LONG or not _REPEATED_GROUP.search(pattern):
        return re.search(pattern, text) is not None
    with _deadline(f"the pattern {pattern!r} takes too long on {len(text)} characters; {limits.SECONDS.way_out}"):
        return re.search(pattern, text) is not None


@contextmanager
def _deadline(message: str) -> Iterator[None]:
    """End what is done inside after the limit, where the system has timers and this is the main thread."""
    import signal

    def over(*_: Any) -> None:
        raise SchemaFault(message)

    try:
        before = signal.signal(signal.SIGVTALRM, over)
    except (AttributeError, ValueError):
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, limits.SECONDS.value)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
