"""Commands import only the modules that they need. Counting modules is more reliable than measuring time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
"""
COMPOSE, RULES, AUTHORING = "sidecarctl.inject", "sidecarctl.validate.rules", "sidecarctl.authoring"
PARSER, PACKAGE = "ruamel.yaml", "ruamel.yaml.main"
# Modules of the standard library that take long and that editing does not need.
STANDARD = ("base64", "dataclasses", "glob", "inspect")
# Modules that common commands must not import.
HEAVY = (
    "typer",
    "rich",
    "click",
    "jsonschema",
    "jinja2",
    "kcl_lib",
    "multiprocessing",
    "concurrent",
    "shutil",
    "_hashlib",
)
# Command: (maximum number of sidecarctl modules without rules, further modules that it must not import).
COMMANDS = {
    "--version": (3, (PARSER, COMPOSE, RULES, AUTHORING, "sidecarctl.catalog")),
    "list": (39, (PARSER, COMPOSE, RULES)),
    "rules port-conflict": (76, (PARSER, COMPOSE)),
    "validate -f web.yaml": (86, (COMPOSE, AUTHORING, PACKAGE)),
    "add logger -f web.yaml": (142, (AUTHORING, PACKAGE, *STANDARD)),
    "remove logger -f web.yaml": (141, (AUTHORING, PACKAGE, "sidecarctl.catalog.engines", *STANDARD)),
}
PROGRAM = """
import sys
from sidecarctl.__main__ import main
try:
    main()
except SystemExit:
    pass
print("\\n".join(sys.modules), file=sys.stderr)
"""


def modules(command: str, folder: Path) -> set[str]:
    (folder / "web.yaml").write_text(WEB)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDECARCTL_")}
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    for _ in range(2):  # the first run fills the cache of rendered templates
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command.split()],
            cwd=folder,
            env={**clean, **cache, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_command_imports_only_what_it_needs(command: str, tmp_path: Path) -> None:
    limit, unwanted = COMMANDS[command]
    found = modules(command, tmp_path)
    assert "sidecarctl.__main__" in found
    banned = (*HEAVY, *unwanted)
    assert not {name for name in found if any(name == one or name.startswith(f"{one}.") for one in banned)}
    own = [name for name in found if name.startswith("sidecarctl") and not name.startswith(RULES)]
    assert len(own) <= limit
