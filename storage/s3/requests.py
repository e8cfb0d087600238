"""What every request to S3 has: a bucket, a time limit, and errors in the store's own terms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import botocore.exceptions
from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from storage.base import is_key
from storage.errors import ObjectNotFound, StorageError, StoreFull, StoreUnavailable
from storage.s3.direct import Direct

_SLOWEST = 256 * 1024  # bytes a second that a transfer must reach

_UNREACHABLE = (
    botocore.exceptions.ConnectionError,  # has EndpointConnectionError, which the next has not
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)
_MISSING_CODES = frozenset({"NoSuchKey", "NotFound", "404"})
_FULL_CODES = frozenset({"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "507"})
_FULL_STATUS = 507
_FULL_WORDS = ("no free volumes", "no writable volumes", "no space left")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A client with the bucket that it is used for, and its patience: seconds for one request.

    ``prefix`` stands before every key.
    """

    client: Any
    direct: Direct
    name: str
    patience: float
    prefix: str = ""

    def address(self, key: str) -> dict[str, str]:
        """Return the parameters of a request that name an object."""
        return {"Bucket": self.name, "Key": self.prefix + key}

    def below(self, prefix: str) -> dict[str, str]:
        """Return the parameters of a request that lists what has a prefix."""
        return {"Bucket": self.name, "Prefix": self.prefix + prefix}

    def key_of(self, name: str) -> str | None:
        """Return the key that something is listed for; None if it is none of a store."""
        # SeaweedFS takes `a//` for `a/`, and lists what has another prefix
        key = name.removeprefix(self.prefix)
        return key if name.startswith(self.prefix) and is_key(key) else None

    @asynccontextmanager
    async def request(
        self, what: str, *, carrying: int = 0, seconds: float | None = None
    ) -> AsyncIterator[None]:
        """Limit the time of what happens within and turn its errors into those of a store.

        ``what`` names the object or bucket in the errors' messages. The limit is ``seconds``, or
        else the bucket's patience and what ``carrying`` so many bytes may take.
        """
        try:
            async with asyncio.timeout(seconds or self.patience + carrying / _SLOWEST):
                yield
        except ClientError as error:
            raise _translated(error, what) from error
        except _UNREACHABLE as error:
            raise StoreUnavailable(f"S3 does not answer for {what}: {error!r}") from error

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload and so remove its parts; one that is gone is fine."""
        try:
            async with self.request(key):
                await self.client.abort_multipart_upload(**self.address(key), UploadId=upload_id)
        except StorageError as error:
            if not is_code(error, "NoSuchUpload", "404"):
                raise


def is_code(error: BaseException | None, *codes: str) -> bool:
    """Tell whether an error, or what caused it, is an answer of S3 with one of these codes."""
    if isinstance(error, StorageError):
        error = error.__cause__
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in codes


def _translated(error: ClientError, what: str) -> StorageError:
    answer = error.response["Error"]
    code, message = str(answer.get("Code")), str(answer.get("Message"))
    status = error.response["ResponseMetadata"].get("HTTPStatusCode")
    if code in _MISSING_CODES:
        return ObjectNotFound(what)
    if (
        code in _FULL_CODES
        or status == _FULL_STATUS
        or any(word in message.lower() for word in _FULL_WORDS)
    ):
        return StoreFull(f"S3 has no room for {what}: {code}: {message}")
    return StoreUnavailable(f"S3 refuses service for {what}: {code}: {message}")
