"""IP addresses as the API server reads them, lax for old fields and strict since 1.36. Knows no field."""

from __future__ import annotations

import re

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def address_fault(text: str, *, strict: bool) -> str | None:
    """Say why a text is no IP address, as the end of a sentence; None where it is one.

    Lax reading takes leading zeros ("010.0.0.1") and IPv4 addresses inside IPv6 ("::ffff:10.0.0.1"); strict does not.
    """
    import ipaddress

    plain = _plain(text)
    try:
        address = None if "%" in text or "/" in text else ipaddress.ip_address(plain)
    except ValueError:
        address = None
    if address is None or not text.isascii():
        return "is no IP address"
    if strict and plain != text:
        return "has leading zeros"
    if strict and isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return "is an IPv4 address inside an IPv6 address"
    return None


def is_ipv4(text: str) -> bool:
    """True for an IPv4 address, one inside an IPv6 address too; of a text that `address_fault` takes."""
    import ipaddress

    address = ipaddress.ip_address(_plain(text))
    return address.version == 4 or address.ipv4_mapped is not None


def endpoint_fault(text: str) -> str | None:
    """Say why traffic can't be sent to an address from elsewhere; of a text that `address_fault` takes."""
    import ipaddress

    address = ipaddress.ip_address(_plain(text))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return "means all addresses, and no machine has it"
    if address.is_loopback:
        return "is the machine itself"
    if address.is_link_local:
        return "is known in one network alone (link-local)"
    if address.is_multicast and _in_one_network(address.packed):
        return "is of one network's multicast (link-local)"
    return None


def _in_one_network(packed: bytes) -> bool:
    return packed[:3] == b"\xe0\x00\x00" if len(packed) == 4 else packed[1] & 0x0F == 2


def _plain(text: str) -> str:
    """Take the leading zeros out of an address with dots."""
    head, colon, tail = text.rpartition(":")
    return head + colon + (_LEADING_ZEROS.sub("", tail) if "." in tail else tail)
