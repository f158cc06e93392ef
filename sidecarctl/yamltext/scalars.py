"""Resolves scalars as the API server's YAML 1.1 reader does.

The rules were established by running that reader; tests/yamltext/test_scalars.py has the table.
"""

from __future__ import annotations

import math
import re

Value = object

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_JSON: dict[str, float] = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
# What a YAML 1.2 reader reads as something other than a string, beyond YAML 1.1.
_CORE_12 = re.compile(r"[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)\Z")
# Timestamps and sexagesimal numbers of other YAML 1.1 readers (PyYAML, Ruby), and whatever looks like a number.
_OTHER_11 = re.compile(
    r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z"
    r"|[-+]?\.?[0-9][0-9_.eE+-]*\Z"
    r"|[-+]?0[xXoObB][0-9a-fA-F_]*\Z"
)
_BASES = (16, 2, 8, 10)
_INT64, _UINT64 = 2**63, 2**64
_CACHED = 20_000  # number of short texts whose value is cached


def resolve(text: str) -> Value:
    """Return the value of a plain (unquoted) scalar: None, bool, int, float, or str.

    Integral floats become int, because the API server converts YAML to JSON. Raises ValueError for an infinity or NaN,
    which JSON cannot represent.
    """
    try:
        return _seen[text]
    except KeyError:
        value = _as_json(plain(text), text)
        if len(_seen) < _CACHED and len(text) < 200:
            _seen[text] = value
        return value


_seen: dict[str, Value] = {}


def plain(text: str) -> Value:
    """Return the value of a plain scalar in YAML, before the conversion to JSON: floats stay floats."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if not (first in "+-." or "0" <= first <= "9"):
        return text
    if text in _NOT_JSON:
        return _NOT_JSON[text]
    if first == ".":
        return _float(text, text) if _FLOAT.match(text) else text
    digits = text.replace("_", "")
    found = _INT.match(digits)
    if found:
        sign, *bases = found.groups()
        # More than 20 decimal digits have no 64 bits, and Python refuses to convert thousands.
        number = next(int(d[:21] if base == 10 else d, base) for d, base in zip(bases, _BASES) if d is not None)
        number = -number if sign == "-" else number
        if -_INT64 <= number < _INT64 or (0 <= number < _UINT64 and not sign):
            return number
    return _float(digits, text) if _FLOAT.match(digits) else text


def _float(digits: str, text: str) -> Value:
    number = float(digits)
    return text if math.isinf(number) else number


def _as_json(value: Value, text: str) -> Value:
    """Return a value after the conversion to JSON: no infinities, 64-bit integers, integral floats below 1e21 as
    integers.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, int):
        return value if value < _INT64 else to_integer(float(value))
    if math.isinf(value) or math.isnan(value):
        raise ValueError(f"invalid number {text}: JSON does not support infinity or NaN")
    return to_integer(value) if value.is_integer() and abs(value) < 1e21 else value


def to_integer(value: float) -> int:
    """Return an integral float as the integer of its shortest digits: 2e19 rather than the exact value, as JSON has it."""
    from decimal import Decimal

    return int(Decimal(repr(value)))


def resolve_tagged(text: str, tag: str) -> Value:
    """Return the value of a scalar with an explicit tag. Raises ValueError if text and tag do not fit."""
    if tag in ("!", "tag:yaml.org,2002:str"):
        return text
    if tag == "tag:yaml.org,2002:binary":
        return _binary(text)
    wanted = _TAGS.get(tag)
    if wanted is None:
        return text
    value = resolve(text)
    if (isinstance(value, bool) and bool not in wanted) or not isinstance(value, wanted):
        raise ValueError(f'invalid value "{text}" for tag {tag.replace("tag:yaml.org,2002:", "!!")}')
    return value


_TAGS: dict[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (int, float),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}


def _binary(text: str) -> str:
    """Return base64 as the text that JSON gets: line breaks skipped, each invalid UTF-8 byte replaced."""
    import base64

    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        raise ValueError("invalid base64 in a !!binary value") from None
    decoded = data.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in decoded)


def key_text(value: Value) -> str:
    """Return the string that a mapping key becomes in JSON; `value` is what `plain` returns.

    A float is written with 32-bit precision, as in sigs.k8s.io/yaml. Raises ValueError for null and for integers beyond
    63 bits.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float32_text(value)
    if value is None:
        raise ValueError("invalid key: null")
    if isinstance(value, int) and value < _INT64:
        return str(value)
    raise ValueError(f"invalid key {value}: beyond 64 bits")


def _float32_text(value: float) -> str:
    """Return Go's shortest 'g' form of a float32: with an exponent below 1e-4 and from 1e6."""
    import struct

    packed = _pack_float32(value)
    (rounded,) = struct.unpack("f", packed)
    if math.isnan(rounded) or math.isinf(rounded):
        return ".nan" if math.isnan(rounded) else ".inf" if rounded > 0 else "-.inf"
    digits = next(n for n in range(9) if n == 8 or _pack_float32(float(f"{rounded:.{n}e}")) == packed)
    scientific = f"{rounded:.{digits}e}"
    exponent = int(scientific.partition("e")[2])
    return scientific if exponent < -4 or exponent >= 6 else f"{rounded:.{max(digits - exponent, 0)}f}"


def _pack_float32(value: float) -> bytes:
    """Return a float32; a value beyond its range is infinite, which Python 3.14 and later refuse to pack."""
    import struct

    try:
        return struct.pack("f", value)
    except OverflowError:
        return struct.pack("f", math.copysign(math.inf, value))


def reads_as_itself(text: str) -> bool:
    """Return whether every YAML 1.1 and 1.2 reader reads a plain scalar as the string `text`."""
    return not (
        text in _WORDS
        or text in _NOT_JSON
        or text in ("<<", "=", "!")
        or _CORE_12.match(text)
        or _OTHER_11.match(text)
        or not isinstance(resolve(text), str)
    )
