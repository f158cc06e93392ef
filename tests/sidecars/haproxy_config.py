"""Reads an HAProxy configuration as far as the tests of the sidecars need it: sections and their lines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sidecarctl.catalog.fragment import Fragment

Sections = dict[str, list[list[str]]]


def sections(fragment: Fragment) -> Sections:
    """Return the lines of each section, in words, by the section's heading (`frontend inbound`)."""
    (config,) = fragment.documents
    found: Sections = {}
    for line in config["data"]["haproxy.cfg"].splitlines():
        words = line.split("#")[0].split()
        if words and not line.startswith(" "):
            found[" ".join(words)] = []
        elif words:
            found[list(found)[-1]].append(words)
    return found


def line(found: Sections, section: str, *start: str) -> list[str]:
    """Return the words after `start` in the only line of the section that starts so."""
    (only,) = [words[len(start) :] for words in found[section] if tuple(words[: len(start)]) == start]
    return only


def bound(found: Sections, section: str) -> tuple[int, list[str]]:
    """Return the port that a section listens on, and its TLS options. They are the same on every address."""
    binds = [words[1:] for words in found[section] if words[0] == "bind"]
    every = {
        (int(address.strip('"').rsplit(":", 1)[1]), *(option for option in options if option != "v6only"))
        for address, *options in binds
    }
    ((port, *options),) = every
    return port, list(options)


def has(found: Sections, section: str, *start: str) -> bool:
    """Tell whether a line of the section starts so."""
    return any(tuple(words[: len(start)]) == start for words in found[section])


def check(fragment: Fragment, places: list[str], tmp_path: Path) -> None:
    """Let HAProxy itself check the configuration, with a test certificate at `places`; skip where it is absent."""
    if not (shutil.which("haproxy") and shutil.which("openssl")):
        pytest.skip("needs haproxy and openssl")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2"]
    subprocess.run([*request, "-keyout", "tls.key", "-out", "tls.crt"], cwd=tmp_path, check=True, capture_output=True)
    shutil.copy(tmp_path / "tls.crt", tmp_path / "ca.crt")
    text = fragment.documents[0]["data"]["haproxy.cfg"]
    for place in places:
        text = text.replace(place, str(tmp_path))
    (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
