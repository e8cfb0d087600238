"""HTTP clients for servers that speak no TLS: what a client reads to verify some takes it 40 ms."""

import ssl
from functools import partial
from typing import Final

import httpx

from tests.deadline import DEADLINE

_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody."""

Client: Final = partial(httpx.Client, verify=_NO_TLS, trust_env=False, timeout=DEADLINE)
AsyncClient: Final = partial(httpx.AsyncClient, verify=_NO_TLS, trust_env=False, timeout=DEADLINE)
get: Final = partial(httpx.get, verify=_NO_TLS, trust_env=False, timeout=DEADLINE)
post: Final = partial(httpx.post, verify=_NO_TLS, trust_env=False, timeout=DEADLINE)
request: Final = partial(httpx.request, verify=_NO_TLS, trust_env=False, timeout=DEADLINE)
