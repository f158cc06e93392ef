from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.vendoring.repository_kit import make_library, make_user

if shutil.which("git") is None:
    collect_ignore_glob = ["test_*.py"]
elif os.name == "nt":
    collect_ignore_glob = ["test_hostile.py", "test_verify.py"]  # they make links and shell scripts


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A repository with a library."""
    return make_library(tmp_path)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository that uses libraries."""
    return make_user(tmp_path)
