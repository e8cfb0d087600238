"""A device that makes codes of a second factor, for tests that sign in with one."""

import itertools
from dataclasses import dataclass, field

import httpx
import pyotp
import pytest

from app import clock
from tests.api.conftest import PASSWORD, Service

URL = "/v1/accounts/me/second-factor"
Headers = dict[str, str]


@dataclass
class Device:
    """A device with an account's secret, and the recovery codes on paper."""

    secret: str
    recovery_codes: list[str] = field(default_factory=list)

    def code(self, steps: int = 0) -> str:
        """Return the code of this moment, or of so many steps later."""
        return pyotp.TOTP(self.secret).generate_otp(clock.now() // clock.SECOND // 30 + steps)

    def wrong_code(self) -> str:
        """Return a code that is none of this moment, nor of those beside it."""
        near = {self.code(steps) for steps in (-1, 0, 1)}
        return next(code for n in itertools.count() if (code := f"{n:06}") not in near)


async def begin(service: Service, headers: Headers) -> Device:
    """Get a secret, which nothing has confirmed."""
    begun = await service.client.post(URL, json={"current_password": PASSWORD}, headers=headers)
    assert begun.status_code == 200, begun.text
    return Device(begun.json()["secret"])


async def enable(service: Service, headers: Headers) -> Device:
    """Turn a second factor on, by a code of the step before: that of this moment is left."""
    device = await begin(service, headers)
    body = {"otp": device.code(-1)}
    confirmed = await service.client.post(f"{URL}/confirm", json=body, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    device.recovery_codes = confirmed.json()["recovery_codes"]
    return device


async def try_login(
    service: Service, name: str, otp: str | None = None, headers: Headers | None = None
) -> httpx.Response:
    """Ask for tokens, and forget the cookie by which the device would be known."""
    form = {"username": name, "password": PASSWORD} | ({} if otp is None else {"otp": otp})
    answer = await service.client.post("/v1/auth/token", data=form, headers=headers)
    service.client.cookies.clear()
    return answer


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let the clock stand still, so many seconds later."""
    now = clock.now() + seconds * clock.SECOND
    monkeypatch.setattr(clock, "now", lambda: now)
