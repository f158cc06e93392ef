"""Functions that templates can call: YAML and JSON text, names, quantities, and hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.render_reuse import Looked, Placeholder
from sidecarctl.findings import list_first
from sidecarctl.kube import quantity as quantities
from sidecarctl.sha256 import sha256
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.style import Style


class TemplateFailure(ValueError):
    """An invalid argument of a template function; the engine adds the location."""


class Refusal(TemplateFailure):
    """The sidecar cannot be added like this: raised by `fail("...")` and by functions that look at the app."""


_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*\Z")
_MAX_NODES = 100_000


def quote(value: object) -> str:
    """Return a scalar as a YAML double-quoted string on one line: `"0644"`."""
    return emit.json_text(value._text if isinstance(value, Placeholder) else scalar_text(value))


def scalar_text(value: object) -> str:
    """Return the text of a scalar in YAML and JSON syntax: `true`, not `True`. Raise TemplateFailure for other values."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if value is None:
        raise TemplateFailure("value is null; test it with `if`, or set a default for the parameter")
    noun = (
        "mapping"
        if isinstance(value, Mapping)
        else "list"
        if isinstance(value, (list, tuple))
        else type(value).__name__
    )
    raise TemplateFailure(f"expected text, got a {noun}; use `to_yaml` or `to_json`")


def to_json(value: object) -> str:
    """Return a value as JSON on one line, with keys in their order.

    Characters that YAML does not allow are escaped, so that a block scalar can contain the JSON.
    """
    check_size(value)
    return emit.escape_json(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, Placeholder):
        return value._text
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TemplateFailure(f"cannot convert a {type(value).__name__} to JSON")


def check_size(value: object) -> None:
    """Raise TemplateFailure for data that is too large for a pod."""
    budget, stack = _MAX_NODES, [value]
    while stack:
        node = stack.pop()
        budget -= 1
        if budget < 0:
            raise TemplateFailure(f"value too large (limit: {_MAX_NODES:,} items)")
        if isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, (list, tuple)):
            stack.extend(node)
        elif isinstance(node, str) and len(node) > 1000:
            budget -= len(node) // 100


def to_yaml(value: object) -> str:
    """Return a value as block YAML without a final newline, for use with `indent(n)`.

    Strings are quoted if a YAML 1.1 or 1.2 parser would read them as another type; long text becomes a literal block.
    """
    check_size(value)
    return "\n".join(emit.lines(_data(value), Style()))


def _data(value: object) -> object:
    """Return plain data in which all strings but simple words are marked for quoting."""
    if isinstance(value, Placeholder):
        if not value._bare:  # the quoting depends on the final text
            raise Looked
        return value._text
    if isinstance(value, Mapping):
        return {_data(scalar_text(key)): _data(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_data(inner) for inner in value]
    if isinstance(value, str):
        return value if _WORD.match(value) else emit.Quoted(value)
    if value is not None:
        scalar_text(value)
    return value


_LARGEST = 2**63 * quantities.NANO


def quantity(value: object) -> str:
    """Return a resource quantity in canonical form: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`.

    Raise TemplateFailure for an invalid quantity.
    """
    amount = quantities.parse_quantity(value)
    if amount is None or abs(amount) > _LARGEST or not any(map(str.isdigit, str(value))):
        why = quantities.check_quantity(value) or "out of range for a pod"
        raise TemplateFailure(f'invalid quantity "{value}": {why} (examples: 100m, 0.5, 64Mi, 1Gi)')
    return quantities.format_quantity(amount, binary=quantities.is_binary(value))


def dns_name(value: object, limit: int = 63) -> str:
    """Return text as a DNS label: lowercase letters, digits, and hyphens. Longer text is cut and ends in a hash."""
    text = re.sub(r"[^a-z0-9]+", "-", scalar_text(value).lower()).strip("-")
    if not text:
        raise TemplateFailure(f'invalid name "{value}": it has no letter or digit')
    if len(text) <= limit:
        return text
    mark = _mark(value, 8 if limit > 20 else 4)
    return f"{text[: limit - len(mark) - 1].rstrip('-')}-{mark}"


def port_name(value: object) -> str:
    """Return text as a port name: a DNS label of up to 15 characters with at least one letter.

    Longer text keeps its last words, which describe the port, and gets a hash.
    """
    name = dns_name(value)
    if len(name) > 15:
        words = name[-10:] if name[-11] == "-" else name[-10:].partition("-")[2] or name[-10:]
        name = f"{words.lstrip('-')}-{_mark(value, 4)}"
    return name if re.search("[a-z]", name) else dns_name(f"p-{name}", 15)


def _mark(value: object, length: int) -> str:
    return sha256(scalar_text(value).encode()).hexdigest()[:length]


def port_named(containers: Iterable[Mapping[str, Any]], name: object) -> int | None:
    """Return the number of the first container port with a name, or None."""
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("name") == name:
                number = port.get("containerPort")
                return number if isinstance(number, int) else None
    return None


def app_port(
    targets: Iterable[Mapping[str, Any]], setting: object, names: Sequence[str] = ("http",), default: int | None = None
) -> int:
    """Return the number of the app's TCP port: the only one that the targets declare, else the one with one of the names.

    `default` is the result if no port or also the default port is declared. Raise Refusal, which names the parameter `setting`.
    """
    targets = list(targets)
    ports = [
        port
        for target in targets
        for port in target.get("ports") or ()
        if port.get("protocol") in (None, "", "TCP") and isinstance(port.get("containerPort"), int)
    ]
    numbers = [port["containerPort"] for port in ports]
    if default is not None and (not numbers or (len(numbers) > 1 and default in numbers)):
        return default
    found = numbers if len(numbers) == 1 else [port["containerPort"] for port in ports if port.get("name") in names]
    if len(found) == 1:
        return int(found[0])
    who = list_first([str(target.get("name")) for target in targets], 5)
    declared = list_first([str(number) for number in numbers], 5) or "no TCP port"
    raise Refusal(f"cannot determine the port of the app: {who} declares {declared}; set {scalar_text(setting)}")


def config_hash(value: object) -> str:
    """Return a hash of 16 hexadecimal digits that does not depend on key order."""
    check_size(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=_known)
    return sha256(text.encode()).hexdigest()[:16]


def _known(value: object) -> object:
    if isinstance(value, Placeholder):
        raise Looked
    return _plain(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "to_yaml": to_yaml,
    "to_json": to_json,
    "quote": quote,
    "quantity": quantity,
    "dns_name": dns_name,
    "port_name": port_name,
    "port_named": port_named,
    "app_port": app_port,
    "config_hash": config_hash,
}
