"""The layout of archives: what readers of ZIPs find in them, and that any part is of the whole."""

import hashlib
import io
import random
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from app.archives.archive import Archive, Entry
from app.objects.entities import Content
from storage.base import ByteRange

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOMENT = 1_700_000_000_000_000
GIB = 1024**3


def content(data: bytes, modified_at: int = MOMENT, encoding: str | None = None) -> Content:
    sha256, crc32 = hashlib.sha256(data).digest(), zlib.crc32(data)
    return Content(0, None, len(data), sha256, modified_at, data, encoding, (), crc32)


def huge(size: int) -> Content:
    """Return content of zeros, which nobody has to keep; its CRC-32 isn't theirs."""
    return Content(1, None, size, bytes(32), MOMENT, None, None, (), 7)


def archive_of(*entries: tuple[str, Content]) -> Archive:
    return Archive([Entry(*entry) for entry in entries])


def read(archive: Archive, part: ByteRange) -> bytes:
    found = bytearray()
    for number in archive.members_in(part):
        found += archive.header(number, archive.contents[number].crc32 or 0, part)
        within, data = archive.within(number, part), archive.contents[number].data
        found += bytes(within.length) if data is None else data[within.start : within.stop]
    for number in archive.entries_in(part):
        found += archive.entry(number, archive.contents[number].crc32 or 0, part)
    return bytes(found + archive.end(part))


class Virtual(io.RawIOBase):
    """An archive as a file that is nowhere."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._archive.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        buffer = memoryview(buffer)
        stop = min(self._at + len(buffer), self._archive.size)
        data = read(self._archive, ByteRange(self._at, max(self._at, stop)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def opened(archive: Archive) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BufferedReader(Virtual(archive)))


@pytest.mark.slow("65535")
@pytest.mark.parametrize(
    "count", [0, 1, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (0xFFFE, 70_000)), 0xFFFF]
)
def test_readers_find_every_member(count: int) -> None:
    archive = archive_of(*((f"{n}.txt", content(b"%d" % n)) for n in range(count)))
    whole = read(archive, ByteRange(0, archive.size))
    assert len(whole) == archive.size
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        assert found.namelist() == [f"{n}.txt" for n in range(count)]
        assert all(found.read(f"{n}.txt") == b"%d" % n for n in range(0, count, 999))


@pytest.mark.parametrize(
    "sizes",
    [
        (0xFFFFFFFE, 5),
        (0xFFFFFFFF, 5),
        (5 * GIB, 5),
        (2 * GIB, 3 * GIB, 5),
        (9 * GIB, 9 * GIB, 5),
    ],
)
def test_sizes_and_offsets_past_32_bits_are_read_back(sizes: tuple[int, ...]) -> None:
    last = content(b"after")
    large = [(f"{n}", huge(size)) for n, size in enumerate(sizes[:-1])]
    archive = archive_of(*large, ("last", last), ("empty", content(b"")))
    with opened(archive) as found:
        assert [info.file_size for info in found.infolist()] == [*sizes, 0]
        assert (found.read("last"), found.read("empty")) == (b"after", b"")
        with found.open("0") as first:  # its local header is right, too
            assert first.read(10) == bytes(10)


def test_any_part_is_of_the_whole() -> None:
    chance = random.Random(1)
    sizes = [0, 1, 100, 5000, 0, 3]
    contents = [content(chance.randbytes(size)) for size in sizes]
    archive = archive_of(*((f"ü{n}", each) for n, each in enumerate(contents)))
    whole = read(archive, ByteRange(0, archive.size))
    for start in range(archive.size):
        for stop in {start + 1, min(start + 40, archive.size), archive.size}:
            assert read(archive, ByteRange(start, stop)) == whole[start:stop]


def test_a_member_keeps_its_name_its_time_and_its_mode() -> None:
    archive = archive_of(("Bücher/ä.txt", content(b"x")), ("old", content(b"y", modified_at=0)))
    with opened(archive) as found:
        first, old = found.infolist()
    assert (first.filename, first.date_time) == ("Bücher/ä.txt", (2023, 11, 14, 22, 13, 20))
    assert first.extra == b"UT\x05\x00\x01" + (1_700_000_000).to_bytes(4, "little")
    assert (first.flag_bits, first.compress_type) == (1 << 11, zipfile.ZIP_STORED)
    assert first.external_attr >> 16 == 0o100644
    assert old.date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("encoding", "name", "stored"),
    [
        ("gzip", "a.txt", "a.txt.gz"),
        ("gzip", "a.tar.GZ", "a.tar.GZ"),
        ("deflate, br", "a", "a.zz.br"),
        ("unheard-of", "a", "a"),
    ],
)
def test_bytes_in_a_content_coding_are_named_by_it(encoding: str, name: str, stored: str) -> None:
    assert [*archive_of((name, content(b"x", encoding=encoding))).names()] == [stored]


def test_the_digest_changes_with_whatever_the_bytes_depend_on() -> None:
    a, b = ("a", content(b"1")), ("b", content(b"2"))
    archives = [
        archive_of(a, b),
        archive_of(b, a),
        archive_of(a),
        archive_of(a, ("c", b[1])),
        archive_of(a, ("b", content(b"3"))),
        archive_of(a, ("b", content(b"2", MOMENT + 2_000_000))),
    ]
    assert len({archive.sha256 for archive in archives}) == len(archives)
    assert archive_of(a, b).sha256 == archives[0].sha256
