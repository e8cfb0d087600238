"""Cores: how many this process may use at once."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")


def usable_cores(own: Path = _OWN, cgroups: Path = _CGROUPS) -> int:
    """Return the number of cores by affinity and by the quota of the control group, at least 1."""
    return max(1, min([_by_affinity(), *_quotas(own, cgroups)]))


def _by_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(own: Path, cgroups: Path) -> Iterator[int]:
    """Yield the quotas in cores, rounded up, of this process's control group and those above it."""
    try:
        groups = [line for line in own.read_text().splitlines() if line.startswith("0::/")]
    except OSError:  # another system
        return
    for group in groups:
        folder = cgroups / group.removeprefix("0::/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(cgroups):
                yield from _quota(place / "cpu.max")


def _quota(file: Path) -> Iterator[int]:
    try:
        quota, period = file.read_text().split()
    except (OSError, ValueError):
        return
    if quota != "max":
        yield math.ceil(int(quota) / int(period))
