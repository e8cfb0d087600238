"""Unclaimed uploads: what strangers may leave, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import ContentTooLarge, RequestTimeout, ServiceUnavailable
from app.files.unclaimed import UnclaimedUploads
from app.objects.scratch import Scratch

pytestmark = pytest.mark.anyio

HOUR = 3600.0


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "tmp")


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def files(scratch: Scratch) -> list[Path]:
    return [path for path in scratch._folder.iterdir() if path.name != "lock"]


async def test_a_body_waits_as_long_as_its_context(scratch: Scratch) -> None:
    uploads = UnclaimedUploads(scratch)
    async with uploads.hold(body(b"one", b"", b"two"), host="a", announced=None) as held:
        assert held.size == 6
        assert len(files(scratch)) == 1
        for _ in range(2):
            assert b"".join([chunk async for chunk in held.claim()]) == b"onetwo"
    assert files(scratch) == []
    scratch.close()


async def test_a_body_has_a_limit(scratch: Scratch) -> None:
    uploads = UnclaimedUploads(scratch, limit=4, total=100)
    async with uploads.hold(body(b"four"), host="a", announced=4):
        pass
    for announced, chunks in ((5, body(b"")), (None, body(b"fo", b"ur", b"5"))):
        with pytest.raises(ContentTooLarge):
            async with uploads.hold(chunks, host="a", announced=announced):
                pytest.fail("it is too large")
    assert files(scratch) == []
    scratch.close()


async def test_a_host_gets_half_of_the_room(scratch: Scratch) -> None:
    uploads = UnclaimedUploads(scratch, limit=4, total=12)

    async def take(host: str, data: bytes) -> None:
        async with uploads.hold(body(data), host=host, announced=None):
            pass

    async with uploads.hold(body(b"four"), host="a", announced=None):
        with pytest.raises(ServiceUnavailable):
            await take("a", b"fou")
        await take("a", b"fo")
        async with (
            uploads.hold(body(b"four"), host="b", announced=None),
            uploads.hold(body(b"fou"), host="c", announced=None),
        ):
            with pytest.raises(ServiceUnavailable):
                await take("d", b"fo")
            await take("d", b"f")
        await take("d", b"four")
    await take("a", b"four")
    assert uploads._taken == {}
    assert files(scratch) == []
    scratch.close()


@pytest.mark.parametrize("moment", ["as it arrives", "as it waits"])
async def test_what_is_not_claimed_in_time_goes(scratch: Scratch, moment: str) -> None:
    uploads = UnclaimedUploads(scratch, seconds=0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"one"
        if moment == "as it arrives":
            await asyncio.sleep(HOUR)

    with pytest.raises(RequestTimeout):
        async with uploads.hold(slow(), host="a", announced=None):
            await asyncio.sleep(HOUR)
    assert uploads._taken == {}
    assert files(scratch) == []
    scratch.close()


async def test_what_is_claimed_has_time(scratch: Scratch) -> None:
    uploads = UnclaimedUploads(scratch, seconds=0.05)
    async with uploads.hold(body(b"one"), host="a", announced=None) as held:
        held.claim()
        await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):  # of somebody else's patience, which is passed on
        async with uploads.hold(body(b"one"), host="a", announced=None):
            raise TimeoutError
    scratch.close()
