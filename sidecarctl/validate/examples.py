"""The examples of rules: one bad and one good manifest, or part of a manifest, for each rule (rules/examples/)."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

_FOLDER = Path(__file__).parent / "rules" / "examples"
_TOP_KEY = re.compile(r"^([A-Za-z]+):", re.MULTILINE)
_IMAGE = "registry.example/app:1.0.0"
_CONTAINERS = f"containers:\n- name: app\n  image: {_IMAGE}\n"
_METADATA = "metadata:\n  name: example\n"


def examples_of(rule: str) -> dict[str, str]:
    """Return the examples of a rule by the keys "bad" and "good". Raises FileNotFoundError for an unknown rule."""
    # Two literal blocks, "bad" and "good": `sidecarctl rules` needs no YAML parser.
    bad, _, good = (_FOLDER / f"{rule}.yaml").read_text("utf-8").removeprefix("bad: |\n").partition("good: |\n")
    return {"bad": textwrap.dedent(bad), "good": textwrap.dedent(good)}


def complete(example: str, scope: str = "pod") -> str:
    """Return an example as a manifest that Kubernetes would read.

    - with `kind:` at the left edge it is one, or a stream of them;
    - with `metadata:` or `spec:` it is part of a Pod, which gets what is missing of apiVersion, kind, metadata and
      containers;
    - for a rule of scope "container", without any list of containers, it is part of a container;
    - anything else is part of a pod spec; one without `containers:` gets a container.
    """
    keys = set(_TOP_KEY.findall(example))
    if "kind" in keys:
        return example
    if not keys & {"metadata", "spec"}:
        if scope == "container" and not keys & {"containers", "initContainers", "ephemeralContainers"}:
            example = _container(example, keys)
            keys = {"containers"}
        if "containers" not in keys:
            example += _CONTAINERS
        example = "spec:\n" + textwrap.indent(example, "  ")
        keys = {"spec"}
    head = "apiVersion: v1\nkind: Pod\n" + ("" if "metadata" in keys else _METADATA)
    tail = "" if "spec" in keys else "spec:\n" + textwrap.indent(_CONTAINERS, "  ")
    return head + example + tail


def _container(example: str, keys: set[str]) -> str:
    """Make a pod spec of a part of a container."""
    missing = {"name": "app", "image": _IMAGE}
    lines = "".join(f"{key}: {value}\n" for key, value in missing.items() if key not in keys)
    return "containers:\n- " + textwrap.indent(lines + example, "  ")[2:]
