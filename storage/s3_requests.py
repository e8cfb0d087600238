"""What every request to S3 has: a bucket, a time limit, and errors in the store's own terms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from storage.errors import ObjectNotFound, StorageError, StoreFull, StoreUnavailable

CALL_SECONDS = 15.0
"""Limit of a request without a body, retries included."""

_SLOWEST = 256 * 1024  # bytes a second that a transfer must reach

_UNREACHABLE = (
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
    """The client and the name of the bucket that it is used for."""

    client: Any
    name: str

    def address(self, key: str) -> dict[str, str]:
        """Return the parameters of a request that name an object."""
        return {"Bucket": self.name, "Key": key}


def transfer_seconds(size: int) -> float:
    """Return the limit in seconds of a request that carries ``size`` bytes."""
    return CALL_SECONDS + size / _SLOWEST


@asynccontextmanager
async def request_to(what: str, seconds: float = CALL_SECONDS) -> AsyncIterator[None]:
    """Limit the time of what happens within and turn its errors into those of a store.

    ``what`` names the object or bucket in the errors' messages.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except ClientError as error:
        raise _translated(error, what) from error
    except _UNREACHABLE as error:
        raise StoreUnavailable(f"S3 does not answer for {what}: {error!r}") from error


def is_code(error: BaseException | None, *codes: str) -> bool:
    """Tell whether an error, or what caused it, is an answer of S3 with one of these codes."""
    if isinstance(error, StorageError):
        error = error.__cause__
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in codes


async def abort_upload(bucket: Bucket, key: str, upload_id: str) -> None:
    """Abort an upload and so remove its parts; one that is gone is fine."""
    try:
        async with request_to(key):
            await bucket.client.abort_multipart_upload(**bucket.address(key), UploadId=upload_id)
    except StorageError as error:
        if not is_code(error, "NoSuchUpload", "404"):
            raise


def _translated(error: ClientError, what: str) -> StorageError:
    answer = error.response["Error"]
    code, message = str(answer.get("Code")), str(answer.get("Message"))
    status = error.response["ResponseMetadata"].get("HTTPStatusCode")
    if code in _MISSING_CODES:
        return ObjectNotFound(what)
    if (
        code in _FULL_CODES
        or status == _FULL_STATUS
        or any(word in message for word in _FULL_WORDS)
    ):
        return StoreFull(f"S3 has no room for {what}: {code}: {message}")
    return StoreUnavailable(f"S3 refuses service for {what}: {code}: {message}")
