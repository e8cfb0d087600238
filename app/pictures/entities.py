"""Pictures as the rest of the service knows them; times in UTC microseconds."""

from dataclasses import dataclass, field
from typing import Final

from app.accounts.identity import Tier
from app.objects.entities import Content, new_uuid
from app.pictures.formats import Facts

KIND: Final = "pictures"
MAX_NAME_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and its owner's tier, which decides what can be seen of it."""

    uuid: str
    name: str
    facts: Facts
    created_at: int
    modified_at: int
    tier: Tier
    content: Content


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A picture that is to be made, except its bytes."""

    name: str
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A thumbnail, ready to be read, and the name of its picture."""

    name: str
    content: Content
