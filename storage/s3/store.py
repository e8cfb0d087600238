"""The store in an S3 bucket: AWS, or anything that speaks its protocol."""

import functools
import os.path
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple, Self

import aioboto3
from aiobotocore.config import AioConfig

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, is_key
from storage.completion import run_to_end
from storage.errors import ObjectNotFound, StorageError, StoreUnavailable
from storage.parts import LATE, MIB
from storage.readahead import WindowReader, first_window, require_range
from storage.s3.direct import Direct
from storage.s3.requests import Bucket, is_code
from storage.s3.upload import Upload

_PING_SECONDS = 5.0
_DELETE_BATCH = 1000  # what one DeleteObjects takes
_CHUNK = MIB

# No connection is held for longer than a part or a window takes, so that this many serve more
# clients than one process has.
_CONNECTIONS = 64


class _Found(NamedTuple):
    """A part of an object, as a response has it."""

    range: str
    length: int
    tag: str
    body: Any


@functools.cache
def _session() -> aioboto3.Session:
    # It reads 5 MB of JSON, so one does for all stores of the process.
    return aioboto3.Session()


class S3Store(ObjectStore):
    """Keeps each object under its own key, after a prefix, in one bucket, which must exist.

    Bytes are checked by S3 with a CRC32 as they come in. A server that stops answering is given
    up after ``patience`` seconds, retries included, and what a part takes at 256 KiB/s.
    """

    def __init__(self, bucket: Bucket, resources: AsyncExitStack) -> None:
        self.bucket = bucket
        self._client = bucket.client
        self._resources = resources

    @classmethod
    async def connect(
        cls,
        *,
        bucket: str,
        region: str,
        access_key: str,
        secret_key: str,
        endpoint_url: str | None = None,
        prefix: str = "",
        patience: float = 15.0,
    ) -> Self:
        """Make the one client. It sends nothing yet: `ping` tells whether the bucket answers."""
        config = AioConfig(
            max_pool_connections=_CONNECTIONS,
            connect_timeout=3,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            # We send a CRC32 with every body, made in a thread; botocore would hash in the loop.
            s3={
                "payload_signing_enabled": False,
                "addressing_style": "path" if endpoint_url else "auto",
            },
            request_checksum_calculation="when_required",
            # A range has no checksum that it could be compared with.
            response_checksum_validation="when_required",
        )
        # without TLS nobody is verified, and reading all authorities takes 60 ms
        verify = not (endpoint_url or "").startswith("http://")
        resources = AsyncExitStack()
        client = await resources.enter_async_context(
            _session().client(
                "s3",
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                verify=verify,
                endpoint_url=endpoint_url,
                config=config,
            )
        )
        direct = Direct.of(client, bucket, access_key, secret_key, verify=verify)
        resources.push_async_callback(direct.aclose)
        return cls(Bucket(client, direct, bucket, patience, prefix), resources)

    @property
    def late(self) -> float:
        return LATE

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        if not is_key(key):
            raise ValueError(f"not a key: {key!r}")
        upload = Upload(self.bucket, key, size)
        try:
            await upload.run(body)
        except BaseException as error:
            try:
                await run_to_end(upload.discard())
            except StorageError as failure:
                error.add_note(f"parts of it may be left behind: {failure}")
            raise

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with aclosing(await self._reader(key, byte_range)) as reader:
            yield reader

    async def _reader(self, key: str, wanted: ByteRange | None) -> WindowReader:
        """Read the first window, which tells the size and the tag of the whole, too."""
        if wanted is not None:
            require_range(wanted)
        if wanted is not None and wanted.length == 0:
            return WindowReader(_no_bytes, (await self.stat(key)).size, wanted)
        try:
            answer, first = await self._get(key, first_window(wanted or ByteRange(0, MIB)))
        except StorageError as error:
            if not is_code(error, "InvalidRange", "416"):
                raise
            # Nothing is stored from the start of the range on.
            return WindowReader(_no_bytes, (await self.stat(key)).size, wanted)
        size = int(answer.range.rpartition("/")[2])

        async def fetch(window: ByteRange) -> Sequence[bytes]:
            # The tag must still be the first window's: bytes of two objects never mix.
            return (await self._get(key, window, answer.tag))[1]

        return WindowReader(fetch, size, wanted, first)

    async def _get(
        self, key: str, window: ByteRange, tag: str | None = None
    ) -> tuple[_Found, Sequence[bytes]]:
        async with self.bucket.request(key, carrying=window.length):
            found = await self._look_up(key, f"bytes={window.start}-{window.stop - 1}", tag)
            left, chunks = found.length, []
            async with found.body as stream:
                while left > 0:
                    chunks.append(await stream.content.readexactly(min(left, _CHUNK)))
                    left -= len(chunks[-1])
        return found, chunks

    async def _look_up(self, key: str, part: str, tag: str | None) -> _Found:
        headers = {"Range": part} if tag is None else {"Range": part, "If-Match": tag}
        response = await self.bucket.direct.send("GET", self.bucket.prefix + key, headers)
        if response is not None:
            head = response.headers
            return _Found(
                head["content-range"], int(head["content-length"]), head["etag"], response.raw
            )
        conditions = {} if tag is None else {"IfMatch": tag}
        answer = await self._client.get_object(**self.bucket.address(key), Range=part, **conditions)
        return _Found(
            answer["ContentRange"], answer["ContentLength"], answer["ETag"], answer["Body"]
        )

    async def stat(self, key: str) -> ObjectInfo:
        async with self.bucket.request(key):
            found = await self._client.head_object(**self.bucket.address(key))
        return ObjectInfo(key, found["ContentLength"], _microseconds(found["LastModified"]))

    async def delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = keys[start : start + _DELETE_BATCH]
            await self._delete_objects(batch)
            await self._abort_uploads(frozenset(batch))

    async def _delete_objects(self, keys: Sequence[str]) -> None:
        if len(keys) == 1:
            async with self.bucket.request(keys[0]):
                await self._client.delete_object(**self.bucket.address(keys[0]))
            return
        named = [{"Key": self.bucket.prefix + key} for key in keys]
        objects = {"Objects": named, "Quiet": True}
        async with self.bucket.request(self.bucket.name):
            answer = await self._client.delete_objects(Bucket=self.bucket.name, Delete=objects)
        failures = [one for one in answer.get("Errors", ()) if one.get("Code") != "NoSuchKey"]
        if failures:
            raise StoreUnavailable(f"{len(failures)} objects not deleted, first {failures[0]}")

    async def _abort_uploads(self, keys: frozenset[str]) -> None:
        """Abort what is unfinished of these keys.

        One listing does for all of them: few uploads are unfinished at any time.
        """
        async for key, upload in self._uploads(os.path.commonprefix([*keys])):  # noqa: RUF071 (of texts)
            if key in keys:
                await self.bucket.abort_upload(key, upload["UploadId"])

    async def _uploads(self, prefix: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        async for found in self._listed("list_multipart_uploads", "Uploads", prefix):
            yield found

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        async for key, found in self._listed("list_objects_v2", "Contents", prefix):
            yield ObjectInfo(key, found["Size"], _microseconds(found["LastModified"]))

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        async for key, upload in self._uploads(""):
            yield ObjectInfo(key, -1, _microseconds(upload["Initiated"]))

    async def _listed(
        self, request: str, what: str, prefix: str
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield what a request lists of keys with a prefix, with their keys."""
        pages = self._client.get_paginator(request).paginate(**self.bucket.below(prefix))
        async for page in self._pages(pages):
            for found in page.get(what, ()):
                key = self.bucket.key_of(found["Key"])
                if key is not None and key.startswith(prefix):
                    yield key, found

    async def _pages(self, pages: AsyncIterable[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        pages_left = aiter(pages)
        while True:
            async with self.bucket.request(self.bucket.name):
                page = await anext(pages_left, None)
            if page is None:
                return
            yield page

    async def ping(self) -> None:
        try:
            async with self.bucket.request(
                self.bucket.name, seconds=min(_PING_SECONDS, self.bucket.patience)
            ):
                await self._client.head_bucket(Bucket=self.bucket.name)
        except ObjectNotFound as error:
            raise StoreUnavailable(f"there is no bucket {self.bucket.name}") from error.__cause__

    async def aclose(self) -> None:
        await self._resources.aclose()


async def _no_bytes(_window: ByteRange) -> Sequence[bytes]:
    return ()


def _microseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000 + time.microsecond
