"""The client of a request: its address and URL, by the headers of trusted proxies."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

_X_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                       "x-forwarded-port")  # fmt: skip
_OF_PROXIES: Final = frozenset({b"via", b"forwarded", b"x-real-ip", b"x-forwarded-for",
                               b"x-forwarded-proto"})  # fmt: skip
_PAIR: Final = re.compile(
    r"[ \t]*+(?:([!#$%&'*+.^_`|~0-9A-Za-z-]++)=(\"(?:[^\"\\]|\\.)*+\"|[^\s;,\"]*+)[ \t]*+)?([;,]|$)"
)
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def is_proxied(names: Iterable[bytes]) -> bool:
    """Tell by the names of its header fields whether a request has come through a proxy."""
    return not _OF_PROXIES.isdisjoint(names)


def address_of(request: Request) -> str:
    """Return the client's address, for rate limits and the log."""
    return request.client.host if request.client else "unknown"


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy says of where its request came from; ``""`` if it doesn't."""

    client: str
    scheme: str = ""
    host: str = ""
    port: str = ""


class Proxies:
    """The trusted proxies, by their networks."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def apply(self, scope: Scope) -> None:
        """Change the scope to what trusted proxies say of the request, if it came from one.

        The `X-Forwarded` headers precede `Forwarded` (RFC 7239): few proxies write that, and others
        pass on what the client claims in it.
        """
        client = scope.get("client")
        if not self._networks or client is None or not self._trusts(client[0]):
            return
        headers = Headers(scope=scope)
        hop = self._x_forwarded(headers) or self._forwarded(headers)
        if hop is not None:
            _apply(scope, headers, hop)

    def _x_forwarded(self, headers: Headers) -> _Hop | None:
        if not any(name in headers for name in _X_FORWARDED):
            return None
        hops = [_address(hop) for hop in _listed(headers, "x-forwarded-for")]
        client = next((hop for hop in reversed(hops) if not self._trusts(hop)), "")
        first = (next(_listed(headers, name), "") for name in _X_FORWARDED[1:])
        return _Hop(client or next(iter(hops), ""), *first)

    def _forwarded(self, headers: Headers) -> _Hop | None:
        """Return the last hop that isn't a trusted proxy; None for an invalid field."""
        hops = _parsed(",".join(headers.getlist("forwarded")))
        return next((hop for hop in reversed(hops) if not self._trusts(hop.client)), None) or next(
            iter(hops), None
        )

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


def _apply(scope: Scope, headers: Headers, hop: _Hop) -> None:
    if hop.client:
        scope["client"] = (hop.client, 0)
    if hop.scheme.lower() in _DEFAULT_PORTS:
        scope["scheme"] = hop.scheme.lower()
    given = _HOST.fullmatch(hop.host.lower()) or _HOST.fullmatch(headers.get("host", "").lower())
    if given is None:
        return
    name, port = given.groups()
    if port is None and _PORT.fullmatch(hop.port) and hop.port != _DEFAULT_PORTS[scope["scheme"]]:
        port = f":{hop.port}"
    others = [(n, v) for n, v in scope["headers"] if n != b"host"]
    scope["headers"] = [(b"host", f"{name}{port or ''}".encode()), *others]


def _listed(headers: Headers, name: str) -> Iterator[str]:
    """Yield the values of a list, which may be in several fields."""
    for value in ",".join(headers.getlist(name)).split(","):
        if value.strip():
            yield value.strip()


def _parsed(header: str) -> list[_Hop]:
    """Parse a `Forwarded` field; one with an error is ignored."""
    hops: list[dict[str, str]] = [{}]
    rest = header.strip()
    while rest:
        match = _PAIR.match(rest)
        if match is None:
            return []
        name, value, delimiter = match.groups()
        if name is not None:
            quoted = value.startswith('"')
            hops[-1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        if delimiter == ",":
            hops.append({})
        rest = rest[match.end() :]
    return [
        _Hop(_address(hop.get("for", "")), hop.get("proto", ""), hop.get("host", ""))
        for hop in hops
        if hop
    ]


def _address(node: str) -> str:
    """Return the address of a node, without the port."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    host, colon, port = node.rpartition(":")
    return host if colon and ":" not in host and _PORT.fullmatch(port) else node
