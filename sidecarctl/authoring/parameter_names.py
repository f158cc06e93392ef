"""Names of parameters that are made from names of variables, flags, and volumes."""

from __future__ import annotations

import re
from collections.abc import Container

from sidecarctl.catalog import common_parameters


def unused_parameter_name(wanted: str, taken: Container[str]) -> str:
    """Return a camel-case name for a parameter: `LOKI_PASSWORD` becomes lokiPassword, or lokiPassword2 if that is taken."""
    words = re.findall(r"[A-Za-z0-9]+", wanted) or ["value"]
    lowered = [word.lower() if word.isupper() else word for word in words]
    base = lowered[0][:1].lower() + lowered[0][1:] + "".join(word[:1].upper() + word[1:] for word in lowered[1:])
    base = base if base[0].isalpha() and base not in common_parameters.NAMES else f"app{base[:1].upper()}{base[1:]}"
    key, number = base, 2
    while key in taken:
        key, number = f"{base}{number}", number + 1
    return key
