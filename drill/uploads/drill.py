"""The drill itself: uploads, kills, and what must be there at the end, and what must not."""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from drill.uploads.clients import Tus, Upload, Wrong
from drill.uploads.draft import Draft
from drill.uploads.network import BadNetwork
from drill.uploads.rig import Holdall
from drill.uploads.things import Thing, things
from tests.deadline import DEADLINE
from tests.proxy import serving
from tests.system.processes import SERVICE_TOKEN, wait_for

CLIENTS: Final = 4
_LOOK: Final = 0.01  # seconds
_LATER: Final = 0.3  # seconds; a kill comes up to so much after bytes went through
_KIND: Final = {"file": "/content", "blob": "", "dump": "/content"}
"""What a thing's content has behind the path that its upload told."""

_TOKEN: Final = {"Authorization": f"Bearer {SERVICE_TOKEN}"}


@dataclass(frozen=True)
class Plan:
    """How much is done; sizes in bytes."""

    seed: str
    uploads: int
    largest: int
    kills: int
    """About so many; one at least."""


@dataclass
class Outcome:
    """What happened."""

    uploads: int = 0
    size: int = 0
    segments: int = 0
    kills: int = 0
    cuts: int = 0
    seconds: float = 0.0
    tally: Counter[str] = field(default_factory=Counter)
    """What clients met with, and went on."""
    wrong: list[str] = field(default_factory=list)
    """What must not have happened."""


async def hold(holdall: Holdall, plan: Plan) -> Outcome:
    """Upload everything, and see that it is there, and nothing else."""
    outcome = Outcome()
    wanted = list(things(plan.seed, plan.uploads, plan.largest))
    begun = time.monotonic()
    async with serving(BadNetwork(holdall.port, random.Random(plan.seed), plan.largest)) as network:
        made = await _upload_all(holdall, network, wanted, plan, outcome)
    outcome.seconds = time.monotonic() - begun
    outcome.cuts = network.cuts
    outcome.uploads, outcome.size = len(made), sum(thing.size for thing in made)
    await asyncio.to_thread(_look, holdall, made, outcome)
    return outcome


async def _upload_all(
    holdall: Holdall, network: BadNetwork, wanted: Sequence[Thing], plan: Plan, outcome: Outcome
) -> dict[Thing, str]:
    """Return the things that were uploaded, with the paths of what they became."""
    made: dict[Thing, str] = {}
    left = iter(wanted)
    size = sum(thing.size for thing in wanted)
    done = asyncio.Event()
    url = f"http://127.0.0.1:{network.port}"
    limits = httpx.Limits(max_connections=CLIENTS)
    async with (
        httpx.AsyncClient(
            base_url=url, headers=_TOKEN, timeout=DEADLINE, limits=limits, trust_env=False
        ) as client,
        asyncio.TaskGroup() as killing,
    ):
        killing.create_task(_kill(holdall, network, plan, size, done, outcome))
        try:
            async with asyncio.TaskGroup() as clients:
                for _ in range(CLIENTS):
                    clients.create_task(_upload_each(client, left, made, outcome))
        finally:
            done.set()
    return made


async def _upload_each(
    client: httpx.AsyncClient, left: Iterator[Thing], made: dict[Thing, str], outcome: Outcome
) -> None:
    for thing in left:
        speaking: type[Upload] = Draft if thing.way.is_drafts else Tus
        upload = speaking(client, thing, thing.data, outcome.tally)
        try:
            made[thing] = await upload.run()
        except Wrong as error:
            outcome.wrong.append(str(error))


async def _kill(
    holdall: Holdall,
    network: BadNetwork,
    plan: Plan,
    size: int,
    done: asyncio.Event,
    outcome: Outcome,
) -> None:
    """Kill the service after random numbers of bytes, and start it again."""
    randomness = random.Random(f"kills of {plan.seed}")
    due = 0.0
    while True:
        due += randomness.random() * 2 * size / plan.kills
        while network.passed < due:
            await asyncio.sleep(_LOOK)
            if done.is_set():
                return
        await asyncio.sleep(randomness.random() * _LATER)
        await asyncio.to_thread(holdall.restart)
        outcome.kills += 1


def _look(holdall: Holdall, made: dict[Thing, str], outcome: Outcome) -> None:
    """Compare what there is with what was uploaded, then delete it, and look again."""
    with httpx.Client(
        base_url=holdall.service.url, headers=_TOKEN, timeout=DEADLINE, trust_env=False
    ) as client:
        for thing, path in made.items():
            if _digest(client, path + _KIND[thing.kind]) != thing.digest:
                outcome.wrong.append(f"{thing.name}: other bytes came back")
        holdall.pass_time()
        _settle(holdall, outcome, len(made), outcome.size)
        outcome.segments = holdall.inside.segments()
        outcome.wrong += holdall.fsck()
        for path in made.values():
            client.delete(path.removesuffix("/content")).raise_for_status()
    holdall.pass_time()
    _settle(holdall, outcome, 0, 0)
    if left := holdall.inside.store.contents():
        outcome.wrong.append(f"left in the store: {left}")


def _settle(holdall: Holdall, outcome: Outcome, count: int, size: int) -> None:
    """Wait until rows and quota are those of so many objects with so many bytes."""
    wanted = [count, 0, 0], [size, count]

    def held() -> tuple[list[int], list[int]]:
        return holdall.inside.rows(), holdall.usage()

    try:
        wait_for(lambda: held() == wanted)
    except AssertionError:
        outcome.wrong.append(f"{held()} is held instead of {wanted}")


def _digest(client: httpx.Client, path: str) -> str:
    digest = hashlib.sha256()
    with client.stream("GET", path) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            digest.update(chunk)
    return digest.hexdigest()
