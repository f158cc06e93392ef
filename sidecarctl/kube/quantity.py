"""Resource quantities by the API server's grammar, exact. Knows numbers and suffixes; not what cpu or memory
mean in a pod.

An amount is an int of nano-units (10^-9), the finest step the server keeps: "100m" is 100_000_000, "1Ki" is
1024 * 10^9.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sidecarctl.findings import quote

NANO = 10**9
MILLI = 10**6

# Laxer than it looks natural, and so is the server: "", "." and "+" before a suffix count as zero.
_GRAMMAR = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_DECIMAL_EXPONENT = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_EXPONENT = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LARGEST_BINARY = 2**63 - 1
# Beyond this an exponent makes no difference to any comparison, and keeps the numbers small.
_EXPONENT_BOUND = 400

# Nobody writes longer ones, and Python refuses to read integers of more than some thousand digits.
_LONGEST = 1000

_NEAR_MISSES = {
    "KB": "k or Ki", "kB": "k or Ki", "K": "k or Ki", "ki": "Ki", "KiB": "Ki",
    "MB": "M or Mi", "mb": "M or Mi", "Mb": "M or Mi", "mi": "Mi", "MiB": "Mi",
    "GB": "G or Gi", "gb": "G or Gi", "Gb": "G or Gi", "gi": "Gi", "GiB": "Gi", "g": "G or Gi",
    "TB": "T or Ti", "TiB": "Ti", "%": "no percentages", "cpu": "no unit", "cores": "no unit",
}  # fmt: skip


def nano(value: object) -> int | None:
    """Return the amount of a quantity in nano-units, rounded up as the server rounds, or None where it is
    none.

    Takes what YAML gives: a string, an int or a float; white space around a string is dropped. Booleans are
    no quantities.
    """
    if isinstance(value, str):
        return _nano(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return _nano(repr(value))


def resource_amount(value: object) -> int | None:
    """Return the amount of an entry of requests or limits: there the server rounds up to the next
    thousandth.
    """
    amount = nano(value)
    return None if amount is None else -(-amount // MILLI) * MILLI


def problem(value: object) -> str | None:
    """Return None for a quantity, else why not, as the end of a sentence, with the unit that was probably
    meant.
    """
    if nano(value) is not None:
        return None
    if not isinstance(value, str):
        return 'must be a quantity like "500m" or "128Mi"'
    text = value.strip()
    if not text:
        return "must be a quantity and is empty"
    unit = text.lstrip("+-0123456789. ")
    if unit in _NEAR_MISSES:
        known = "n, u, m, k, M, G, T, P, E and Ki, Mi, Gi, Ti, Pi, Ei"
        return f'has no unit "{unit}"; known are {known}: use {_NEAR_MISSES[unit]}'
    if "," in text:
        return 'must have "." as its decimal point and no separators'
    return 'must be a number with an optional unit, like "500m", "1.5" or "128Mi"'


def is_binary(value: object) -> bool:
    """Tell whether a quantity is written with a unit of 1024 ("Mi")."""
    return isinstance(value, str) and value.strip().endswith("i")


def text(amount: int, *, binary: bool = False) -> str:
    """Write an amount of nano-units as the server would: the largest suffix that loses nothing ("1500m",
    "192Mi").

    `binary` asks for units of 1024, which are used where the amount is whole and at least 1024.
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


def readable(amount: int, resource: str = "cpu") -> str:
    """Write an amount for people: bytes in the shorter of units of 1024 and of 1000, everything else in
    decimal units.
    """
    decimal = text(amount)
    if resource != "memory" and "storage" not in resource and not resource.startswith("hugepages-"):
        return decimal
    binary = text(amount, binary=True)
    return binary if len(binary) <= len(decimal) else decimal


@lru_cache(maxsize=4096)
def _nano(text: str) -> int | None:
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
        amount = _rounded_up(int(digits) * 2**power, 9 - len(fraction))
        amount = min(amount, _LARGEST_BINARY * NANO)
    else:
        amount = _rounded_up(int(digits), 9 - len(fraction) + exponent)
    return -amount if sign == "-" else amount


def _decimal_exponent(suffix: str) -> int | None:
    if suffix in _DECIMAL_EXPONENT:
        return _DECIMAL_EXPONENT[suffix]
    exponent = int(suffix[1:])
    if not -(2**63) <= exponent < 2**63:
        return None
    return max(-_EXPONENT_BOUND, min(_EXPONENT_BOUND, exponent))


def _rounded_up(number: int, exponent: int) -> int:
    """Return number * 10^exponent, away from zero to the next whole number."""
    if exponent >= 0:
        return int(number * 10**exponent)
    return -(-number // int(10**-exponent))


_PERCENT = re.compile(r"([0-9]+)%", re.ASCII)


def percentage(value: object) -> int | None:
    """Return the number of a percentage, None for anything else."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 20 else None
    return int(found.group(1)) if found else None


def amount(value: object) -> int | None:
    """Return the number of pods or percent, whichever it is; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return value
    return percentage(value)


def amount_fault(value: object) -> str | None:
    """Say why a value is no amount, as the end of a sentence; None where it is one or of a wrong type."""
    if isinstance(value, str) and percentage(value) is None:
        return f"is {quote(value)}, which is no percentage in whole numbers"
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return f"is {value}, and can't be negative"
    return None
