"""Networks of clients, as rate limits count them."""

import ipaddress
from typing import Final

_USER: Final = 64
_SITE: Final = 48


def networks_of(host: str) -> tuple[str, ...]:
    """Return the networks that an address counts for, the narrowest first.

    An IPv4 address counts for itself. An IPv6 user has a whole /64 (RFC 6177), and a site or a
    rented server perhaps a /48, which holds 65,536 of these: so both are counted.
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
