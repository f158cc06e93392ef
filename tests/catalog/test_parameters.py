"""Tests of parameters: parsing by schema, defaults, records, and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from library_kit import entry

from sidecarctl.catalog.parameters import Parameters, RawText, assign, parse_set, read_values, resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import InputError, LibraryError, UsageError

SPEC = """\
  parameters:
    required: [repo]
    properties:
      repo: {type: string, description: The repository to follow.}
      ref: {type: string, default: HEAD}
      period: {type: integer, default: 30, minimum: 1}
      port: {type: [string, integer], default: 80}
      level: {type: [string, "null"], default: info}
      password: {type: string, writeOnly: true}
      tls:
        type: object
        additionalProperties: false
        properties:
          enabled: {type: boolean, default: false}
          ca: {type: string}
          names: {type: array, items: {type: string}, default: []}
      files:
        type: array
        items:
          type: object
          required: [path]
          properties: {path: {type: string}, mode: {type: integer, default: 420}, token: {type: string, writeOnly: true}}
      labels: {type: object, additionalProperties: {type: string}, default: {}}
"""


@pytest.fixture
def sidecar(library: Path, find: Callable[[str], Sidecar]) -> Sidecar:
    entry(library, spec=SPEC)
    return find("agent")


@pytest.fixture
def given(sidecar: Sidecar) -> Callable[..., Parameters]:
    """Resolve `--set` options together with the required parameter."""
    return lambda *texts: resolve(sidecar, parse_set(["repo=x", *texts], ["agent@1.0.0"])["agent"], "--set")


def test_fills_in_defaults_and_none(given: Callable[..., Parameters]) -> None:
    assert given().values == {
        "repo": "x",
        "ref": "HEAD",
        "period": 30,
        "port": 80,
        "level": "info",
        "password": None,
        "tls": {"enabled": False, "names": [], "ca": None},
        "files": None,
        "labels": {},
    }
    assert given().recorded == {"repo": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ref=1.10", {"ref": "1.10"}),
        ("ref=", {"ref": ""}),
        ("ref=null", {"ref": "null"}),
        ("ref=a=b", {"ref": "a=b"}),
        ("ref='quoted'", {"ref": "'quoted'"}),
        ("agent.ref=yes", {"ref": "yes"}),
        ("period=0x10", {"period": 16}),
        ("port=http", {"port": "http"}),
        ("port=8080", {"port": 8080}),
        ("port=1.10", {"port": "1.10"}),
        ("level=null", {"level": None}),
        ("level=on", {"level": "on"}),
        ("tls.enabled=on", {"tls": {"enabled": True, "names": [], "ca": None}}),
        ("tls.names=[1.10, yes, '7']", {"tls": {"enabled": False, "names": ["1.10", "yes", "7"], "ca": None}}),
        ("files[0].path=0644", {"files": [{"path": "0644", "mode": 420, "token": None}]}),
        ("files=[{path: 1, mode: 0600}]", {"files": [{"path": "1", "mode": 384, "token": None}]}),
        (r"labels.app\.kubernetes\.io/name=1", {"labels": {"app.kubernetes.io/name": "1"}}),
        ("labels={a: 1, b: no}", {"labels": {"a": "1", "b": "no"}}),
    ],
)
def test_parses_values_according_to_the_schema(
    given: Callable[..., Parameters], text: str, value: dict[str, Any]
) -> None:
    values = given(text).values
    assert {name: values[name] for name in value} == value
    assert [type(values[name]) for name in value] == [type(v) for v in value.values()]


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        (["perod=1"], 'unknown parameter "perod" for sidecar agent', 'did you mean "period"?'),
        (["imag=x"], 'unknown parameter "imag" for sidecar agent', 'did you mean "image"?'),
        (["tls.enbled=1"], 'agent: unknown field "enbled" in parameter "tls"', 'did you mean "enabled"?'),
        (["period=abc"], 'agent: parameter "period" must be an integer, got the string "abc"', ""),
        (["period=0"], 'agent: parameter "period" must be at least 1, got 0', ""),
        (["files[0].mode=1"], 'agent: missing required parameter "files[0].path"', "--set agent.files[0].path=<value>"),
        (["resources.limits.cpu=1z"], 'agent: parameter "resources.limits.cpu"', "64Mi"),
        (["imagePullPolicy=always"], 'agent: parameter "imagePullPolicy"', 'did you mean "Always"?'),
        (["files={"], "invalid parameter of sidecar agent", "quote"),
    ],
)
def test_rejects_invalid_parameters_with_a_hint(
    given: Callable[..., Parameters], texts: list[str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        given(*texts)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where == "--set"


def test_missing_parameter_shows_its_description(sidecar: Sidecar) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(sidecar, {})
    assert caught.value.message == 'agent: missing required parameter "repo"'
    assert "The repository to follow" in caught.value.hint


def test_rejects_number_for_string_and_null_selects_the_default(sidecar: Sidecar) -> None:
    with pytest.raises(UsageError, match=r'parameter "ref" must be a string, got the number 1\.1'):
        resolve(sidecar, {"repo": "x", "ref": 1.1})
    assert resolve(sidecar, {"repo": "x", "period": None}).values["period"] == 30


def test_record_has_changed_values_without_secrets(given: Callable[..., Parameters]) -> None:
    parameters = given(
        "period=30",
        "ref=main",
        "password=s",
        "tls.ca=x",
        "tls.enabled=no",
        "files=[{path: a, token: t}]",
        "env.A=1",
        "image=b:2",
    )
    assert parameters.recorded == {
        "repo": "x",
        "ref": "main",
        "tls": {"ca": "x"},
        "files": [{"path": "a", "mode": 420}],
        "env": {"A": "1"},
        "image": "b:2",
    }
    assert parameters.values["password"] == "s"


def test_recorded_parameters_resolve_to_the_same_values(given: Callable[..., Parameters], sidecar: Sidecar) -> None:
    first = given("ref=main", "tls.ca=x", "files=[{path: a}]", "resources.limits.cpu=1")
    assert resolve(sidecar, first.recorded).values == first.values
    assert resolve(sidecar, first.recorded).common == first.common == {"resources": {"limits": {"cpu": "1"}}}


@pytest.mark.parametrize("bad", ["{type: integer, default: x}", "{type: string, default: '', pattern: '['}"])
def test_invalid_default_or_schema_is_a_library_error(library: Path, find: Callable[[str], Sidecar], bad: str) -> None:
    entry(library, spec=f"  parameters: {{properties: {{a: {bad}}}}}\n")
    with pytest.raises(LibraryError):
        resolve(find("agent"), {})


@pytest.mark.parametrize(
    "schema",
    [
        "{anyOf: [{$ref: '#/$defs/q'}, {type: string}]}",
        "{oneOf: [{type: string}, {$ref: '#/$defs/q'}]}",
        "{allOf: [{type: string}, {$ref: '#/$defs/q'}]}",
        "{not: {$ref: '#/$defs/q'}}",
        "{if: {$ref: '#/$defs/q'}}",
        "{dependentSchemas: {a: {$ref: '#/$defs/q'}}}",
        "{$ref: '#/$defs/q'}",
    ],
)
def test_reference_that_leads_to_itself_is_a_library_error(
    library: Path, find: Callable[[str], Sidecar], schema: str
) -> None:
    spec = f"  parameters: {{$defs: {{q: {schema}}}, properties: {{p: {{$ref: '#/$defs/q'}}}}}}\n"
    entry(library, spec=spec)
    with pytest.raises(LibraryError, match=r"a \$ref refers to itself") as caught:
        resolve(find("agent"), {"p": RawText("{a: 1}")})
    assert caught.value.where == f"{library}/agent/sidecar.yaml"


def test_reference_below_itself_is_valid(library: Path, find: Callable[[str], Sidecar]) -> None:
    tree = "{anyOf: [{type: string}, {type: array, items: {$ref: '#/$defs/q'}}]}"
    entry(library, spec=f"  parameters: {{$defs: {{q: {tree}}}, properties: {{p: {{$ref: '#/$defs/q'}}}}}}\n")
    assert resolve(find("agent"), {"p": ["a", ["b"]]}).values == {"p": ["a", ["b"]]}
    with pytest.raises(UsageError, match="p"):
        resolve(find("agent"), {"p": ["a", [1]]})


def test_given_value_can_be_deeper_than_defaults(library: Path, find: Callable[[str], Sidecar]) -> None:
    entry(library, spec="  parameters: {properties: {p: {type: array}}}\n")
    deep: list[Any] = []
    for _ in range(60):
        deep = [deep]
    assert resolve(find("agent"), {"p": deep}).values == {"p": deep}


def test_defaults_are_copied(sidecar: Sidecar) -> None:
    resolve(sidecar, {"repo": "x"}).values["tls"]["names"].append("changed")
    assert resolve(sidecar, {"repo": "x"}).values["tls"]["names"] == []


@pytest.mark.parametrize("key", ["", ".a", "a.", "a..b", "[0]", "a[", "a[x]", "a.[0]", "a[-1]"])
def test_rejects_invalid_keys(key: str) -> None:
    with pytest.raises(UsageError, match="invalid parameter key"):
        assign({}, key, 1)


@pytest.mark.parametrize("key", ["a.b", "l[3]", "l.x", "a[0]"])
def test_rejects_keys_through_scalars(key: str) -> None:
    with pytest.raises(UsageError, match="cannot set"):
        assign({"a": 1, "l": [1]}, key, 1)


def test_set_requires_a_sidecar_name_if_ambiguous() -> None:
    assert parse_set(["b.x.y=1"], ["a", "b"]) == {"b": {"x": {"y": "1"}}}
    assert isinstance(parse_set(["x=1"], ["a"])["a"]["x"], RawText)
    with pytest.raises(UsageError, match="it can belong to 2 sidecars"):
        parse_set(["x=1"], ["a", "b"])
    with pytest.raises(UsageError, match="expected KEY=VALUE"):
        parse_set(["x"], ["a"])
    with pytest.raises(UsageError, match="is not valid UTF-8"):
        parse_set(["x=\udcff"], ["a"])


@pytest.mark.parametrize(
    ("text", "error", "place"),
    [
        ("agnt: {}", UsageError, "1:1"),
        ("- agent", UsageError, "1:1"),
        ("agent: 5", UsageError, "1:1"),
        ("agent: {a: 1, a: 2}", InputError, "1:15"),
        ("\nagent: [", InputError, "2:"),
    ],
)
def test_rejects_invalid_values_files_at_their_location(text: str, error: type[Exception], place: str) -> None:
    with pytest.raises(error) as caught:
        read_values(text, "values.yaml", ["agent"])
    assert f"values.yaml:{place}" in caught.value.where  # type: ignore[attr-defined]


def test_values_file_uses_yaml_rules_of_kubernetes() -> None:
    assert read_values("agent: {mode: 0644, on: yes}\n", "v", ["agent"]) == {"agent": {"mode": 420, "true": True}}
    assert read_values("# nothing\n", "v", ["agent"]) == read_values("agent:\n", "v", ["agent"]) == {}
