"""The layout of an archive: where everything in it is, from names and sizes alone."""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.archives import records
from app.archives.names import unique_names
from app.archives.records import Member
from app.objects.entities import Content
from storage.base import ByteRange

_ENDINGS: Final = {
    "gzip": ".gz",
    "x-gzip": ".gz",
    "br": ".br",
    "zstd": ".zst",
    "deflate": ".zz",
    "compress": ".Z",
    "x-compress": ".Z",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A content that is to be in an archive, and the name that it is known by.

    The bytes of small content may be left out; they are read when it is their turn.
    """

    name: str
    content: Content

    @property
    def stored_name(self) -> str:
        """The name of the bytes as they are: with the endings of their content codings."""
        name = self.name
        for coding in (self.content.encoding or "").lower().split(","):
            ending = _ENDINGS.get(coding.strip(), "")
            if not name.lower().endswith(ending.lower()):
                name += ending
        return name


class Archive:
    """A ZIP of entries in their order, none of whose bytes have been read yet.

    Their names become safe and differ. Making one takes 20 µs an entry.
    """

    size: int
    sha256: bytes
    """Of what it is made from: names, times, sizes and digests in their order."""

    def __init__(
        self,
        entries: Sequence[Entry],
        modified_at: int | None = None,
        *,
        names: Iterable[str] | None = None,
    ) -> None:
        """``names`` of `unique_names` are the entries' if they are known already."""
        self.modified_at = modified_at
        self.contents = [entry.content for entry in entries]
        digest = hashlib.sha256(b"zip 1")
        self._members: list[Member] = []
        self._offsets, self._entry_offsets = array("Q"), array("Q")
        offset = entries_size = 0
        if names is None:
            names = unique_names(entry.stored_name for entry in entries)
        for name, content in zip(names, self.contents, strict=True):
            member = Member(name.encode(), content.size, content.modified_at)
            self._members.append(member)
            self._offsets.append(offset)
            self._entry_offsets.append(entries_size)
            entries_size += member.entry_size(offset)
            offset += member.header_size + member.size
            facts = (len(member.name), member.size, member.modified_at)
            digest.update(b"%d %d %d " % facts + member.name + content.sha256)
        self._directory_at, self._directory_size = offset, entries_size
        self._end_at = offset + entries_size
        self.size = self._end_at + records.end_size(len(self._members), entries_size, offset)
        self.sha256 = digest.digest()

    def members_in(self, part: ByteRange) -> range:
        """Return the numbers of the members whose headers or bytes are in a part."""
        stop = min(part.stop, self._directory_at)
        return _overlapping(self._offsets, ByteRange(part.start, stop))

    def entries_in(self, part: ByteRange) -> range:
        """Return the numbers of the members whose entries in the directory are in a part."""
        start, stop = (min(at, self._end_at) - self._directory_at for at in (part.start, part.stop))
        return _overlapping(self._entry_offsets, ByteRange(max(0, start), stop))

    def has_header_in(self, number: int, part: ByteRange) -> bool:
        """Tell whether some of a member's header is in a part."""
        return part.start < self._offsets[number] + self._members[number].header_size

    def header(self, number: int, crc32: int, part: ByteRange) -> bytes:
        """Return what a part has of a member's header."""
        return _cut(self._members[number].header(crc32), self._offsets[number], part)

    def within(self, number: int, part: ByteRange) -> ByteRange:
        """Return what a part has of a member's bytes."""
        member = self._members[number]
        start = self._offsets[number] + member.header_size
        first, last = (min(max(0, at - start), member.size) for at in (part.start, part.stop))
        return ByteRange(first, last)

    def entry(self, number: int, crc32: int, part: ByteRange) -> bytes:
        """Return what a part has of a member's entry in the directory."""
        entry = self._members[number].entry(crc32, self._offsets[number])
        return _cut(entry, self._directory_at + self._entry_offsets[number], part)

    def end(self, part: ByteRange) -> bytes:
        """Return what a part has of the archive's end."""
        end = records.end(len(self._members), self._directory_size, self._directory_at)
        return _cut(end, self._end_at, part)

    def names(self) -> Iterator[str]:
        """Yield the names of the members."""
        return (member.name.decode() for member in self._members)


def _overlapping(starts: "array[int]", part: ByteRange) -> range:
    """Return the numbers of what overlaps a part, given where each starts."""
    if part.length <= 0:
        return range(0)
    return range(bisect_right(starts, part.start) - 1, bisect_right(starts, part.stop - 1))


def _cut(data: bytes, at: int, part: ByteRange) -> bytes:
    """Return what a part has of bytes that are ``at`` an offset."""
    return data[max(0, part.start - at) : max(0, part.stop - at)]
