"""IP addresses as the API server reads them, lax for old fields and strict since 1.36. Knows no field."""

from __future__ import annotations

import re

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def address_fault(text: str, *, strict: bool) -> str | None:
    """Say why a text is no IP address, as the end of a sentence; None where it is one.

    Lax reading takes leading zeros ("010.0.0.1") and IPv4 addresses inside IPv6 ("::ffff:10.0.0.1"); strict does not.
    """
    import ipaddress

    head, colon, tail = text.rpartition(":")
    plain = head + colon + (_LEADING_ZEROS.sub("", tail) if "." in tail else tail)
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
