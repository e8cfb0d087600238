"""Passwords: argon2id as OWASP advises, off the loop, few at once, and no hint of who exists."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest

from app.security.passwords import Passwords

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(at_once=2)
    yield made
    made.close()


async def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify("correct horse", hashed)
    assert not await passwords.verify("correct horsf", hashed)
    assert not await passwords.verify("\ud800", hashed)
    assert not await passwords.verify("correct horse", None)


async def test_two_hashes_of_a_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


async def test_nobody_costs_what_a_wrong_password_costs(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")

    async def seconds(against: str | None) -> float:
        started = time.process_time()
        await passwords.verify("wrong", against)
        return time.process_time() - started

    wrong = statistics.median([await seconds(hashed) for _ in range(7)])
    nobody = statistics.median([await seconds(None) for _ in range(7)])
    assert 0.5 < nobody / wrong < 2


async def test_no_more_verify_at_once_than_it_says(passwords: Passwords) -> None:
    inside, most = 0, 0

    async def verify() -> None:
        nonlocal inside, most
        async with passwords.turn():
            inside += 1
            most = max(most, inside)
            await passwords.verify("wrong", None)
            inside -= 1

    await asyncio.gather(*(verify() for _ in range(8)))
    assert most == 2
