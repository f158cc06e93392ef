"""SHA-256 without OpenSSL, which takes 3 ms of the start of `add` to load, as the standard library's `random` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["sha256"]

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # Python 3.12 and newer
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:  # a Python that is built without its own hash functions
            from hashlib import sha256
