"""Scalar resolution: the expected values are those of kubectl 1.32, which reads scalars as the API server does."""

from __future__ import annotations

from typing import Any

import pytest

from sidecarctl.yamltext import scalars
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.parse import parse

READ: list[tuple[str, Any]] = [
    ("0644", 420),
    ("0o644", 420),
    ("0755", 493),
    ("0x10", 16),
    ("0b101", 5),
    ("1_000", 1000),
    ("1e3", 1000),
    ("1.5e3", 1500),
    ("1.", 1),
    (".5", 0.5),
    ("-.5", -0.5),
    ("+1", 1),
    ("-1", -1),
    ("yes", True),
    ("Yes", True),
    ("YES", True),
    ("no", False),
    ("No", False),
    ("on", True),
    ("On", True),
    ("ON", True),
    ("off", False),
    ("y", True),
    ("Y", True),
    ("n", False),
    ("N", False),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("nil", "nil"),
    ("12:30:45", "12:30:45"),
    ("190:20:30", "190:20:30"),
    ("12:30", "12:30"),
    ("2001-12-14", "2001-12-14"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("0", 0),
    ("00", 0),
    ("08", 8),
    ("09", 9),
    ("007", 7),
    ("-0", 0),
    ("0.0", 0),
    ("1.0", 1),
    ("1.10", 1.1),
    ("1e400", "1e400"),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9223372036854776000),
    ("18446744073709551616", 18446744073709552000),
    ("-9223372036854775809", -9223372036854776000),
    ("0x1F", 31),
    ("0X1F", 31),
    ("1E3", 1000),
    ("1e+3", 1000),
    ("e3", "e3"),
    ("=", "="),
    ("<<x", "<<x"),
    ("0.1.2", "0.1.2"),
    ("1,000", "1,000"),
    (".", "."),
    ("..", ".."),
    ("100m", "100m"),
    ("1Gi", "1Gi"),
    ("0xZZ", "0xZZ"),
    ("0b2", "0b2"),
    ("0o8", "0o8"),
    ("tRue", "tRue"),
    ('"0644"', "0644"),
    ("yes # c", True),
    ("0777", 511),
    ("0o", "0o"),
    ("1__0", 10),
    ("_1", "_1"),
    ("0_7", 7),
    ("1_", 1),
    ("0x_1", 1),
    ("+0x10", 16),
    ("-0x10", -16),
    ("-010", -8),
    ("+010", 8),
    ("0.5_0", 0.5),
    ("1e", "1e"),
    (".e1", ".e1"),
    ("12e03", 12000),
    ("-1.5E-3", -0.0015),
    ("tRUE", "tRUE"),
    ("Off", False),
    ("OFF", False),
    ("nULL", "nULL"),
    ('""', ""),
    ("''", ""),
    ("123456789012345678901234567890", 1.2345678901234568e29),
    ("0.1e1", 1),
    ("1:30", "1:30"),
    ("-1:30", "-1:30"),
    ("00:10", "00:10"),
    ("1:2:3.5", "1:2:3.5"),
    ("2001-1-1", "2001-1-1"),
    ("<<", "<<"),
    ("0xFFFFFFFFFFFFFFFF", 18446744073709552000),
    ("0x10000000000000000", "0x10000000000000000"),
    ("0b", "0b"),
    ("0b11111111", 255),
    ("-0b11", -3),
    ("0o17", 15),
    ("-0o17", -15),
    ("0O17", 15),
    ("1.e5", 100000),
    ("NaN", "NaN"),
    ("inf", "inf"),
    ("Inf", "Inf"),
    ("INF", "INF"),
]
REFUSED = ("+.inf", ".inf", "-.Inf", ".nan", ".NaN", ".INF", "+.INF", ".Inf")


@pytest.mark.parametrize(("written", "meant"), READ)
def test_scalar_has_the_value_that_the_api_server_reads(written: str, meant: Any) -> None:
    root = parse(f"q: {written}\n")
    assert root is not None and identical(root.value, {"q": meant})


