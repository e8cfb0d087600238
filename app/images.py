"""What is done to pictures in child processes; the service itself never loads a decoder.

A picture comes as the path of its file, or as its bytes.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["jpeg", "webp"]
"""What a thumbnail may be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a picture is; width and height in pixels, as it is shown."""

    format: str
    width: int
    height: int


def examine(source: str | bytes, max_pixels: int) -> Facts:
    """Find out what a picture is, and that it can be decoded.

    All of it is decoded, of an animation the first frame: nothing less tells a picture that was
    cut off or damaged. A JPEG is decoded at an eighth of its size, which costs a fifth of the
    whole and reads every byte.

    Raises `UnsupportedMediaType` for what is none of JPEG, PNG, WebP, GIF and AVIF by its first
    bytes, `ContentTooLarge` for more than ``max_pixels`` before any of them is decoded, and
    `InvalidRequest` for what can't be decoded.
    """
    from app import decoding

    return decoding.examine(source, max_pixels)


def thumbnail(source: str | bytes, height: int, kind: Kind, max_pixels: int) -> bytes:
    """Make a thumbnail ``height`` pixels high, or as high as the picture where that is less.

    It is upright, in sRGB, and has no metadata. Raises as `examine` does.
    """
    from app import decoding

    return decoding.thumbnail(source, height, kind, max_pixels)
