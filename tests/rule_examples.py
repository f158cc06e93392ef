"""Complete manifests from the examples of rules."""

from __future__ import annotations

import re
import textwrap

_TOP_KEY = re.compile(r"^([A-Za-z]+):", re.MULTILINE)
_IMAGE = "registry.example/app:1.0.0"
_CONTAINERS = f"containers:\n- name: app\n  image: {_IMAGE}\n"
_METADATA = "metadata:\n  name: example\n"


def complete(example: str, scope: str = "pod") -> str:
    """Return an example as a complete manifest.

    - An example with the top-level key `kind` is complete.
    - An example with `metadata` or `spec` is part of a Pod; missing apiVersion, kind, metadata, and containers are added.
    - For a rule of scope "container", an example without a list of containers is part of a container.
    - Any other example is part of a pod spec; missing containers are added.
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
    """Return part of a container as a pod spec."""
    missing = {"name": "app", "image": _IMAGE}
    lines = "".join(f"{key}: {value}\n" for key, value in missing.items() if key not in keys)
    return "containers:\n- " + textwrap.indent(lines + example, "  ")[2:]
