"""The right to write to a target, which one process at a time has.

A prune must not delete what a running backup has found in place. Stores have no locks, but what one
has put, the next one that lists sees. So a writer puts its claim and then looks for others': of two
that come at once, at least one sees the other, and gives way.
"""

import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from app import clock
from app.backup.errors import LeaseLost, TargetBusy
from app.database.instance import once
from app.leases import Lease, kept
from storage.base import ObjectInfo, ObjectStore, new_key
from storage.completion import run_to_end
from storage.errors import ObjectNotFound, StorageError

KIND: Final = "claims"
LEASE: Final = 10 * clock.MINUTE
"""How long a claim counts that isn't renewed, by the clock of the store."""

_START_TIME: Final = 19  # its place in /proc/…/stat, after the name (proc(5), no. 22)
_ENDED: Final = ("Z", "X")  # states of a process that nobody has waited for yet
_LOST: Final = "the right to write to the target has ended (was this host asleep?): run it again"


@asynccontextmanager
async def writing(target: ObjectStore, what: str) -> AsyncIterator[Lease]:
    """Be the one who writes to a target, and clear away what interrupted writers have left.

    ``what`` is told to others who want to. Raises `TargetBusy`.
    """
    claim = _Claim(target, what)
    try:
        await claim.put()
        await _give_way(target, claim.keys)
        await _clear(target)
        async with kept(
            claim.renew, seconds=LEASE / clock.SECOND, lost=partial(LeaseLost, _LOST)
        ) as lease:
            yield lease
    finally:
        with suppress(StorageError):  # else it ends by itself
            await run_to_end(target.delete(claim.keys))


class _Claim:
    """A claim in the target, put anew to renew it: keys are written once."""

    def __init__(self, target: ObjectStore, what: str) -> None:
        self.keys: list[str] = []
        """The current key is the last one."""
        self._target = target
        self._body = json.dumps({"what": what, **_this_process()}).encode()

    async def put(self) -> None:
        self.keys.append(new_key(KIND))
        await self._target.put(self.keys[-1], once(self._body), size=len(self._body))

    async def renew(self) -> bool:
        before = list(self.keys)
        await self.put()
        try:
            await self._target.stat(before[0])
        except ObjectNotFound:  # somebody took it for ended
            return False
        await self._target.delete(before)
        del self.keys[: len(before)]
        return True


async def _clear(target: ObjectStore) -> None:
    """Clear away what interrupted puts have left, but no claim that is just being put."""
    old = clock.now() - LEASE
    async for info in target.unfinished():
        if not info.key.startswith(f"{KIND}/") or info.modified_at < old:
            await target.delete([info.key])


async def _give_way(target: ObjectStore, own: Sequence[str]) -> None:
    """Raise `TargetBusy` if somebody else may be writing; remove claims that have ended."""
    now = clock.now()
    async for info in target.list(f"{KIND}/"):
        if info.key in own:
            continue
        claim = await _read(target, info)
        if claim is not None and info.modified_at + LEASE > now and not _has_died(claim):
            raise TargetBusy(
                f"a {claim['what']} is writing to the target (process {claim['pid']} on "
                f"{claim['host']}); try again later. If it has been killed, that is in "
                f"{(info.modified_at + LEASE - now) // clock.MINUTE + 1} minutes"
            )
        await target.delete([info.key])


async def _read(target: ObjectStore, info: ObjectInfo) -> dict[str, Any] | None:
    try:
        async with target.open(info.key) as reader:
            found: dict[str, Any] = json.loads(b"".join([chunk async for chunk in reader]))
            return found
    except ObjectNotFound:
        return None


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    space = _process_space()
    return {"host": socket.gethostname(), "pid": pid, "space": space, "started": _start_of(pid)}


def _has_died(claim: dict[str, Any]) -> bool:
    """Tell whether a claim is of a process that would be seen here if it still ran."""
    is_here = claim["space"] is not None and claim["space"] == _process_space()
    return is_here and claim["started"] != _start_of(claim["pid"])


def _process_space() -> str | None:
    """Return what tells this host and container from others that count processes; None: unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _start_of(pid: int) -> str | None:
    """Return when a process of this host was started, in ticks since the boot; None: none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _ENDED else fields[_START_TIME]
