"""Tests of `sidecarctl schema`: the JSON Schema accepts what the program accepts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sidecarctl.authoring.test_cases import find_cases
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.cli.commands import schema as schema_module
from tests.authoring.library_kit import command, entry

CATALOG = open_catalog([], {})


@pytest.mark.parametrize("name", [*schema_module.shipped(), schema_module.VALUES, *CATALOG.names()])
def test_schema_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_module.text(name, CATALOG)))


@pytest.mark.parametrize("name", CATALOG.names())
def test_values_schema_accepts_parameters_of_all_test_cases(name: str) -> None:
    schema = json.loads(schema_module.text(name, CATALOG))
    for case in find_cases(CATALOG.find(name)):
        file = case.folder / "parameters.yaml"
        given = yaml.safe_load(file.read_text()) if file.exists() else None
        jsonschema.validate({name: given}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: {"no-such-parameter": 1}}, schema)
    jsonschema.validate({name: {"image": "mirror.example/x:1.2.3"}}, schema)


def test_values_schema_covers_a_library(tmp_path: Path) -> None:
    entry(tmp_path / "lib", spec="  parameters: {properties: {a: {$ref: '#/$defs/b'}}, $defs: {b: {type: integer}}}\n")
    schema = json.loads(command("schema values --library lib", tmp_path).stdout)
    jsonschema.validate({"agent": {"a": 1}, "logger": {"logDir": "/srv"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"agent": {"a": "one"}}, schema)


def test_unknown_name_gets_a_suggestion(tmp_path: Path) -> None:
    done = command("schema fragmnt", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert 'did you mean "fragment"?' in done.stderr
