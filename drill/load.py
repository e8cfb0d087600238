"""The load: accounts that write, overwrite, delete and read all the time, through the proxy."""

import asyncio
import hashlib
import itertools
import random
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from drill.ledger import ABSENT, Ledger, Thing

ROWS: Final = "rows"
OBJECTS: Final = "objects"
READS: Final = "reads"
LANES: Final = (ROWS, OBJECTS, READS)
"""Writes of what the database holds, writes of what the store holds, reads of both."""

ACCOUNTS: Final = ("ada", "bert", "clara", "dora")
_PASSWORD: Final = "correct-horse-battery"
_SMALL: Final = (1, 8_000)  # bytes of a blob that goes into the database
_LARGE: Final = (20_000, 600_000)
_PARTS: Final = (9_000_000, 10_000_000)  # bytes of a blob that goes to S3 in parts
_PATIENCE: Final = 60.0  # seconds; longer than Holdall takes to say that it can't
_PAUSE: Final = 0.05  # seconds between two requests of a worker
_NEXT_READ: Final = 0.5  # seconds until a thing is asked for again that could not be had
_ASIDE: Final = 8  # readers of the last round
UNANSWERED: Final = "no answer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request went; times are those of `time.monotonic`."""

    lane: str
    begun: float
    ended: float
    failure: str | None
    """The status, or why there was none; None: it succeeded."""


