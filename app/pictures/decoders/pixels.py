"""Scaling of decoded pictures, from any mode of pixels to one that thumbnails can have."""

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops

from app.pictures.decoders.essentials import Box

_GAP: Final = 2  # times the final size, from which a good filter scales down the rest
_STRIP: Final = 1_000_000  # pixels converted at a time
_LEVELS: Final = range(65536)
_TO_8_BITS: Final = [value >> 8 for value in _LEVELS]


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture, with facts that its pixels do not hold."""

    image: Image.Image
    there: Box | None = None
    """The part that could be decoded, the rest being transparent; None: all of it."""
    low: Image.Image | None = None
    """The lower halves of 16-bit channels, if transparency depends on them."""

    def strip(self, top: int, bottom: int) -> Image.Image:
        """Return rows in a mode that can be scaled: grey, RGB, RGBA or CMYK with 8-bit channels."""
        box = (0, top, self.image.width, bottom)
        part = self.image if box == (0, 0, *self.image.size) else self.image.crop(box)
        plain = _plain(part) if self.low is None else _keyed(part, self.low.crop(box))
        return plain if self.there is None else _cut_out(plain, self.there, top)


def shrunk(pixels: Pixels, size: tuple[int, int]) -> Image.Image:
    """Scale a picture down, first to about twice the size by averaging, which is the fastest.

    That is done in strips, so that a large picture is never in memory twice.
    """
    width, height = pixels.image.size
    factor = max(1, min(width // (size[0] * _GAP), height // (size[1] * _GAP)))
    if factor == 1:
        return pixels.strip(0, height).resize(size, Image.Resampling.BICUBIC)
    rows = max(1, _STRIP // (width * factor)) * factor
    reduced: Image.Image | None = None
    for top in range(0, height, rows):
        strip = pixels.strip(top, min(top + rows, height)).reduce(factor)
        if reduced is None:
            reduced = Image.new(strip.mode, (-(-width // factor), -(-height // factor)))
        reduced.paste(strip, (0, top // factor))
    assert reduced is not None
    whole = (0, 0, width / factor, height / factor)
    return reduced.resize(size, Image.Resampling.BICUBIC, box=whole)


def _plain(image: Image.Image) -> Image.Image:
    key = image.info.get("transparency")
    if image.mode in {"L", "RGB", "RGBA", "CMYK"} and key is None:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = image.convert("I")
        grey = levels.point(_TO_8_BITS, "L")
        if key is None:
            return grey
        alpha = levels.point([0 if level == key else 255 for level in _LEVELS], "L")
        return Image.merge("LA", (grey, alpha)).convert("RGBA")
    if image.mode == "1" and key is None:
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _keyed(high: Image.Image, low: Image.Image) -> Image.Image:
    """Return RGBA from the two halves of 16-bit RGB with one transparent colour."""
    key = high.info["transparency"]
    alpha = Image.new("L", high.size)
    for half, shift in ((high, 8), (low, 0)):
        for channel, value in zip(half.split(), key, strict=True):
            differs = [0 if level == value >> shift & 255 else 255 for level in range(256)]
            alpha = ImageChops.lighter(alpha, channel.point(differs))
    return Image.merge("RGBA", (*high.split(), alpha))


def _cut_out(image: Image.Image, there: Box, top: int) -> Image.Image:
    """Return the rows from ``top`` on as RGBA, transparent outside the part that is there."""
    left, upper, right, lower = there
    inside = (left, max(0, upper - top), right, max(0, min(image.height, lower - top)))
    clear = Image.new("RGBA", image.size)
    if inside[1] < inside[3]:
        clear.paste(image.crop(inside).convert("RGBA"), inside)
    return clear
