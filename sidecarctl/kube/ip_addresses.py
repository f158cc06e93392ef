"""Check IP addresses as the API server does: leniently in old fields, strictly since Kubernetes 1.36."""

from __future__ import annotations

from sidecarctl.lazy_pattern import lazy_pattern

_LEADING_ZEROS = lazy_pattern(r"(?<![0-9])0+(?=[0-9])")


def check_ip_address(text: str, *, strict: bool) -> str | None:
    """Return why a text is not an IP address, None if it is.

    Lenient parsing accepts leading zeros ("010.0.0.1") and IPv4-mapped IPv6 addresses ("::ffff:10.0.0.1").
    """
    import ipaddress

    plain = _plain(text)
    try:
        address = None if "%" in text or "/" in text else ipaddress.ip_address(plain)
    except ValueError:
        address = None
    if address is None or not text.isascii():
        return "use an IPv4 or IPv6 address"
    if strict and plain != text:
        return "leading zeros are not allowed"
    if strict and isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return "IPv4-mapped IPv6 addresses are not allowed"
    return None


def is_ipv4(text: str) -> bool:
    """Return True for an IPv4 or IPv4-mapped address; the text must be a valid address."""
    import ipaddress

    address = ipaddress.ip_address(_plain(text))
    return address.version == 4 or address.ipv4_mapped is not None


def check_endpoint_address(text: str) -> str | None:
    """Return why an address is not usable as an endpoint, None if it is; the text must be a valid address."""
    import ipaddress

    address = ipaddress.ip_address(_plain(text))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return "unspecified addresses are not allowed"
    if address.is_loopback:
        return "loopback addresses are not allowed"
    if address.is_link_local:
        return "link-local addresses are not allowed"
    if address.is_multicast and _in_one_network(address.packed):
        return "link-local multicast addresses are not allowed"
    return None


def _in_one_network(packed: bytes) -> bool:
    return packed[:3] == b"\xe0\x00\x00" if len(packed) == 4 else packed[1] & 0x0F == 2


def _plain(text: str) -> str:
    """Remove leading zeros from a dotted address."""
    head, colon, tail = text.rpartition(":")
    return head + colon + (_LEADING_ZEROS.sub("", tail) if "." in tail else tail)


def check_cidr(text: str, *, strict: bool) -> str | None:
    """Return why a text is not a block of addresses such as 10.0.0.0/8, None if it is. `strict` as for addresses."""
    import ipaddress

    address, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or check_ip_address(address, strict=False):
        return "use a form such as 10.0.0.0/8"
    if strict and (fault := check_ip_address(address, strict=True)):
        return fault
    if strict and len(length) > 1 and length.startswith("0"):
        return "leading zeros are not allowed"
    try:
        network = ipaddress.ip_network(f"{_plain(address)}/{int(length)}", strict=False)
    except ValueError:
        return f"invalid prefix length {length}"
    if strict and network.network_address != ipaddress.ip_address(_plain(address)):
        return f"bits are set beyond the prefix: use {network}"
    return None


def is_strict_subnet(inner: str, outer: str) -> bool:
    """Return True if a block of addresses is a smaller block in another one; both must be valid."""
    import ipaddress

    small, large = (ipaddress.ip_network(_plain_block(text), strict=False) for text in (inner, outer))
    return small.version == large.version and small.prefixlen > large.prefixlen and small.subnet_of(large)  # type: ignore[arg-type]


def _plain_block(text: str) -> str:
    address, _, length = text.partition("/")
    return f"{_plain(address)}/{int(length)}"
