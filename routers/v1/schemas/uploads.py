"""What an upload is to become, as clients say it beside its bytes."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.buffer.entities import DataType
from app.objects.file_names import file_name, relative_name
from app.uploads.entities import Fields, Kind
from routers.v1.schemas.blobs import BlobId
from routers.v1.schemas.dumps.dumps import DumpFields
from routers.v1.schemas.files import UNNAMED, FileFields, FileName
from routers.v1.schemas.pictures import PictureFields


class UploadKind(BaseModel):
    """The kind of an upload."""

    kind: Kind = Kind.FILE

    @field_validator("kind")
    @classmethod
    def _is_of_accounts(cls, kind: Kind) -> Kind:
        if kind not in MODELS:
            raise ValueError("Strangers' uploads go to the inbox's own address")
        return kind


def _checked_name(sent: str, info: ValidationInfo) -> str:
    return file_name(sent) if info.data.get("bundle") is None else relative_name(sent)


class FileUpload(FileFields):
    """A file that is uploaded; with a ``bundle`` it becomes that bundle's own."""

    bundle: UUID | None = None
    name: Annotated[str, Field(max_length=4096), AfterValidator(_checked_name)] = UNNAMED

    @model_validator(mode="after")
    def _lives_with_its_bundle(self) -> "FileUpload":
        if self.bundle is not None and self.model_fields_set & set(FileFields.model_fields):
            raise ValueError("A file in a bundle lives as long as the bundle")
        return self


class BlobUpload(BaseModel):
    """A blob that is uploaded; it is created, or its bytes are replaced."""

    id: BlobId


class DumpUpload(DumpFields):
    """A dump that is uploaded."""

    name: FileName = "dump"


class PictureUpload(PictureFields):
    """A picture that is uploaded."""


class BufferUpload(BaseModel):
    """What is uploaded for the buffer: a text, or a file, which has a name."""

    data_type: DataType = DataType.FILE
    name: FileName | None = None

    @model_validator(mode="after")
    def _named(self) -> "BufferUpload":
        if self.data_type is DataType.FILE and self.name is None:
            raise ValueError("A file needs a name")
        return self


MODELS: Final[Mapping[Kind, type[BaseModel]]] = {
    Kind.FILE: FileUpload,
    Kind.BLOB: BlobUpload,
    Kind.DUMP: DumpUpload,
    Kind.PICTURE: PictureUpload,
    Kind.BUFFER: BufferUpload,
}


def fields_of(model: BaseModel, content_type: str) -> Fields:
    """Return what is to be made as the makers of uploads take it."""
    fields: dict[str, Any] = model.model_dump(mode="json")
    match model:
        case BlobUpload():
            return {"name": fields["id"], "content_type": content_type}
        case FileUpload(bundle=None):
            del fields["bundle"]
            return fields | {"content_type": content_type}
        case FileUpload():
            own = {name: fields[name] for name in ("name", "bundle")}
            return own | {"content_type": content_type}
        case BufferUpload(data_type=DataType.TEXT):
            return fields | {"name": None, "content_type": content_type}
        case BufferUpload():
            return fields | {"content_type": content_type}
    return fields
