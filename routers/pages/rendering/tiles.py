"""Pictures as tiles of a grid, with the images that stand for each."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app import clock
from app.accounts.identity import Tier
from app.pictures.entities import Picture
from app.words import size_in_words

_HEIGHT: Final = 200
"""px: thumbnails from this height on are sharp in the grid."""

_COVER: Final = 400
"""px: the same for the cover of an album."""

_SHAPES: Final = (50, 56, 67, 75, 100, 125, 133, 150, 178, 200, 250, 300)
"""How wide tiles may be, in hundredths of their height: grid.css knows no others."""

_HIDDEN_FORMATS: Final = frozenset({"heic"})
"""Of originals that few browsers show."""

_LARGEST_SHOWN: Final = 32 * 1024 * 1024
"""Bytes of an original that is loaded to be looked at."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of a picture, and its size in pixels."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the grid."""

    picture: Picture
    href: str
    """Its page."""
    small: Shown | None
    """What the grid shows; None: its owner's tier has no image that could."""
    sharp: Shown | None
    """The same for screens with finer pixels, if there is one."""
    large: Shown | None
    """The largest that a browser can show; see `is_original`."""
    is_original: bool
    original: str | None
    """Where it is as it was uploaded, if the tier allows that."""
    value: str = ""
    """What its checkbox stands for."""
    removal: str = ""
    """The path of the API that takes it out of the grid."""

    @property
    def shape(self) -> int:
        """The one of `_SHAPES` that is the picture's, nearly: the rest is cut off in the grid."""
        ratio = 100 * self.picture.facts.width / self.picture.facts.height
        return min(_SHAPES, key=lambda shape: max(shape / ratio, ratio / shape))

    @property
    def thumbhash(self) -> str:
        """The placeholder, in Base64."""
        return b64encode(self.picture.facts.thumbhash or b"").decode()

    @property
    def facts(self) -> str:
        facts, size = self.picture.facts, size_in_words(self.picture.content.size)
        words = f"{facts.width} × {facts.height}, {facts.format.upper()}, {size}"  # noqa: RUF001
        return words if facts.is_complete else f"{words}, incomplete"


def tile_of(base: str, picture: Picture) -> Tile:
    """Return the tile of one of the account's pictures; ``base`` is what paths begin with."""
    path = f"{base}/v1/pictures/{picture.uuid}"
    thumbnails = [
        fitting(picture, height, f"{path}/thumbnails/{height}?inline=1")
        for height in sorted(picture.tier.heights)
    ]
    original = f"{path}/original" if picture.tier.allow_original else None
    whole = None
    if original is not None and is_shown(picture):
        facts = picture.facts
        whole = Shown(f"{original}?inline=1", facts.width, facts.height)
    sharp = [image for image in thumbnails if image.height >= min(_HEIGHT, picture.facts.height)]
    images = sharp or thumbnails[-1:] or ([] if whole is None else [whole])
    return Tile(
        picture,
        href=f"{base}/pictures/{picture.uuid}",
        small=images[0] if images else None,
        sharp=images[1] if len(images) > 1 else None,
        large=whole or (thumbnails[-1] if thumbnails else None),
        is_original=whole is not None,
        original=original,
        value=picture.uuid,
        removal=f"/v1/pictures/{picture.uuid}",
    )


def cover_of(base: str, tier: Tier, uuid: str | None) -> str | None:
    """Return the path of the thumbnail that stands for several pictures, if there is one."""
    fine = min((height for height in tier.heights if height >= _COVER), default=None)
    height = fine or max(tier.heights, default=None)
    if uuid is None or height is None:
        return None
    return f"{base}/v1/pictures/{uuid}/thumbnails/{height}?inline=1"


def by_month(tiles: Sequence[Tile]) -> list[tuple[str, list[Tile]]]:
    """Return tiles under the months in which their pictures came."""
    return [(month, list(those)) for month, those in groupby(tiles, _month)]


def _month(tile: Tile) -> str:
    return clock.to_datetime(tile.picture.created_at).strftime("%B %Y")


def fitting(picture: Picture, height: int, path: str) -> Shown:
    """Return the thumbnail of a height, at a path: it is never higher than the picture."""
    scale = min(1, height / picture.facts.height)
    return Shown(
        path, max(1, round(picture.facts.width * scale)), min(height, picture.facts.height)
    )


def is_shown(picture: Picture) -> bool:
    """Tell whether browsers can show the original, and soon enough."""
    is_light = picture.content.size <= _LARGEST_SHOWN
    return is_light and picture.facts.format not in _HIDDEN_FORMATS
