"""Tests of template functions: text that parses to the same value, and valid names and quantities."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.catalog.template_functions import (
    Refusal,
    TemplateFailure,
    app_port,
    config_hash,
    dns_name,
    port_name,
    port_named,
    quantity,
    quote,
    to_json,
    to_yaml,
)
from sidecarctl.yamltext.parse import parse

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20) | st.sampled_from(
    [
        "yes",
        "0644",
        "1e3",
        "null",
        "~",
        "",
        " x",
        "x ",
        "a: b",
        "a #b",
        "- a",
        "|",
        "line\n",
        "two\nlines\n\n",
        "0\n",
        "\n",
        "12:30",
        "=",
        "<<",
    ]
)
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def _read(text: str) -> Any:
    node = parse(text)
    return node.value if node else None


@given(_DATA)
def test_to_yaml_parses_to_the_same_data(value: Any) -> None:
    text = to_yaml(value) + "\n"
    assert _read(text) == value
    assert yaml.safe_load(text) == value


@given(_DATA)
def test_to_yaml_can_be_indented_under_a_key(value: Any) -> None:
    text = "key:\n  " + to_yaml(value).replace("\n", "\n  ") + "\n"
    assert _read(text) == {"key": value}


@pytest.mark.parametrize("code", [0x7F, 0x80, 0x85, 0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE])
def test_block_scalar_can_contain_to_json(code: int) -> None:
    text = to_json({"tags": [f"x{chr(code)}y"]})
    assert text.isascii()
    assert json.loads(text) == {"tags": [f"x{chr(code)}y"]}


def test_to_json_keeps_text_of_other_languages() -> None:
    assert to_json("\u00e9t\u00e9\u00a0\u65e5") == '"\u00e9t\u00e9\u00a0\u65e5"'


@given(_DATA)
def test_to_json_is_json_and_yaml(value: Any) -> None:
    assert json.loads(to_json(value)) == value


@given(_TEXT)
def test_quote_keeps_any_text(value: str) -> None:
    assert _read(f"a: {quote(value)}") == {"a": value}
    assert "\n" not in quote(value)


def test_to_yaml_keeps_final_newline_of_numbers() -> None:
    assert _read(to_yaml(["0\n"])) == ["0\n"]


def test_quote_converts_numbers_and_booleans() -> None:
    assert [quote(value) for value in (644, True, 1.5)] == ['"644"', '"true"', '"1.5"']
    for value in (None, [], {}):
        with pytest.raises(TemplateFailure):
            quote(value)


def test_to_yaml_is_readable() -> None:
    value = {"name": "x", "args": ["-c", "a\nb\n"], "env": [{"name": "A", "value": "1"}], "empty": {}, "none": None}
    assert to_yaml(value) == (
        'name: x\nargs:\n- "-c"\n- |\n  a\n  b\nenv:\n- name: A\n  value: "1"\nempty: {}\nnone: null'
    )


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [("0.5", "500m"), (0.5, "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("64Mi", "64Mi"), ("1.5Gi", "1536Mi"),
     (1, "1"), ("0", "0"),
     ("1e3", "1k"), ("1E", "1E"), ("0.5Ki", "512"), ("-1", "-1"), ("100M", "100M"), ("1500", "1500"),
     ("0.1n", "1n"), ("2000Ki", "2000Ki")],
)  # fmt: skip
def test_quantity_is_canonical(given_: object, wanted: str) -> None:
    assert quantity(given_) == wanted


@pytest.mark.parametrize("value", ["", "+", ".Mi", "1 Gi", "1GB", "abc", None, True, "1.2.3", [], "1e999"])
def test_rejects_invalid_quantities(value: object) -> None:
    with pytest.raises(TemplateFailure):
        quantity(value)


@given(st.text(max_size=100))
def test_names_are_valid(text: str) -> None:
    try:
        name, port = dns_name(text), port_name(text)
    except TemplateFailure:
        assert not re.search("[a-z0-9]", text.lower())
        return
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", port)
    assert re.search("[a-z]", port)
    assert "--" not in port


def test_shortened_names_stay_unique() -> None:
    assert dns_name("a" * 70 + "1") != dns_name("a" * 70 + "2")
    assert port_name("metrics-exporter-one") != port_name("metrics-exporter-two")
    assert port_name("http-web") == "http-web"


def test_port_named_finds_the_number() -> None:
    containers = [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 1}, {"name": "http", "containerPort": 80}]}]
    assert port_named(containers, "http") == 80
    assert port_named(containers, "grpc") is None


def app(*ports: int | str, name: str = "web") -> dict[str, Any]:
    """Return a target with ports: `80` or `http:80`."""
    words = [str(port).rpartition(":") for port in ports]
    return {"name": name, "ports": [{"name": word, "containerPort": int(number)} for word, _, number in words]}


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ([app(80)], 80),
        ([app("admin:81", "http:80")], 80),
        ([app(), app("http:80", "web:81")], 80),
        ([{"name": "web", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}]}], 80),
    ],
)
def test_app_port_is_the_only_tcp_port_else_the_one_named_http(targets: list[dict[str, Any]], found: int) -> None:
    assert app_port(targets, "upstreamPort") == found


@pytest.mark.parametrize(
    ("ports", "found"),
    [((), 6379), ((1, 6379), 6379), ((1,), 1), (("redis:1", 2), 1), (("redis:1", "http:6379"), 6379)],
)
def test_app_port_takes_other_names_and_a_default(ports: tuple[int | str, ...], found: int) -> None:
    assert app_port([app(*ports)], "redis.addr", ("redis",), 6379) == found


@pytest.mark.parametrize(
    ("targets", "declared"),
    [
        ([app()], "web declares no TCP port"),
        ([app(80, 81)], "web declares 80, 81"),
        ([app(80), app(81, name="api")], "web, api declares 80, 81"),
        ([app(*range(1, 2001))], "web declares 1, 2, 3, 4, 5, and 1995 more"),
    ],
)
def test_app_port_that_cannot_be_determined_names_some_ports(targets: list[dict[str, Any]], declared: str) -> None:
    with pytest.raises(Refusal, match=re.escape(f"{declared}; set upstreamPort")):
        app_port(targets, "upstreamPort")


def test_config_hash_ignores_key_order() -> None:
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1}) != config_hash({"a": 1, "b": 3})
    assert re.fullmatch("[0-9a-f]{16}", config_hash("x"))
