"""What users give as parameters: read by the schema, completed, recorded, and refused in words that help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from library_kit import entry

from sidecarctl.catalog.parameters import Parameters, Unread, assign, parse_set, read_values, resolve
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
    """Resolve `--set` texts, with the required parameter filled in."""
    return lambda *texts: resolve(sidecar, parse_set(["repo=x", *texts], ["agent@1.0.0"])["agent"], "--set")


def test_defaults_are_filled_in_and_the_rest_is_none(given: Callable[..., Parameters]) -> None:
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
def test_set_values_are_read_as_the_schema_wants_them(
    given: Callable[..., Parameters], text: str, value: dict[str, Any]
) -> None:
    values = given(text).values
    assert {name: values[name] for name in value} == value
    assert [type(values[name]) for name in value] == [type(v) for v in value.values()]


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        (["perod=1"], "agent has no parameter 'perod'", 'did you mean "period"?'),
        (["imag=x"], "agent has no parameter 'imag'", 'did you mean "image"?'),
        (["tls.enbled=1"], "parameter 'tls' of agent has no key 'enbled'", 'did you mean "enabled"?'),
        (["period=abc"], "parameter 'period' of agent is \"abc\" (a string), but must be an integer", ""),
        (["period=0"], "parameter 'period' of agent is 0, but must be at least 1", ""),
        (["files[0].mode=1"], "agent needs the parameter 'files[0].path'", "--set agent.files[0].path=…"),
        (["resources.limits.cpu=1z"], "parameter 'resources.limits.cpu' of agent", "64Mi"),
        (["imagePullPolicy=always"], "parameter 'imagePullPolicy' of agent", 'did you mean "Always"?'),
        (["files={"], "can't be read", "quote"),
    ],
)
def test_wrong_parameter_is_refused_with_what_helps(
    given: Callable[..., Parameters], texts: list[str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        given(*texts)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where == "--set"


def test_missing_parameter_is_named_with_its_description(sidecar: Sidecar) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(sidecar, {})
    assert caught.value.message == "agent needs the parameter 'repo'"
    assert "The repository to follow" in caught.value.hint


def test_number_for_a_string_in_a_file_is_refused_and_null_means_the_default(sidecar: Sidecar) -> None:
    with pytest.raises(UsageError, match=r"parameter 'ref' of agent is 1\.1"):
        resolve(sidecar, {"repo": "x", "ref": 1.1})
    assert resolve(sidecar, {"repo": "x", "period": None}).values["period"] == 30


def test_record_holds_what_differs_and_no_secret(given: Callable[..., Parameters]) -> None:
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


def test_resolving_what_was_recorded_gives_the_same_values(given: Callable[..., Parameters], sidecar: Sidecar) -> None:
    first = given("ref=main", "tls.ca=x", "files=[{path: a}]", "resources.limits.cpu=1")
    assert resolve(sidecar, first.recorded).values == first.values
    assert resolve(sidecar, first.recorded).common == first.common == {"resources": {"limits": {"cpu": "1"}}}


@pytest.mark.parametrize("bad", ["{type: integer, default: x}", "{type: string, default: '', pattern: '['}"])
def test_wrong_default_or_schema_is_the_librarys_fault(library: Path, find: Callable[[str], Sidecar], bad: str) -> None:
    entry(library, spec=f"  parameters: {{properties: {{a: {bad}}}}}\n")
    with pytest.raises(LibraryError):
        resolve(find("agent"), {})


def test_defaults_are_not_shared_between_renderings(sidecar: Sidecar) -> None:
    resolve(sidecar, {"repo": "x"}).values["tls"]["names"].append("changed")
    assert resolve(sidecar, {"repo": "x"}).values["tls"]["names"] == []


@pytest.mark.parametrize("key", ["", ".a", "a.", "a..b", "[0]", "a[", "a[x]", "a.[0]", "a[-1]"])
def test_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="is not the key of a parameter"):
        assign({}, key, 1)


@pytest.mark.parametrize("key", ["a.b", "l[3]", "l.x", "a[0]"])
def test_key_that_leads_through_something_else_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="can't be set"):
        assign({"a": 1, "l": [1]}, key, 1)


def test_set_needs_to_say_which_of_several_sidecars() -> None:
    assert parse_set(["b.x.y=1"], ["a", "b"]) == {"b": {"x": {"y": "1"}}}
    assert isinstance(parse_set(["x=1"], ["a"])["a"]["x"], Unread)
    with pytest.raises(UsageError, match="does not say which sidecar"):
        parse_set(["x=1"], ["a", "b"])
    with pytest.raises(UsageError, match="is no KEY=VALUE"):
        parse_set(["x"], ["a"])
    with pytest.raises(UsageError, match="is not UTF-8"):
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
def test_values_file_that_makes_no_sense_is_refused_with_its_place(
    text: str, error: type[Exception], place: str
) -> None:
    with pytest.raises(error) as caught:
        read_values(text, "values.yaml", ["agent"])
    assert f"values.yaml:{place}" in caught.value.where  # type: ignore[attr-defined]


def test_values_file_is_read_as_kubernetes_reads() -> None:
    assert read_values("agent: {mode: 0644, on: yes}\n", "v", ["agent"]) == {"agent": {"mode": 420, "true": True}}
    assert read_values("# nothing\n", "v", ["agent"]) == read_values("agent:\n", "v", ["agent"]) == {}
