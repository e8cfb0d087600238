"""What the kernel says of a server and of the machine: memory, CPU time, time that was stolen."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Tree:
    """A server's process with all its descendants."""

    pid: int

    def pids(self) -> list[int]:
        """Return the ids of the processes that live now, the server's own first."""
        found = [self.pid]
        for pid in found:
            for task in PROC.joinpath(str(pid), "task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def reset_peak(self) -> None:
        """Let the peak of resident memory start from what is resident now."""
        for pid in self.pids():
            PROC.joinpath(str(pid), "clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the peak of resident memory in bytes of the server's own process."""
        return _status(self.pid, "VmHWM")

    def children_peak(self) -> int:
        """Return the peaks of its descendants, added up."""
        return sum(_status(pid, "VmHWM") for pid in self.pids()[1:])

    def cpu_seconds(self) -> float:
        """Return the CPU time that the living processes have used, user and system."""
        return sum(_cpu(pid) for pid in self.pids())


def machine_cpu() -> tuple[float, float]:
    """Return the machine's CPU seconds since boot, and those that its host gave to others."""
    first = PROC.joinpath("stat").read_text().partition("\n")[0].split()[1:]
    ticks = [int(word) for word in first[:8]]
    rate = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / rate, ticks[7] / rate


def _status(pid: int, name: str) -> int:
    for line in PROC.joinpath(str(pid), "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {name} of process {pid}")


def _cpu(pid: int) -> float:
    # The command's name stands in brackets and may hold blanks.
    fields = PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
