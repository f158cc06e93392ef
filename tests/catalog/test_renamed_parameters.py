"""Tests of renamed parameters: recorded values keep their meaning under the new names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from library_kit import entry

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.renamed_parameters import carry_over
from sidecarctl.errors import UsageError


@pytest.mark.parametrize(
    ("recorded", "renamed", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": "c"}, {"b": 2, "c": 1}),
        ({"b": 2}, {"a": "c"}, {"b": 2}),
        ({"a": 1}, {"a": "b", "b": "c"}, {"c": 1}),
        ({"a": 1, "b": 2}, {"a": "b"}, {"b": 2}),
        ({"a": None}, {"a": "b"}, {"b": None}),
        (
            {"tls": {"cert": "x", "key": "y"}},
            {"tls.cert": "tls.certificate"},
            {"tls": {"key": "y", "certificate": "x"}},
        ),
        ({"tls": {"cert": "x"}}, {"tls.cert": "certificate"}, {"certificate": "x"}),
        ({"cert": "x"}, {"cert": "tls.cert"}, {"tls": {"cert": "x"}}),
        ({"cert": "x", "tls": {"key": "y"}}, {"cert": "tls.cert"}, {"tls": {"key": "y", "cert": "x"}}),
        ({"cert": "x", "tls": True}, {"cert": "tls.cert"}, {"tls": True}),
        ({"tls": "off"}, {"tls.cert": "cert"}, {"tls": "off"}),
        ({"a": 1}, {"a": "b", "b": "a"}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_values_move_to_the_new_names(
    recorded: dict[str, Any], renamed: dict[str, str], expected: dict[str, Any]
) -> None:
    before = repr(recorded)
    assert carry_over(recorded, renamed) == expected
    assert repr(recorded) == before


def test_error_for_a_former_name_has_the_new_one(library: Path) -> None:
    spec = "  renamedParameters: {logDir: directory, directory: path}\n  parameters: {properties: {path: {type: string}}}\n"
    entry(library, spec=spec)
    with pytest.raises(UsageError, match='unknown parameter "logDir"') as error:
        resolve(open_catalog([library], {}).find("agent"), {"logDir": "/x"})
    assert error.value.hint == "it was renamed to path"
