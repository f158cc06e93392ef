"""Dotted keys of parameters in messages: without the steps that can be secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import ShowKey, outer_key
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.json_schema import SchemaFault
from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.errors import SidecarctlError


def show_key(key: str, schema: Mapping[str, Any]) -> str:
    """Return a dotted key as messages show it: up to its first step if the rest can be a secret by the schema of all parameters."""
    outer = outer_key(key)
    return outer if outer != key and _can_be_secret(outer.removesuffix("..."), schema) else key


def _can_be_secret(name: str, schema: Mapping[str, Any]) -> bool:
    if not has_secrets(schema):
        return False
    if name not in schema.get("properties", {}):
        return name not in common_parameters.NAMES  # a misspelled name can be that of a secret parameter
    from sidecarctl.catalog.secret_parameters import may_have_secret

    try:
        return may_have_secret(name, schema)
    except SchemaFault:
        return True


def show_keys(catalog: Catalog, requests: Mapping[str, str]) -> ShowKey:
    """Return how messages show the keys of a run, which can start with the name of a sidecar.

    `requests` are the sidecars by name: {"logger": "logger@1.0.0"}. They are read for a key with several steps only.
    """

    def show_own(key: str, name: str) -> str:
        try:
            return show_key(key, catalog.find(requests[name]).parameters)
        except SidecarctlError:
            return outer_key(key)

    def show(key: str) -> str:
        if outer_key(key) == key:
            return key
        name, _, rest = key.partition(".")
        if name in requests:
            return f"{name}.{show_own(rest, name)}"
        return min((show_own(key, each) for each in requests), key=len, default=key)

    return show
