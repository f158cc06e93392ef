"""SHA-256 as Python itself has it: `hashlib` loads all of OpenSSL first, which takes longer than what is hashed here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

# Python 3.12 and newer, older ones, and those built without.
_MODULES = ("_sha2", "_sha256", "hashlib")


def sha256(data: bytes) -> str:
    """Return the digest as 64 hex digits."""
    return str(_function()(data).hexdigest())


@cache
def _function() -> Any:
    for name in _MODULES:
        try:
            return import_module(name).sha256
        except (ImportError, AttributeError):
            continue
    raise ImportError("this Python has no SHA-256")
