"""A program that Crashpad's handler takes for a crashed one, and one that has it upload the report.

``crash HANDLER OPTION…`` and ``upload FOLDER HANDLER OPTION…``. Run it without an environment: the
minidump holds all of this process. It imports nothing of ours.
"""

import ctypes
import os
import socket
import struct
import sys
import time
from pathlib import Path

from tests.deadline import DEADLINE

_SET_PTRACER = 0x59616D61  # "Yama"
_SIGSEGV = 11


def crash(command: list[str]) -> int:
    """Let the handler look at this process as a signal handler would; returns its status."""
    libc = ctypes.CDLL(None)
    context = ctypes.create_string_buffer(4096)
    libc.getcontext(context)
    signal = ctypes.create_string_buffer(struct.pack("<iii", _SIGSEGV, 0, 1), 128)
    addresses = (ctypes.addressof(signal), ctypes.addressof(context))
    facts = ctypes.create_string_buffer(struct.pack("<QQi4x", *addresses, os.getpid()), 24)
    libc.prctl(_SET_PTRACER, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
    child = os.fork()
    if child == 0:
        exception = f"--trace-parent-with-exception={ctypes.addressof(facts)}"
        os.execv(command[0], [*command, exception])  # noqa: S606 - that is the point
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def upload(completed: Path, command: list[str]) -> int:
    """Run the handler until it has moved a report to ``completed``; returns its status."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    its.set_inheritable(True)
    child = os.fork()
    if child == 0:
        ours.close()
        socket_option = f"--initial-client-fd={its.fileno()}"
        os.execv(command[0], [*command, socket_option])  # noqa: S606 - that is the point
    its.close()
    deadline = time.monotonic() + DEADLINE
    while not any(completed.glob("*.dmp")) and time.monotonic() < deadline:
        time.sleep(0.02)
    ours.close()  # without clients it ends
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    sys.exit(crash(rest) if what == "crash" else upload(Path(rest[0]), rest[1:]))