@pytest.mark.parametrize("written", REFUSED)
def test_infinity_and_nan_are_rejected(written: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        scalars.resolve(written)


# The string that sigs.k8s.io/yaml 1.4 makes of each scalar key.
KEYS = [
    ("1", "1"),
    ("0644", "420"),
    ("1_000", "1000"),
    ("-0", "0"),
    ("yes", "true"),
    ("off", "false"),
    ("name", "name"),
    ("1.5", "1.5"),
    ("1.0", "1"),
    ("1e3", "1000"),
    ("2e5", "200000"),
    ("1e6", "1e+06"),
    ("0.0001", "0.0001"),
    ("0.00001", "1e-05"),
    ("123456.5", "123456.5"),
    ("1234567.5", "1.2345675e+06"),
    ("123456789.5", "1.2345679e+08"),
    ("16777217.0", "1.6777216e+07"),
    ("1e39", ".inf"),
    ("1e-46", "0"),
    ("-0.0", "-0"),
    ("3.4028235e38", "3.4028235e+38"),
    (".inf", ".inf"),
    ("-.INF", "-.inf"),
    (".nan", ".nan"),
    ("1e400", "1e400"),
    ("9223372036854775807", "9223372036854775807"),
]


@pytest.mark.parametrize(("written", "key"), KEYS)
def test_key_becomes_the_string_that_the_api_server_reads(written: str, key: str) -> None:
    assert scalars.key_text(scalars.plain(written)) == key


@pytest.mark.parametrize("written", ["~", "null", "", "9223372036854775808"])
def test_null_and_integers_over_64_bits_are_invalid_keys(written: str) -> None:
    with pytest.raises(ValueError, match="key"):
        scalars.key_text(scalars.plain(written))


TAGGED = [
    ("3", "int", 3),
    ("0644", "int", 420),
    ("3", "str", "3"),
    ("yes", "str", "yes"),
    ("3", "float", 3),
    ("yes", "bool", True),
    ("", "null", None),
    ("", "str", ""),
    ("aGVsbG8=", "binary", "hello"),
    ("aGVs\nbG8=\n", "binary", "hello"),
    ("/+4=", "binary", "\ufffd\ufffd"),
    ("x", "unknown", "x"),
    ("2001-01-01", "timestamp", "2001-01-01"),
]


@pytest.mark.parametrize(("written", "tag", "meant"), TAGGED)
def test_tag_sets_the_type_of_a_scalar(written: str, tag: str, meant: Any) -> None:
    assert identical(scalars.resolve_tagged(written, f"tag:yaml.org,2002:{tag}"), meant)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("x", "int"),
        ("3.5", "int"),
        ("yes", "int"),
        ("x", "float"),
        ("yes", "float"),
        ("3", "bool"),
        ("x", "null"),
        ("!!", "binary"),
        ("aGVs bG8=", "binary"),
        ("aGVsbG8", "binary"),
        (".inf", "float"),
    ],
)
def test_invalid_value_for_a_tag_is_rejected(written: str, tag: str) -> None:
    with pytest.raises(ValueError):
        scalars.resolve_tagged(written, f"tag:yaml.org,2002:{tag}")


NO_STRINGS = (
    *("yes", "on", "n", "0644", "0o14", "1e3", "1:30", "2001-01-01", "~", "null"),
    *(".inf", "<<", "=", "1_0", "0x1F", ""),
)


@pytest.mark.parametrize("text", NO_STRINGS)
def test_ambiguous_scalars_do_not_read_as_themselves(text: str) -> None:
    assert not scalars.reads_as_itself(text)


@pytest.mark.parametrize("text", ["web", "nginx:1.27", "v1", "100m", "v1.27", "a b", "http://x:80"])
def test_plain_words_read_as_themselves(text: str) -> None:
    assert scalars.reads_as_itself(text)


@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_number_with_thousands_of_digits_is_text(sign: str) -> None:
    assert scalars.resolve(sign + "1" * 5000) == sign + "1" * 5000
    assert scalars.plain("1" * 25) == float("1" * 25)
