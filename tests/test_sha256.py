"""The SHA-256 of the start path equals that of hashlib, with and without Python's own hash functions."""

from __future__ import annotations

import hashlib
import importlib
import sys

import pytest

from sidecarctl import sha256


@pytest.mark.parametrize("hidden", [(), ("_sha2", "_sha256")], ids=["own", "openssl"])
def test_hash_equals_hashlib(monkeypatch: pytest.MonkeyPatch, hidden: tuple[str, ...]) -> None:
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    try:
        loaded = importlib.reload(sha256)
        for data in (b"", b"a", bytes(range(256)) * 9):
            assert loaded.sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()
    finally:
        monkeypatch.undo()
        importlib.reload(sha256)
