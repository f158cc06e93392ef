"""Parse, check, and format resource quantities exactly as the API server does.

An amount is an int of nano-units (10^-9), the smallest step that the API server keeps: "100m" is 100_000_000, "1Ki" is
1024 * 10^9.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sidecarctl.lazy_pattern import lazy_pattern

NANO = 10**9
MILLI = 10**6

# Laxer than it looks natural, and so is the server: "", "." and "+" before a suffix count as zero.
_GRAMMAR = lazy_pattern(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_DECIMAL_EXPONENT = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_EXPONENT = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LARGEST_BINARY = 2**63 - 1
# Beyond this an exponent makes no difference to any comparison, and keeps the numbers small.
_EXPONENT_BOUND = 400

# Python refuses to parse integers of more than some thousand digits; real quantities are short.
_LONGEST = 1000

_NEAR_MISSES = {
    "KB": "k or Ki", "kB": "k or Ki", "K": "k or Ki", "ki": "Ki", "KiB": "Ki",
    "MB": "M or Mi", "mb": "M or Mi", "Mb": "M or Mi", "mi": "Mi", "MiB": "Mi",
    "GB": "G or Gi", "gb": "G or Gi", "Gb": "G or Gi", "gi": "Gi", "GiB": "Gi", "g": "G or Gi",
    "TB": "T or Ti", "TiB": "Ti", "%": "a number without %", "cpu": "no unit", "cores": "no unit",
}  # fmt: skip


def parse_quantity(value: object) -> int | None:
    """Return the amount of a quantity in nano-units, rounded up as the API server does, or None if it is invalid.

    Accepts a string, an int, or a float, as YAML provides them. Whitespace around a string is ignored.
    """
    if isinstance(value, str):
        return _parse_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return _parse_text(repr(value))


def parse_resource_amount(value: object) -> int | None:
    """Return the amount of a request or limit in nano-units; the API server rounds it up to thousandths."""
    amount = parse_quantity(value)
    return None if amount is None else -(-amount // MILLI) * MILLI


def check_quantity(value: object) -> str | None:
    """Return why a value is not a quantity, with the unit that was probably meant; None if it is one."""
    if parse_quantity(value) is not None:
        return None
    if not isinstance(value, str):
        return 'use a quantity such as "500m" or "128Mi"'
    text = value.strip()
    if not text:
        return "must not be empty"
    unit = text.lstrip("+-0123456789. ")
    if unit in _NEAR_MISSES:
        known = "n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"
        return f'unknown unit "{unit}", use {_NEAR_MISSES[unit]} (supported: {known})'
    if "," in text:
        return 'use "." as the decimal point and no separators'
    return 'use a number with an optional unit, such as "500m", "1.5", or "128Mi"'


def is_binary(value: object) -> bool:
    """Return True if a quantity has a binary unit such as "Mi"."""
    return isinstance(value, str) and value.strip().endswith("i")


def format_quantity(amount: int, *, binary: bool = False) -> str:
    """Format an amount of nano-units with the largest exact unit, as the API server does ("1500m", "192Mi").

    With `binary`, units of 1024 are used if the amount is whole and at least 1024.
    """
    if binary and abs(amount) >= 1024 * NANO and amount % NANO == 0:
        whole = amount // NANO
        for suffix, power in reversed(_BINARY_EXPONENT.items()):
            if whole % 2**power == 0:
                return f"{whole >> power}{suffix}"
        return str(whole)
    if amount == 0:
        return "0"
    for suffix, exponent in reversed(_DECIMAL_EXPONENT.items()):
        step = 10 ** (exponent + 9)
        if amount % step == 0:
            return f"{amount // step}{suffix}"
    raise AssertionError("every amount is a multiple of one nano-unit")


def format_readable(amount: int, resource: str = "cpu") -> str:
    """Format an amount for messages: decimal units, or for bytes the shorter of binary and decimal units."""
    decimal = format_quantity(amount)
    if resource != "memory" and "storage" not in resource and not resource.startswith("hugepages-"):
        return decimal
    binary = format_quantity(amount, binary=True)
    return binary if len(binary) <= len(decimal) else decimal


@lru_cache(maxsize=4096)
def _parse_text(text: str) -> int | None:
    match = _GRAMMAR.fullmatch(text)
    if match is None or not 0 < len(text) <= _LONGEST:
        return None
    sign, whole, fraction, suffix = match.group(1), match.group(2), match.group(3) or "", match.group(4) or ""
    digits = whole + fraction
    power = _BINARY_EXPONENT.get(suffix)
    exponent = 0 if power is not None else _decimal_exponent(suffix)
    if exponent is None:
        return None
    if not digits:
        # The server's fast path takes a missing number as zero; its slow path, for extreme units, does not.
        return 0 if (exponent >= -9 if power is None else power <= 40) else None
    if power is not None:
        amount = _round_up(int(digits) * 2**power, 9 - len(fraction))
        amount = min(amount, _LARGEST_BINARY * NANO)
    else:
        amount = _round_up(int(digits), 9 - len(fraction) + exponent)
    return -amount if sign == "-" else amount


def _decimal_exponent(suffix: str) -> int | None:
    if suffix in _DECIMAL_EXPONENT:
        return _DECIMAL_EXPONENT[suffix]
    exponent = int(suffix[1:])
    if not -(2**63) <= exponent < 2**63:
        return None
    return max(-_EXPONENT_BOUND, min(_EXPONENT_BOUND, exponent))


def _round_up(number: int, exponent: int) -> int:
    """Return number * 10^exponent, rounded away from zero."""
    if exponent >= 0:
        return int(number * 10**exponent)
    return -(-number // int(10**-exponent))


_PERCENT = lazy_pattern(r"([0-9]+)%", re.ASCII)


def parse_percentage(value: object) -> int | None:
    """Return the number of a percentage such as "25%", None for anything else."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 20 else None
    return int(found.group(1)) if found else None


def parse_count_or_percentage(value: object) -> int | None:
    """Return a number of pods or percent from "25%" or 25, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return value
    return parse_percentage(value)


def check_count_or_percentage(value: object) -> str | None:
    """Return why a value is not a number of pods or a percentage, None if it is one or has the wrong type."""
    if isinstance(value, str) and parse_percentage(value) is None:
        return "use a whole number or a percentage such as 25%"
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return "must not be negative"
    return None
