"""``python -m drill``: kills the servers of the scaled profile in turn and counts what is lost."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from drill import report
from drill.load import READS, Load
from drill.losses import Loss, Rig
from drill.report import Episode
from tests.deadline import DEADLINE
from tests.deploy.proxies import HOST, NotInstalled

_HARM: Final = ("missing", "damaged")  # what fsck calls objects whose bytes are gone, or others
_MISTAKES: Final = {"500", "503 without Retry-After"}
_NOTHING: Final = "Nothing that was acknowledged is lost."
_LOOK: Final = 0.1  # seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        help="how long each server stays down, and how long the load then goes on (%(default)g)",
    )
    parser.add_argument("--tell", action="store_true", help="print each failure as it comes")
    parser.add_argument(
        "loss", nargs="*", help="a word of what to kill: process, volume, primary, …; default: all"
    )
    return parser.parse_args()


def _chosen(losses: Sequence[Loss], words: Sequence[str]) -> list[Loss]:
    if unknown := [word for word in words if not any(word in loss.name for loss in losses)]:
        names = ", ".join(loss.name for loss in losses)
        raise SystemExit(f"there is no {', '.join(unknown)} among: {names}")
    return [loss for loss in losses if not words or any(word in loss.name for word in words)]


async def _exercise(load: Load, losses: Sequence[Loss], seconds: float) -> list[Episode]:
    """Kill and mend under load, then read everything."""
    episodes: list[Episode] = []
    await load.sign_in()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        await _wait_for_success(load)
        for loss in losses:
            print(f"{datetime.now(UTC):%H:%M:%S} {loss.name}", file=sys.stderr)
            episodes.append(await _lose(load, loss, seconds))
        load.stop()
    await load.read_all(time.monotonic() + DEADLINE)
    return episodes


async def _lose(load: Load, loss: Loss, seconds: float) -> Episode:
    killed = time.monotonic()
    await asyncio.to_thread(loss.kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(loss.mend)
    back = time.monotonic()
    await _wait_for_success(load)
    await asyncio.sleep(seconds)
    return Episode(loss.name, killed, back, time.monotonic())


async def _wait_for_success(load: Load) -> None:
    """Return once everything has succeeded that was begun from now on, or not for too long."""
    begun = time.monotonic()
    deadline = begun + DEADLINE
    while not load.succeeded_since(begun) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK)


def _verdict(load: Load, fsck: Sequence[str]) -> list[str]:
    """Return what must not have happened, a line each."""
    wrong = [f"lost: {name}" for name in sorted(load.ledger.lost)]
    wrong += [f"damaged: {name}" for name in sorted(load.ledger.damaged)]
    wrong += [f"not to be had: {name}" for name in sorted(load.ledger.unanswered)]
    wrong += [f"fsck: {line}" for line in fsck if line.startswith(_HARM)]
    failed = {outcome.failure or "" for outcome in load.outcomes}
    return wrong + [f"an answer that should be another: {it}" for it in sorted(failed & _MISTAKES)]


def _summary(load: Load, fsck: Sequence[str]) -> list[str]:
    writes = [outcome for outcome in load.outcomes if outcome.lane != READS]
    acknowledged = sum(not outcome.failure for outcome in writes)
    findings = Counter(line.partition(":")[0] for line in fsck[:-1])
    found = ", ".join(f"{count} {kind}" for kind, count in findings.items()) or "no findings"
    things = len(load.ledger.things)
    return [
        f"{acknowledged} writes acknowledged, {len(writes) - acknowledged} not.",
        f"{things} things read at the end and compared.",
        f"fsck --checksums: {fsck[-1].partition(';')[0]}, {found}.",
    ]


def _run(given: argparse.Namespace) -> int:
    with ExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory(prefix="holdall-drill-")))
        tempfile.tempdir = str(folder)
        rig = Rig(running)
        losses = _chosen(rig.losses(), given.loss)
        load = Load(rig.nginx.url, rig.nginx.context, HOST, tells=given.tell)
        episodes = asyncio.run(_exercise(load, losses, given.seconds))
        fsck = rig.service.fsck(folder)
    wrong = _verdict(load, fsck)
    print(
        f"\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {given.seconds:g} s down each\n"
    )
    print(report.table(episodes, load.outcomes), end="\n\n")
    print(*_summary(load, fsck), *(wrong or [_NOTHING]), sep="\n")
    return 1 if wrong else 0


def main() -> int:
    """Hold the drill; returns 1 when anything acknowledged was lost, or answered wrongly."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(given)
    except NotInstalled as error:
        print(f"{error}: apt install nginx-light", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
