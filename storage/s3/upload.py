"""One object on its way into S3: whole, or in parts of which a few are under way at a time."""

import asyncio
import base64
from collections.abc import AsyncIterable, Mapping
from contextlib import aclosing
from typing import Any, Self

from isal.isal_zlib import crc32

from storage.completion import run_to_end
from storage.parts import MIB, Part, Parts
from storage.s3.requests import Bucket

_SMALLEST_PART = 8 * MIB
_BUFFERED = 32 * MIB
_MOST_PARTS = 10_000
_PARTS_OF_A_SIZE = 1000
_PIECE = 256 * 1024
_AT_ONCE = 64 * 1024  # 20 µs of checksum
_COMPLETE_SECONDS = 300.0  # S3 may take minutes to put thousands of parts together


def part_size(number: int, size: int | None) -> int:
    """Return the size in bytes of a part; the first is number 1.

    10,000 parts are all there may be. So parts grow with the size where it is known, and else
    double with every thousand of them, which is enough for 5 TiB and ends at 4 GiB.
    """
    if size is None:
        return _SMALLEST_PART << (number - 1) // _PARTS_OF_A_SIZE
    return max(_SMALLEST_PART, -(-size // _MOST_PARTS // MIB) * MIB)


class Upload:
    """Puts one object. After an error or a cancellation of `run`, `discard` removes all of it."""

    def __init__(self, bucket: Bucket, key: str, size: int | None) -> None:
        self._bucket = bucket
        self._client = bucket.client
        self._address = bucket.address(key)
        self._key = key
        self._size = size
        self._upload_id: str | None = None
        self._may_exist = False
        self._sent: list[dict[str, Any]] = []

    async def run(self, body: AsyncIterable[bytes | memoryview]) -> None:
        """Send the body and make the object of it."""
        parts = Parts(body, self._size, lambda number: part_size(number, self._size))
        async with aclosing(parts):
            first = await parts.next()
            if first.is_last:
                checksum = await _checksum(first)
                self._may_exist = True
                await run_to_end(self._put_object(first, checksum))
                return
            await run_to_end(self._create())
            await parts.send_all(first, self._send, _BUFFERED)
        self._may_exist = True
        await run_to_end(self._complete())

    async def discard(self) -> None:
        """Remove what was sent. Nothing of this upload is under way any more."""
        if self._upload_id is not None:
            await self._bucket.abort_upload(self._key, self._upload_id)
        if self._may_exist:
            async with self._bucket.request(self._key):
                await self._client.delete_object(**self._address)

    async def _put_object(self, part: Part, checksum: str) -> None:
        async with self._bucket.request(self._key, carrying=part.length):
            if await self._put(part, checksum) is None:
                await self._client.put_object(**self._address, **_carried(part, checksum))

    async def _create(self) -> None:
        async with self._bucket.request(self._key):
            answer = await self._client.create_multipart_upload(
                **self._address, ChecksumAlgorithm="CRC32"
            )
        self._upload_id = answer["UploadId"]

    async def _send(self, part: Part) -> None:
        checksum = await _checksum(part)
        async with self._bucket.request(self._key, carrying=part.length):
            place = {"partNumber": part.number, "uploadId": self._upload_id}
            tag = await self._put(part, checksum, place)
            if tag is None:
                answer = await self._client.upload_part(
                    **self._address,
                    UploadId=self._upload_id,
                    PartNumber=part.number,
                    **_carried(part, checksum),
                )
                tag = answer["ETag"]
        self._sent.append({"PartNumber": part.number, "ETag": tag, "ChecksumCRC32": checksum})

    async def _put(
        self, part: Part, checksum: str, place: Mapping[str, object] | None = None
    ) -> str | None:
        """Return the tag of what was put; None if the client is to try it."""
        headers = {"x-amz-checksum-crc32": checksum, "Content-Length": str(part.length)}
        response = await self._bucket.direct.send(
            "PUT", self._address["Key"], headers, query=place, body=_body(part)
        )
        if response is None:
            return None
        tag: str = response.headers["etag"]
        return tag

    async def _complete(self) -> None:
        parts = sorted(self._sent, key=lambda part: part["PartNumber"])
        async with self._bucket.request(self._key, seconds=_COMPLETE_SECONDS):
            await self._client.complete_multipart_upload(
                **self._address, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )


def _carried(part: Part, checksum: str) -> dict[str, object]:
    return {"Body": _body(part), "ContentLength": part.length, "ChecksumCRC32": checksum}


async def _checksum(part: Part) -> str:
    """Return the checksum of a part as S3 takes it; of a large one it is made in a thread."""
    if part.length <= _AT_ONCE:
        return _crc32(part)
    return await asyncio.to_thread(_crc32, part)


def _crc32(part: Part) -> str:
    return base64.b64encode(crc32(part.view).to_bytes(4)).decode()


def _body(part: Part) -> "bytes | _Body":
    return bytes(part.view) if part.length <= _PIECE else _Body(part.view)


class _Body:
    """Bytes in memory as aiohttp sends them without a copy: in pieces, again after a `seek`."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def __len__(self) -> int:
        return len(self._view)

    def seek(self, position: int) -> None:
        self._position = position

    async def read(self, size: int = _PIECE) -> memoryview:
        piece = self._view[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        piece = await self.read()
        if not piece:
            raise StopAsyncIteration
        return piece