@dataclass
class Load:
    """A client of every account, and what they have seen."""

    url: str
    context: ssl.SSLContext
    host: str
    tells: bool = False
    """Whether it prints each failure as it comes."""
    ledger: Ledger = field(default_factory=Ledger)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopping = asyncio.Event()
        self._numbers = itertools.count(1)
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def sign_in(self) -> None:
        """Make the accounts."""
        for name in ACCOUNTS:
            client = httpx.AsyncClient(
                base_url=self.url,
                verify=self.context,
                headers={"Host": self.host},
                timeout=_PATIENCE,
                trust_env=False,
            )
            self._clients[name] = client
            login = {"username": name, "password": _PASSWORD}
            (await client.post("/v1/accounts", json=login)).raise_for_status()
            answer = await client.post("/v1/auth/token", data=login)
            token = answer.raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"

    async def run(self) -> None:
        """Go on until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for account in ACCOUNTS:
                tasks.create_task(self._write_rows(account))
                tasks.create_task(self._write_objects(account))
                tasks.create_task(self._read(account))

    def stop(self) -> None:
        """Let the requests under way be the last."""
        self._stopping.set()

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def succeeded_since(self, moment: float) -> bool:
        """Tell whether each lane has had a success that began after a moment."""
        return {o.lane for o in self.outcomes if o.begun >= moment and not o.failure} == {*LANES}

    async def read_all(self, deadline: float) -> None:
        """Read every thing, each until it is answered, and judge it."""
        left = iter(list(self.ledger.things))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_ASIDE):
                tasks.create_task(self._read_each(left, deadline))

    async def _read_each(self, things: Iterator[Thing], deadline: float) -> None:
        for thing in things:
            while not await self._look(thing):
                if time.monotonic() > deadline:
                    self.ledger.unanswered.add(thing.name)
                    break
                await asyncio.sleep(_NEXT_READ)

    async def _write_rows(self, account: str) -> None:
        own: list[Thing] = []
        buffer = self.ledger.thing(account, "/v1/buffer")
        while await self._goes_on():
            if random.random() < 0.3:
                await self._put(ROWS, buffer, buffer.path, _SMALL, {"X-Data-Type": "text"})
            else:
                await self._change_blobs(ROWS, account, own, _SMALL)

    async def _write_objects(self, account: str) -> None:
        own: list[Thing] = []
        while await self._goes_on():
            choice = random.random()
            if choice < 0.25:
                await self._post(account, "/v1/files")
            elif choice < 0.5:
                await self._post(account, "/v1/dumps")
            else:
                await self._change_blobs(OBJECTS, account, own, _PARTS if choice > 0.98 else _LARGE)

    async def _read(self, account: str) -> None:
        while await self._goes_on():
            things = [thing for thing in self.ledger.things if thing.account == account]
            await self._look(random.choice(things))

    async def _goes_on(self) -> bool:
        await asyncio.sleep(_PAUSE)
        return not self._stopping.is_set()

    async def _change_blobs(
        self, lane: str, account: str, own: list[Thing], sizes: tuple[int, int]
    ) -> None:
        """Make a blob, or overwrite or delete one of those there are."""
        choice = random.random()
        settled = [thing for thing in own if not thing.unknown]
        if settled and choice < 0.1:
            thing = random.choice(settled)
            own.remove(thing)
            thing.begin(ABSENT)
            if await self._send(ROWS, account, "DELETE", thing.path.removesuffix("/content")):
                thing.acknowledge(ABSENT)
            return
        if own and choice < 0.3:
            thing = random.choice(own)
        else:
            path = f"/v1/blobs/{lane}-{next(self._numbers)}/content"
            thing = self.ledger.thing(account, path)
            own.append(thing)
        await self._put(lane, thing, thing.path, sizes, {})

    async def _put(
        self, lane: str, thing: Thing, path: str, sizes: tuple[int, int], headers: dict[str, str]
    ) -> None:
        data = random.randbytes(random.randint(*sizes))
        if "X-Data-Type" in headers:
            data = data.hex().encode()
        digest = hashlib.sha256(data).hexdigest()
        thing.begin(digest)
        if await self._send(lane, thing.account, "PUT", path, content=data, headers=headers):
            thing.acknowledge(digest)

    async def _post(self, account: str, path: str) -> None:
        data = random.randbytes(random.randint(*_LARGE))
        form = {"file": ("sample.bin", data, "application/octet-stream")}
        answer = await self._send(OBJECTS, account, "POST", path, files=form)
        if answer is not None:  # else nobody knows its name, so nobody will miss it
            digest = hashlib.sha256(data).hexdigest()
            self.ledger.made(account, f"{path}/{answer.json()['id']}/content", digest)

    async def _look(self, thing: Thing) -> bool:
        """Read a thing, and judge it unless it was written to meanwhile; tells if it could be."""
        changes = thing.changes
        answer = await self._send(READS, thing.account, "GET", thing.path, missing=True)
        if answer is None:
            return False
        if thing.changes == changes:
            is_there = answer.status_code != httpx.codes.NOT_FOUND
            found = hashlib.sha256(answer.content).hexdigest() if is_there else ABSENT
            self.ledger.judge(thing, found)
        return True

    async def _send(
        self,
        lane: str,
        account: str,
        method: str,
        path: str,
        *,
        missing: bool = False,
        **rest: Any,  # noqa: ANN401 - httpx's own
    ) -> httpx.Response | None:
        """Make a request; returns its answer if that is a success, or a 404 where one may be."""
        begun = time.monotonic()
        answer = None
        try:
            answer = await self._clients[account].request(method, path, **rest)
        except httpx.HTTPError:
            failure: str | None = UNANSWERED
        else:
            failure = _failure(answer, missing=missing)
        self.outcomes.append(Outcome(lane, begun, time.monotonic(), failure))
        if failure is not None and self.tells:
            said = "" if answer is None else answer.text[:200]
            print(f"{lane}: {method} {path}: {failure} {said}", file=sys.stderr)
        return answer if failure is None else None


def _failure(answer: httpx.Response, *, missing: bool) -> str | None:
    status = answer.status_code
    if answer.is_success or (missing and status == httpx.codes.NOT_FOUND):
        return None
    if status == httpx.codes.SERVICE_UNAVAILABLE and "retry-after" not in answer.headers:
        return f"{status} without Retry-After"
    return str(status)
