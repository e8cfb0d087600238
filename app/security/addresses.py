"""Clients' addresses, as limits count them."""

import ipaddress
from typing import Final

_USER: Final = 64
_SITE: Final = 48


def networks_of(host: str) -> tuple[str, ...]:
    """Return what a client's address counts as, the narrowest first.

    IPv4 addresses stand for themselves. An IPv6 user has a whole /64 (RFC 6177), and whoever has a
    site or rents a server perhaps a /48, which holds 65,536 of these: so it counts beside them.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return (host,)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return tuple(
                str(ipaddress.IPv6Network((address, length), strict=False))
                for length in (_USER, _SITE)
            )
        address = address.ipv4_mapped
    return (str(address),)
