"""What uploads become, by their kinds: each is made by the use case of its own feature."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.accounts.identity import Access
from app.blobs.entities import Blob
from app.blobs.use_cases import Blobs
from app.buffer.entities import Clip, DataType, NewClip
from app.buffer.use_cases import Buffer
from app.bundles.entities import Member, NewMember
from app.bundles.use_cases import Bundles
from app.dumps.entities import Dump, NewDump
from app.dumps.use_cases import Dumps
from app.files.entities import File, NewFile
from app.files.use_cases import Files
from app.objects.entities import Receipt
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body
from app.pictures.entities import NewPicture, Picture
from app.pictures.use_cases import Pictures
from app.uploads.entities import Fields, Kind

T = TypeVar("T")

Made = File | Member | Dump | Picture | Receipt | tuple[Blob, bool] | tuple[Clip, bool]
"""What use cases return; blobs and clips with whether they are new."""


class Maker(ABC):
    """Makes things of one kind; ``uuid`` is the upload's, and that of what is made."""

    async def prepare(self, access: Access, fields: Fields, length: int | None) -> Fields:
        """Prepare for an upload of a length, if that is known; returns what is kept of its fields.

        Clients send some that aren't kept as they are.
        """
        del access, length
        return fields

    @abstractmethod
    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        """Return what says whether an upload may be begun."""

    @abstractmethod
    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        """Make it of a body that is there whole."""

    def name_of(self, _fields: Fields, uuid: str) -> str:
        """Return the id on the wire of what is made."""
        return uuid


class FileMaker(Maker):
    """Makes files; fields: those of `NewFile`, with the ``password`` itself.

    With a ``bundle`` and nothing else beside the first two, a file is that bundle's own.
    """

    def __init__(self, files: Files, bundles: Bundles) -> None:
        self._files = files
        self._bundles = bundles

    async def prepare(self, access: Access, fields: Fields, length: int | None) -> Fields:
        del length
        hashed = await self._files.hash_password(access, fields.get("password"))
        kept = {name: value for name, value in fields.items() if name != "password"}
        # what isn't said isn't kept: a process of an older release may finish the upload
        said = (kept | {"password_hash": hashed}).items()
        return {name: value for name, value in said if value is not None}

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        del conditions
        if "bundle" in fields:
            return self._bundles.admission(fields["bundle"])
        return self._files.admission(NewFile(**fields))

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del conditions
        if "bundle" in fields:
            member = NewMember(fields["name"], fields["content_type"], uuid)
            return await self._bundles.add(access, fields["bundle"], member, body)
        return await self._files.create(access, NewFile(**fields, uuid=uuid), body)


class BlobMaker(Maker):
    """Creates or replaces blobs; fields: ``name``, ``content_type``."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        return self._blobs.admission(fields["name"], conditions)

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del uuid
        name, content_type = fields["name"], fields["content_type"]
        return await self._blobs.put(access, name, body, content_type, conditions)

    def name_of(self, fields: Fields, _uuid: str) -> str:
        name: str = fields["name"]
        return name


class DumpMaker(Maker):
    """Creates dumps; fields: ``name``, ``label``, ``description``, ``retention``."""

    def __init__(self, dumps: Dumps) -> None:
        self._dumps = dumps

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        del fields, conditions
        return self._dumps.admission()

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del conditions
        rest = {name: value for name, value in fields.items() if name != "name"}
        describe = _already(NewDump(**rest, uuid=uuid))
        return await self._dumps.create(access, fields["name"], body, describe)


class PictureMaker(Maker):
    """Creates pictures; fields: ``name``."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        del fields, conditions
        return self._pictures.admission()

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del conditions
        describe = _already(NewPicture(fields["name"], uuid))
        return await self._pictures.create(access, body, describe)


class BufferMaker(Maker):
    """Fills the buffer; fields: ``data_type``, ``name``, ``content_type``."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    async def prepare(self, access: Access, fields: Fields, length: int | None) -> Fields:
        await self._buffer.make_room(access, length)
        return fields

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        del fields
        return self._buffer.admission(conditions)

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del uuid
        new = NewClip(DataType(fields["data_type"]), fields["name"], fields["content_type"])
        return await self._buffer.put(access, new, body, conditions)

    def name_of(self, _fields: Fields, _uuid: str) -> str:
        return ""


def makers_of(
    blobs: Blobs,
    buffer: Buffer,
    bundles: Bundles,
    dumps: Dumps,
    files: Files,
    pictures: Pictures,
) -> dict[Kind, Maker]:
    """Return the maker of each kind that accounts upload."""
    return {
        Kind.FILE: FileMaker(files, bundles),
        Kind.BLOB: BlobMaker(blobs),
        Kind.DUMP: DumpMaker(dumps),
        Kind.PICTURE: PictureMaker(pictures),
        Kind.BUFFER: BufferMaker(buffer),
    }


def _already(value: T) -> Callable[[], Awaitable[T]]:
    async def describe() -> T:
        return value

    return describe
