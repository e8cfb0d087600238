"""Known devices, which an account has signed in from before, by a cookie.

Failed logins of strangers may lock others out, but not these devices (the idea is OWASP's "device
cookies"). The cookie is no credential.
"""

import uuid
from collections.abc import Mapping
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.accounts.entities import Login
from app.errors import Forbidden
from app.runtime import Runtime
from routers.web import cookies

NAME: Final = "holdall_devices"
MOST: Final = 4
"""Accounts that a browser is known for; of more, the last ones count."""

_SECONDS: Final = 400 * 86_400  # browsers keep none for longer (RFC 6265bis §5.5)


def of(request: Request, runtime: Runtime) -> Mapping[str, str]:
    """Return the device's ids, by account that has signed in from it."""
    keys = (cookies.get(request, runtime, NAME) or "").split(".")[:MOST]
    found = (runtime.keyring.parse_device_key(key) for key in keys)
    return {account: device for device, account in filter(None, found)}


def remember(request: Request, runtime: Runtime, response: Response, login: Login) -> None:
    """Set the cookie of a known device, unless another site's page sent the request."""
    try:
        cookies.check_origin(request, runtime)
    except Forbidden:
        return
    known = dict(of(request, runtime))
    device = known.pop(login.account, None) or str(uuid.uuid4())
    devices = [(login.account, device), *known.items()][:MOST]
    value = ".".join(runtime.keyring.issue_device_key(d, account) for account, d in devices)
    cookies.put(request, runtime, response, NAME, value, seconds=_SECONDS)
