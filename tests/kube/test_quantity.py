from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube import quantity

# What the API server's own parser makes of each, in units of 10^-9.
AMOUNTS = [
    ("0", 0),
    ("1", 10**9),
    ("100m", 10**8),
    ("1.5", 15 * 10**8),
    ("1500m", 15 * 10**8),
    ("1Ki", 1024 * 10**9),
    ("1.5Gi", 1536 * 2**20 * 10**9),
    ("1k", 10**12),
    ("1e3", 10**12),
    ("1E3", 10**12),
    ("1E", 10**27),
    ("12e-1", 12 * 10**8),
    ("-1", -(10**9)),
    ("+1", 10**9),
    ("1.", 10**9),
    (".5", 5 * 10**8),
    ("0.1n", 1),
    ("-0.1n", -1),
    ("1u", 1000),
    ("1n", 1),
    (" 1 ", 10**9),
    ("9Ei", (2**63 - 1) * 10**9),
    ("-9Ei", -(2**63 - 1) * 10**9),
    ("Ki", 0),
    ("m", 0),
    ("+", 0),
    (".", 0),
    ("1.G", 10**18),
    ("1e-400", 1),
    (1, 10**9),
    (0.5, 5 * 10**8),
    (1e21, 10**30),
]


@pytest.mark.parametrize(("value", "amount"), AMOUNTS)
def test_quantities_have_the_servers_amounts(value: object, amount: int) -> None:
    assert quantity.parse_quantity(value) == amount
    assert quantity.check_quantity(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "abc",
        "1 Gi",
        "1GB",
        "1mi",
        "1K",
        "1ki",
        "1e",
        "1e+",
        "0x10",
        "1,5",
        "1_000",
        "1..2",
        "--1",
        "1Zi",
        "Ei",
        "١",
        "1e99999999999999999999",
        True,
        None,
        [],
        {},
        "inf",
        float("inf"),
        float("nan"),
    ],
)
def test_what_is_no_quantity_gets_a_reason(value: object) -> None:
    assert quantity.parse_quantity(value) is None
    assert quantity.check_quantity(value)


def test_a_near_miss_gets_the_unit_that_was_meant() -> None:
    assert "use M or Mi" in (quantity.check_quantity("512MB") or "")
    assert "use Gi" in (quantity.check_quantity("1GiB") or "")


@pytest.mark.parametrize(
    ("amount", "resource", "text"),
    [
        ("1.5", "cpu", "1500m"),
        ("2000m", "cpu", "2"),
        ("0.0001", "cpu", "100u"),
        ("196608Ki", "memory", "192Mi"),
        ("100M", "memory", "100M"),
        ("1536Mi", "memory", "1536Mi"),
        ("1024", "memory", "1Ki"),
        ("0", "memory", "0"),
        ("1000", "example.com/gpu", "1k"),
        ("2Gi", "hugepages-2Mi", "2Gi"),
        ("1Gi", "ephemeral-storage", "1Gi"),
        ("1025", "memory", "1025"),
    ],
)
def test_amounts_are_written_short_and_exact(amount: str, resource: str, text: str) -> None:
    value = quantity.parse_quantity(amount)
    assert value is not None
    assert quantity.format_readable(value, resource) == text


@given(st.integers(-(10**24), 10**24), st.booleans())
def test_what_is_written_reads_as_the_same_amount(amount: int, binary: bool) -> None:
    written = quantity.format_quantity(amount, binary=binary)
    if not written.endswith("i") or abs(amount) < 2**63 * 10**9:
        assert quantity.parse_quantity(written) == amount


@given(st.text(alphabet="0123456789.+-eEinumkKMGTP ", max_size=12))
def test_any_text_gets_an_answer(value: str) -> None:
    assert (quantity.parse_quantity(value) is None) == (quantity.check_quantity(value) is not None)


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(["m", "", "k", "Ki", "Mi"]))
def test_amounts_are_exact(whole: int, thousandths: int, unit: str) -> None:
    factor = {"m": Fraction(1, 1000), "": 1, "k": 1000, "Ki": 1024, "Mi": 2**20}[unit]
    exact = (whole + Fraction(thousandths, 1000)) * factor * 10**9
    assert quantity.parse_quantity(f"{whole}.{thousandths:03d}{unit}") == exact


def test_requests_and_limits_are_rounded_up_to_a_thousandth() -> None:
    assert quantity.parse_resource_amount("1u") == 10**6
    assert quantity.parse_resource_amount("1.0001") == 1_001_000_000
    assert quantity.parse_resource_amount("250m") == 250 * 10**6
    assert quantity.parse_resource_amount("x") is None
