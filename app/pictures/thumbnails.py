"""Thumbnails: each is made when it is first asked for, once for all who ask for it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
from app.objects.lifecycle import Content, Received
from app.objects.uploads import Body, Uploads
from app.pictures import thumbnail_rows
from app.pictures.formats import Kind
from app.pictures.imaging import Imaging
from app.pictures.thumbnail_rows import Claim, Found

INLINE_MAX: Final = 64 * 1024
"""Bytes up to which a thumbnail lives in the database: it is read far more often than made."""

_PATIENCE: Final = 60.0  # seconds
_LOOKS: Final = (0.05, 0.1, 0.2, 0.4)  # seconds between looks at what another process makes

_Key = tuple[str, int, Kind]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A thumbnail, ready to be read, and the name of its picture."""

    name: str
    content: Content


class Thumbnails:
    """Finds thumbnails, and makes those that are missing."""

    def __init__(self, database: Database, uploads: Uploads, imaging: Imaging) -> None:
        self._database = database
        self._uploads = uploads
        self._imaging = imaging
        # each ends with the thumbnail, or with None when its maker had reasons of its own to stop
        self._making: dict[_Key, asyncio.Future[Content | None]] = {}

    async def find(self, access: Access, uuid: str, height: int, kind: Kind) -> Thumbnail:
        """Return a thumbnail of a picture; the first who asks makes it, the others wait.

        Raises `NotFound`, `Forbidden` for a height that is not of the account's tier,
        `InvalidRequest` when it can't be made, and `ServiceUnavailable` when it takes too long.
        """
        key = (uuid, height, kind)
        found = await access.read(thumbnail_rows.look, *key, clock.now())
        if found.content is not None:
            return Thumbnail(found.name, found.content)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._make_or_wait(access, key, found)
        except TimeoutError:
            raise ServiceUnavailable("Thumbnails take too long just now") from None

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
        """Make a thumbnail, and let those who wait in this process have what comes of it."""
        made: asyncio.Future[Content | None] = asyncio.get_running_loop().create_future()
        self._making[key] = made
        try:
            content = await self._make(access, key)
        except (Unauthorized, Forbidden, NotFound):
            raise  # of this request's own: the next one may do better
        except LeaseLost:
            return None
        except Exception as error:
            made.set_exception(error)
            made.exception()  # there may be nobody else to see it
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
        _, height, kind = key
        try:
            data = await self._imaging.thumbnail(claim.original, height, kind)
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
            received = Received(len(data), hashlib.sha256(data).digest(), None, data)
            return await access.write(thumbnail_rows.keep, claim, received, clock.now())
        body = Body(_once(data), len(data))
        async with self._uploads.receive(
            access, body, kind=thumbnail_rows.KIND, admit=_admit, inline=False, free=True
        ) as received:
            return await access.write(thumbnail_rows.keep, claim, received, clock.now())

    async def _give_up(self, claim: Claim) -> None:
        try:
            await self._database.write(thumbnail_rows.give_up, claim)
        except Exception:
            # its lease ends by itself
            log.exception("could not give up a thumbnail at once")


def _admit(_connection: Connection, _identity: Identity) -> int:
    return 0


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
