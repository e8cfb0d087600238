"""Pictures: what an account may do with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app import clock
from app.accounts.identity import Access
from app.database.pagination import Page
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body, Describe, Uploads
from app.pictures import formats, rows
from app.pictures.entities import KIND, NewPicture, Picture, Thumbnail
from app.pictures.formats import ThumbnailFormat
from app.pictures.imaging import Imaging
from app.pictures.thumbnails import Thumbnails


class Pictures:
    """Receives, lists, shows, renames and deletes the pictures of an account."""

    def __init__(
        self,
        uploads: Uploads,
        imaging: Imaging,
        thumbnails: Thumbnails,
        *,
        wake_sweep: Callable[[], None],
    ) -> None:
        self._uploads = uploads
        self._imaging = imaging
        self._thumbnails = thumbnails
        self._wake_sweep = wake_sweep

    def admission(self) -> Admit:
        """Return what says whether a picture may be sent."""
        return rows.admit

    async def create(self, access: Access, body: Body, describe: Describe[NewPicture]) -> Picture:
        """Create a picture that can be decoded; ``describe`` is awaited once it has been received.

        Raises `UnsupportedMediaType` before anything is stored, `InvalidRequest` for a picture
        that can't be decoded, and `ContentTooLarge` for one of too many pixels.
        """
        body = replace(body, chunks=formats.checked(body.chunks))
        async with self._uploads.receive(access, body, kind=KIND, admit=rows.admit) as received:
            new = await describe()
            facts = await self._imaging.examine(received.content(clock.now()))
            return await access.write(rows.create, new, facts, received, clock.now())

    async def rename(
        self, access: Access, uuid: str, name: str | None, conditions: Preconditions
    ) -> Picture:
        """Rename a picture, unless ``name`` is None; raises `NotFound` and `PreconditionFailed`."""
        return await access.write(rows.rename, uuid, name, conditions, clock.now())

    async def remove(self, access: Access, uuid: str, conditions: Preconditions) -> None:
        """Delete a picture with its thumbnails and end its links.

        Raises `NotFound` and `PreconditionFailed`.
        """
        await access.write(rows.remove, uuid, conditions, clock.now())
        self._wake_sweep()

    async def find(self, access: Access, uuid: str) -> Picture:
        """Return a picture; raises `NotFound`."""
        return await access.read(rows.find, uuid)

    async def find_all(self, access: Access, uuids: Sequence[str]) -> Mapping[str, Picture]:
        """Return those pictures that are there, by their ids, to be listed."""
        return await access.read(rows.find_all, uuids)

    async def find_with_neighbours(
        self, access: Access, uuid: str
    ) -> tuple[Picture, str | None, str | None]:
        """Return a picture, and the ids of the next newer and the next older; raises `NotFound`."""
        return await access.read(rows.find_with_neighbours, uuid)

    async def find_original(self, access: Access, uuid: str) -> Picture:
        """Return a picture to be read as it was uploaded; raises `NotFound` and `Forbidden`."""
        return await access.read(rows.find_original, uuid)

    async def find_thumbnail(
        self, access: Access, uuid: str, height: int, image_format: ThumbnailFormat
    ) -> Thumbnail:
        """Return a thumbnail, which is made on the first request; see `Thumbnails.find`."""
        return await self._thumbnails.find(access, uuid, height, image_format)

    async def page(self, access: Access, limit: int, cursor: str | None) -> Page[Picture]:
        """Return a page of pictures, newest first."""
        return await access.read(rows.page, limit, cursor)
