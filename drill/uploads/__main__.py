"""``python -m drill.uploads``: uploads over a bad network, to a server that is killed."""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from drill.report import markdown
from drill.uploads.drill import Outcome, Plan, hold
from drill.uploads.rig import PROFILES, Holdall, Profile, Servers
from drill.uploads.things import MIB

_SOUND: Final = "Every upload is whole, and nothing is left over."
_HEADINGS: Final = (
    *("database, store", "uploads", "MiB", "segments", "kills", "cuts", "seconds"),
    "what clients met with",
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drill.uploads", description=__doc__)
    parser.add_argument("--seed", help="decides sizes, cuts and kills; printed if not given")
    parser.add_argument("--uploads", type=int, default=200, help="on each profile (%(default)s)")
    parser.add_argument(
        "--largest", type=int, default=64, help="MiB; the smallest have 1 (%(default)s)"
    )
    parser.add_argument("--kills", type=int, default=40, help="about so many (%(default)s)")
    parser.add_argument(
        "profile", nargs="*", help="words of its name, such as SQLite or S3; default: all"
    )
    return parser.parse_args()


def _chosen(words: Sequence[str]) -> list[Profile]:
    chosen = [it for it in PROFILES if all(word.lower() in it.name.lower() for word in words)]
    if not chosen:
        names = "; ".join(profile.name for profile in PROFILES)
        raise SystemExit(f"there is no {' '.join(words)} among: {names}")
    return chosen


def _row(profile: Profile, outcome: Outcome) -> tuple[str, ...]:
    met = ", ".join(f"{count} {what}" for what, count in outcome.tally.most_common())
    numbers = (outcome.uploads, outcome.size // MIB, outcome.segments, outcome.kills, outcome.cuts)
    return (profile.name, *map(str, numbers), f"{outcome.seconds:.0f}", met or "nothing")


def _run(given: argparse.Namespace, plan: Plan) -> int:
    rows, wrong = [], []
    with ExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory(prefix="holdall-drill-")))
        tempfile.tempdir = str(folder)
        servers = Servers(running)
        for profile in _chosen(given.profile):
            print(f"{datetime.now(UTC):%H:%M:%S} {profile.name}", file=sys.stderr)
            with ExitStack() as alone:
                place = Path(alone.enter_context(TemporaryDirectory()))
                holdall = Holdall(profile, servers, place, alone)
                outcome = asyncio.run(hold(holdall, plan))
            rows.append(_row(profile, outcome))
            wrong += [f"{profile.name}: {line}" for line in outcome.wrong]
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores\n")
    print(markdown(_HEADINGS, rows), end="\n\n")
    print(*(wrong or [_SOUND]), sep="\n")
    return 1 if wrong else 0


def main() -> int:
    """Hold the drill; returns 1 when an upload didn't end whole, or anything was left over."""
    given = _arguments()
    seed = given.seed or f"{random.randrange(10**8)}"
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(given, Plan(seed, given.uploads, given.largest * MIB, given.kills))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
