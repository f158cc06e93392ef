"""Generate sidecarctl/validate/rules/index.json, by which rules are chosen before their modules are imported.

With `--check`, write nothing and exit with code 1 if the file is out of date.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from generated_file import ROOT, write_or_check

from sidecarctl.validate import registry
from sidecarctl.validate.rule import Rule

FILE = ROOT / "sidecarctl" / "validate" / "rules" / "index.json"
PACKAGES = ("sidecarctl.validate.rules", "sidecarctl.validate.rules.api", "sidecarctl.validate.rules.advice")


def build_index() -> dict[str, dict[str, Any]]:
    """Return the rules of all modules by name, without values that are defaults of the index.

    Needs a process that has not imported a module of rules: a rule belongs to the module whose import registers it.
    """
    modules: dict[str, str] = {}
    registered = registry.registered()
    for package in PACKAGES:
        for module in iter_modules(import_module(package).__path__, f"{package}."):
            import_module(module.name)
            modules = {**dict.fromkeys(registered, module.name), **modules}
    return {name: {"module": modules[name], **_fields(registered[name])} for name in sorted(registered)}


def _fields(one: Rule) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in registry.INDEX_DEFAULTS}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    changed = {name: value for name, value in values.items() if value != registry.INDEX_DEFAULTS[name]}
    return {"severity": one.severity.value, **changed}


def text() -> str:
    """Return the text of the file, one line a rule."""
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in build_index().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(write_or_check(FILE, text(), __doc__))
