"""Addresses that webhooks may lead to: not those of the network that the service is in."""

import ipaddress
import socket
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("127.0.0.0/8", "::1/128", "fc00::/7"),
    )
)
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)
"""Where clouds hand out credentials, beside 169.254.169.254."""

_GLOBAL_V6: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_TUNNELS: Final = tuple(ipaddress.ip_network(text) for text in ("2001::/23", "2002::/16"))
"""Addresses that hold another one, as those of Teredo and 6to4, and special ones."""


def is_allowed(text: str, *, private: bool) -> bool:
    """Tell whether a connection may be made to an address.

    Public ones may; ``private`` allows those of the host itself and of private networks too.
    Link-local ones, where clouds hand out credentials, and those of no single host never may; nor
    may what is no address in its usual form.
    """
    try:
        address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if address in _METADATA:
        return False
    return _is_public(address) or (private and any(address in network for network in _PRIVATE))


def literal(host: str) -> str | None:
    """Return the address that a URL's host is in any spelling, if it is no name.

    ``127.1``, ``0x7f000001`` and ``2130706433`` are all 127.0.0.1.
    """
    if ":" in host:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeError):
        return None


def _is_public(address: _Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    return address in _GLOBAL_V6 and not any(address in network for network in _TUNNELS)


def _embedded(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
