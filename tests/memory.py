"""A process that gets no more memory, for tests of what happens then."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEFT = 64 * 1024 * 1024  # bytes, for all but what is to fail


@contextmanager
def no_more_memory() -> Iterator[None]:
    """Leave this process little memory in the context: what asks for much more gets none."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _LEFT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
