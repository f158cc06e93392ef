"""Tests of the Kubernetes schema data."""

import sys
from pathlib import Path

import pytest

from sidecarctl.files.sources import data_directory
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.validate.schema import overrides
from sidecarctl.validate.schema.checker import _WORDS
from sidecarctl.validate.schema.data import describe_range, field_span, kind_spans, schemas

ROOT = Path(__file__).parents[2]


def test_schema_data_match_generator_output() -> None:
    pytest.importorskip("kubernetes_validate")
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import gen_schemas
    finally:
        sys.path.pop(0)
    for name, text in gen_schemas.generate(gen_schemas.source_directory()).items():
        assert (data_directory("schemas") / "kubernetes" / name).read_bytes().decode() == text, (
            f"run tools/gen_schemas.py: {name}"
        )


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_kind_has_definition_with_known_types(version: str) -> None:
    schema = schemas(version)
    seen: set[str] = set()
    todo = list(schema.kinds.values())
    assert todo
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        definition = schema.definition(name)
        assert definition is not None, name
        assert set(definition.required) <= set(definition.fields), name
        for kind in definition.fields.values():
            inner = kind.strip("[]{}")
            if "." in inner:
                todo.append(inner)
            else:
                assert inner in _WORDS or inner == "string", kind


def test_workload_definitions_do_not_load_other_kinds() -> None:
    schema = type(schemas("1.34"))("1.34")
    todo, seen = ["apps.v1.Deployment", "batch.v1.CronJob", "core.v1.Pod", "apps.v1.StatefulSet"], set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            definition = schema.definition(name)
            assert definition is not None
            todo += [kind.strip("[]{}") for kind in definition.fields.values() if "." in kind]
    assert "_other_lines" not in vars(schema)


def test_kinds_depend_on_version() -> None:
    assert ("autoscaling/v2beta2", "HorizontalPodAutoscaler") in schemas("1.25").kinds
    assert ("autoscaling/v2beta2", "HorizontalPodAutoscaler") not in schemas("1.26").kinds
    assert kind_spans()["networking.k8s.io/v1", "IPAddress"].first == 33


def test_field_span_is_first_version_of_field() -> None:
    for name, key, first in (
        ("core.v1.PodSpec", "schedulingGates", 26),
        ("core.v1.Container", "resizePolicy", 27),
        ("core.v1.Container", "restartPolicy", 28),
        ("core.v1.PodSpec", "resources", 32),
        ("core.v1.Container", "restartPolicyRules", 34),
    ):
        span = field_span(name, key)
        assert span is not None
        assert span.first == first
        assert describe_range(span) == f"requires Kubernetes 1.{first}"
    assert field_span("core.v1.Container", "nonsense") is None


def test_lists_have_merge_keys() -> None:
    container = schemas("1.34").definition("core.v1.Container")
    assert container is not None
    assert container.merge_key("volumeMounts") == "mountPath"
    assert container.merge_key("args") == ""
    assert container.map_keys("ports") == ("containerPort", "protocol")
    assert container.map_keys("args") == ()


def test_override_tables_use_existing_fields() -> None:
    versions = [schemas(version) for version in SUPPORTED]
    rows = {
        *overrides._table(),
        *overrides.FILLED_IN,
        *((name, key) for name, keys in overrides.REQUIRED.items() for key in keys),
    }
    for name, key in rows:
        found = [definition for schema in versions if (definition := schema.definition(name))]
        assert any(key in definition.fields for definition in found), (name, key)


def test_defaulted_fields_are_required_in_schema_data() -> None:
    versions = [schemas(version) for version in SUPPORTED]
    for name, key in overrides.FILLED_IN:
        found = [definition for schema in versions if (definition := schema.definition(name))]
        assert any(key in definition.required for definition in found), (name, key)
