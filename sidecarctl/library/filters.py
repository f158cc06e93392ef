"""What templates can call, as plain functions: YAML and JSON text, names, quantities, hashes. Knows no template engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from sidecarctl.digest import sha256
from sidecarctl.library.placeholder import Looked, Placeholder
from sidecarctl.yamltext.scalars import reads_as_itself


class TemplateFailure(ValueError):
    """What a template calls with something that it can't have; the engine adds the place."""


_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*\Z")
_PRINTABLE = re.compile(r"[\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\Z")
_MAX_NODES = 100_000


def quote(value: object) -> str:
    """Return a scalar as a YAML double-quoted string, on one line: `"0644"`, whatever it would mean unquoted."""
    text = json.dumps(value._text if isinstance(value, Placeholder) else scalar_text(value), ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]", lambda m: f"\\u{ord(m.group()):04x}", text)


def scalar_text(value: object) -> str:
    """Return a scalar's text as YAML and JSON write it: `true`, not `True`. Raises TemplateFailure for what is none."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if value is None:
        raise TemplateFailure("the value is null here: ask for it with `if` first, or give the parameter a default")
    noun = (
        "mapping"
        if isinstance(value, Mapping)
        else "list"
        if isinstance(value, (list, tuple))
        else type(value).__name__
    )
    raise TemplateFailure(f"the value is a {noun}, not text: write it with `to_yaml` or `to_json`")


def to_json(value: object) -> str:
    """Return a value as JSON on one line, keys in their order."""
    check_size(value)
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Placeholder):
        return value._text
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TemplateFailure(f"a {type(value).__name__} has no JSON")


def check_size(value: object) -> None:
    """Raise TemplateFailure for data that is larger, written out, than any pod could be."""
    budget, stack = _MAX_NODES, [value]
    while stack:
        node = stack.pop()
        budget -= 1
        if budget < 0:
            raise TemplateFailure(f"the value has more than {_MAX_NODES:,} parts")
        if isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, (list, tuple)):
            stack.extend(node)
        elif isinstance(node, str) and len(node) > 1000:
            budget -= len(node) // 100


def to_yaml(value: object) -> str:
    """Return a value as block YAML without a final newline; use it with `indent(n)`.

    Strings are quoted wherever a YAML 1.1 or 1.2 reader would see something else; long texts become literal blocks.
    """
    check_size(value)
    first, *rest = _lines(value)
    pad = "  " if isinstance(value, str) else ""
    return "\n".join([first, *(f"{pad}{line}" if line else "" for line in rest)])


def _lines(value: object) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for key, inner in value.items() for line in _entry(f"{_scalar(str(key))}:", inner, "  ")]
    if isinstance(value, (list, tuple)) and value:
        return [line for inner in value for line in _entry("-", inner, "  ")]
    return _scalar_lines(value)


def _entry(head: str, value: object, pad: str) -> list[str]:
    """A key or a dash, with what belongs to it: on its line where it can be, else below it."""
    if isinstance(value, (Mapping, list, tuple)) and value:
        lines = _lines(value)
        if head == "-":
            return [f"- {lines[0]}", *(f"  {line}" if line else "" for line in lines[1:])]
        below = "" if isinstance(value, (list, tuple)) else pad
        return [head, *(f"{below}{line}" if line else "" for line in lines)]
    first, *rest = _scalar_lines(value)
    return [f"{head} {first}", *(f"{pad}{line}" if line else "" for line in rest)]


def _scalar_lines(value: object) -> list[str]:
    if isinstance(value, str) and "\n" in value and _PRINTABLE.match(value):
        lines = value.split("\n")
        ends = value.endswith("\n")
        body = lines[:-1] if ends else lines
        blank_edge = not body or not body[0].strip() or body[0][0] in " \t" or not body[-1].strip()
        if not blank_edge and not any(line != "" and line.strip() == "" for line in body):
            return ["|" if ends else "|-", *body]
    return [_scalar(value)]


def _scalar(value: object) -> str:
    if isinstance(value, Placeholder):
        if not value._bare:  # how the whole is quoted depends on what it will be
            raise Looked
        return value._text
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    text = scalar_text(value)
    if isinstance(value, str) and not (_PLAIN.match(text) and reads_as_itself(text)):
        return quote(text)
    return text


_QUANTITY = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i))?\Z")
_DECIMAL = {
    suffix: Fraction(1000) ** power
    for power, suffix in enumerate(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"], -3)
}
_BINARY = {suffix: Fraction(1024) ** power for power, suffix in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], 1)}


def quantity(value: object) -> str:
    """Return a resource quantity in the form that the API server gives it: `0.5` is `500m`, `1024Mi` is `1Gi`.

    Raises TemplateFailure for what is no quantity.
    """
    found = (
        _QUANTITY.match(str(value)) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    )
    if not found:
        raise TemplateFailure(f"{value!r} is no quantity: write for example 100m, 0.5, 64Mi or 1Gi")
    sign, digits, exponent, suffix = found.groups()
    scale = _BINARY.get(suffix or "") or _DECIMAL.get(suffix or "", Fraction(1))
    amount = Fraction(digits.rstrip(".") or "0") * scale * (Fraction(10) ** int(exponent[1:]) if exponent else 1)
    # Fractions of a binary unit are written in decimal units, below one nano nothing is.
    family = {"": Fraction(1), **_BINARY} if suffix in _BINARY and amount.denominator == 1 else _DECIMAL
    fitting = [(unit, size) for unit, size in family.items() if (amount / size).denominator == 1]
    unit, size = max(fitting, key=lambda each: each[1]) if amount and fitting else ("", Fraction(1))
    if not fitting:
        unit, size = "n", _DECIMAL["n"]
        return f"{'-' if sign == '-' else ''}{-(-amount // size)}{unit}"
    return f"{'-' if sign == '-' and amount else ''}{amount / size}{unit}"


def dns_name(value: object, limit: int = 63) -> str:
    """Return text as a DNS label: lower case, letters, digits and `-`; a longer one is cut and ends in a hash of the whole."""
    text = re.sub(r"[^a-z0-9]+", "-", scalar_text(value).lower()).strip("-")
    if not text:
        raise TemplateFailure(f"{value!r} has no letter or digit to make a name of")
    if len(text) <= limit:
        return text
    mark = sha256(scalar_text(value).encode())[: 8 if limit > 20 else 4]
    return f"{text[: limit - len(mark) - 1].rstrip('-')}-{mark}"


def port_name(value: object) -> str:
    """Return text as the name of a port: a DNS label of at most 15 characters with at least one letter."""
    name = dns_name(value, 15)
    return name if re.search("[a-z]", name) else dns_name(f"p-{name}", 15)


def port_named(containers: Iterable[Mapping[str, Any]], name: object) -> int | None:
    """Return the number of the first port of that name among containers, or None."""
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("name") == name:
                number = port.get("containerPort")
                return number if isinstance(number, int) else None
    return None


def config_hash(value: object) -> str:
    """Return 16 hexadecimal digits that change when the value does; the order of keys does not matter."""
    check_size(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=_known)
    return sha256(text.encode())[:16]


def _known(value: object) -> object:
    if isinstance(value, Placeholder):
        raise Looked
    return _plain(value)


FILTERS = {
    "to_yaml": to_yaml,
    "to_json": to_json,
    "quote": quote,
    "quantity": quantity,
    "dns_name": dns_name,
    "port_name": port_name,
    "port_named": port_named,
    "config_hash": config_hash,
}
