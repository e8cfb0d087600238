"""Thumbnails, made on the first request, once for all clients that wait for it."""

import asyncio
import hashlib
import zlib
from typing import Final

import structlog
from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.database import Database
from app.errors import (
    ContentTooLarge,
    Forbidden,
    InvalidRequest,
    LeaseLost,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)
from app.objects.entities import Content, Received
from app.objects.uploads import Body, Uploads
from app.pictures import thumbnail_rows
from app.pictures.entities import Thumbnail
from app.pictures.formats import ThumbnailFormat
from app.pictures.imaging import Imaging
from app.pictures.thumbnail_rows import Claim, Found

INLINE_MAX: Final = 64 * 1024
"""Bytes up to which a thumbnail is kept in the database, from where it is read fastest."""

_PATIENCE: Final = 60.0  # seconds
_LOOKS: Final = (0.05, 0.1, 0.2, 0.4)  # seconds between looks while another process makes it

_Key = tuple[str, int, ThumbnailFormat]
"""A picture's uuid, a height, and a format."""

log = structlog.get_logger(__name__)


class Thumbnails:
    """Finds thumbnails, and makes missing ones."""

    def __init__(self, database: Database, uploads: Uploads, imaging: Imaging) -> None:
        self._database = database
        self._uploads = uploads
        self._imaging = imaging
        # the result is None if the maker stopped for reasons of its own
        self._making: dict[_Key, asyncio.Future[Content | None]] = {}

    async def find(
        self, access: Access, uuid: str, height: int, image_format: ThumbnailFormat
    ) -> Thumbnail:
        """Return a thumbnail of a picture; the first request makes it, others wait.

        Raises `NotFound`, `Forbidden` for a height that the account's tier does not have,
        `InvalidRequest` when it can't be made, and `ServiceUnavailable` when it takes too long.
        """
        key = (uuid, height, image_format)
        found = await access.read(thumbnail_rows.look, *key, clock.now())
        if found.content is not None:
            return Thumbnail(found.name, found.content)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._make_or_wait(access, key, found)
        except TimeoutError:
            raise ServiceUnavailable("Thumbnails take too long right now") from None

    async def _make_or_wait(self, access: Access, key: _Key, found: Found) -> Thumbnail:
        looks = 0
        while True:
            content = found.content
            if found.failure is not None:
                raise InvalidRequest(found.failure)
            if content is None and key in self._making:
                content = await asyncio.shield(self._making[key])
            elif content is None and not found.is_being_made:
                content = await self._make_for_all(access, key)
            elif content is None:
                await asyncio.sleep(_LOOKS[min(looks, len(_LOOKS) - 1)])
                looks += 1
            if content is not None:
                return Thumbnail(found.name, content)
            found = await access.read(thumbnail_rows.look, *key, clock.now())

    async def _make_for_all(self, access: Access, key: _Key) -> Content | None:
        """Make a thumbnail, and pass it, or the error, to all who wait in this process."""
        made: asyncio.Future[Content | None] = asyncio.get_running_loop().create_future()
        self._making[key] = made
        try:
            content = await self._make(access, key)
        except (Unauthorized, Forbidden, NotFound):
            raise  # about this request alone: the next one may succeed
        except LeaseLost:
            return None
        except Exception as error:
            made.set_exception(error)
            made.exception()  # mark it as retrieved: there may be nobody who waits
            raise
        else:
            made.set_result(content)
            return content
        finally:
            del self._making[key]
            if not made.done():
                made.set_result(None)

    async def _make(self, access: Access, key: _Key) -> Content | None:
        claim = await access.write(thumbnail_rows.claim, *key, clock.now())
        if claim is None:
            return None
        _, height, image_format = key
        try:
            data = await self._imaging.thumbnail(claim.original, height, image_format)
            return await self._keep(access, claim, data)
        except (InvalidRequest, UnsupportedMediaType, ContentTooLarge) as error:
            log.warning("a thumbnail can't be made", picture=key[0], reason=error.detail)
            await self._database.write(thumbnail_rows.fail, claim, error.detail, clock.now())
            raise InvalidRequest(error.detail) from error
        except BaseException:
            await self._give_up(claim)
            raise

    async def _keep(self, access: Access, claim: Claim, data: bytes) -> Content:
        if len(data) <= INLINE_MAX:
            digest, crc32 = hashlib.sha256(data).digest(), zlib.crc32(data)
            received = Received(len(data), digest, None, data, crc32=crc32)
            return await access.write(thumbnail_rows.keep, claim, received, clock.now())
        async with self._uploads.receive(
            access, Body.of(data), kind=thumbnail_rows.KIND, admit=_admit, inline=False, free=True
        ) as received:
            return await access.write(thumbnail_rows.keep, claim, received, clock.now())

    async def _give_up(self, claim: Claim) -> None:
        try:
            await self._database.write(thumbnail_rows.give_up, claim)
        except Exception:
            # its lease ends by itself
            log.exception("could not give up a thumbnail at once")


def _admit(_connection: Connection, _identity: Identity) -> int:
    return 0  # slots
