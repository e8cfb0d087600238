"""Passwords: argon2id in threads, a limited number at once."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.security import guessable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of hashing a password with argon2id."""

    memory: int  # KiB
    rounds: int


COST: Final = Cost(memory=19 * 1024, rounds=2)
"""OWASP's second profile; the library's defaults cost a login ten times the time, and 64 MiB."""


class Passwords:
    """Hashes and verifies passwords off the event loop; close it when done.

    One runs per processor at once; each takes 19 MiB and about 20 ms.
    """

    def __init__(self, at_once: int | None = None) -> None:
        at_once = at_once or os.cpu_count() or 1
        hasher = Argon2Hasher(memory_cost=COST.memory, time_cost=COST.rounds, parallelism=1)
        self._hash = PasswordHash((hasher,))
        self._nobody = _of_nobody(COST)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(at_once)

    async def refusal(self, password: str, names: Iterable[str]) -> str | None:
        """Return what is wrong with a new password of an account with these names, if anything."""
        return await self._run(lambda: guessable.refusal(password, names))

    async def hash(self, password: str) -> str:
        """Return the form in which a password is kept."""
        return await self._run(lambda: self._hash.hash(_encoded(password)))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one of the turns to verify.

        A rate limit that is checked inside, before `verify`, holds: of a thousand guesses that come
        at once, those after the last permitted failure are refused without being tried.
        """
        async with self._turns:
            yield

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is right; against None it never is, which takes as long."""
        against = hashed or self._nobody
        right = await self._run(lambda: self._hash.verify(_encoded(password), against))
        return right and hashed is not None

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _of_nobody(cost: Cost) -> str:
    """Make a hash that no password has; verifying against it takes as long."""
    salt, tag = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={cost.memory},t={cost.rounds},p=1${salt}${tag}"


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")  # some JSON parsers let lone ones through
