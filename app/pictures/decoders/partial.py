"""Decoding of pictures that are cut off or damaged, as far as browsers show them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from PIL import Image, ImageChops, ImageFile

from app.errors import InvalidRequest
from app.pictures.decoders.essentials import Box, Grid

_STRIP: Final = 1_000_000  # pixels compared at a time
_FILLS: Final = (0, 255)
_UNLIKELY: Final = 167  # as the value of every channel in a whole row
_MISSING: Final = {"L": 128, "RGB": 128, "CMYK": 127}  # what libjpeg fills missing pixels with


def load_whole(image: Image.Image) -> None:
    """Decode a picture; raises its decoder's errors, and `EOFError` for a PNG that lacks rows."""
    if image.format != "PNG":
        image.load()
        return
    _over(image, _UNLIKELY)
    last = image.crop((0, image.height - 1, image.width, image.height))
    missing = Image.new(image.mode, last.size, _colour(image, _UNLIKELY))
    if last.tobytes() == missing.tobytes():
        raise EOFError


def load(
    opened: Callable[[], Image.Image], grids: Sequence[Grid], frame: Box | None
) -> tuple[Image.Image, Box]:
    """Decode a JPEG, PNG or GIF as far as possible; returns it and the part that was decoded.

    ``grids`` are the passes of an interlaced picture, finest first: it is filled from the first
    that is complete. ``frame`` is the part of the canvas that the whole picture would cover. Raises
    `InvalidRequest` if nothing could be decoded.
    """
    with leniently():
        image = opened()
        if image.format in {"PNG", "GIF"}:
            return _rows(opened, grids, frame or (0, 0, *image.size))
        return _jpeg(image)


@contextmanager
def leniently() -> Iterator[None]:
    """Let decoders stop at damage without an error."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _jpeg(image: Image.Image) -> tuple[Image.Image, Box]:
    image.load()
    missing = Image.new(image.mode, image.size, _colour(image, _MISSING[image.mode]))
    there = ImageChops.difference(image, missing).getbbox()
    if there is None:
        raise _nothing()
    return image, (0, 0, image.width, there[3])


def _rows(
    opened: Callable[[], Image.Image], grids: Sequence[Grid], frame: Box
) -> tuple[Image.Image, Box]:
    """Decode over two backgrounds: pixels that differ are missing."""
    image, other = (_over(opened(), fill) for fill in _FILLS)
    left, top, right, bottom = frame
    grid, rows, coarse = (1, 1), 0, image
    for grid in grids:
        coarse = _sampled(image, frame, grid)
        rows = _same_rows(coarse, _sampled(other, frame, grid))
        if rows == coarse.height:
            break
    if rows == 0:
        raise _nothing()
    if grid != (1, 1):
        width, height = coarse.width * grid[0], coarse.height * grid[1]
        filled = coarse.resize((width, height), Image.Resampling.NEAREST)
        image.paste(filled.crop((0, 0, right - left, bottom - top)), (left, top))
    return image, (left, top, right, min(bottom, top + rows * grid[1]))


def _over(image: Image.Image, fill: int) -> Image.Image:
    image.im = Image.new(image.mode, image.size, _colour(image, fill)).im
    image.load()
    return image


def _colour(image: Image.Image, value: int) -> int | tuple[int, ...]:
    bands = len(image.getbands())
    return value if bands == 1 else (value,) * bands


def _sampled(image: Image.Image, frame: Box, grid: Grid) -> Image.Image:
    """Return one pixel per grid step of a part of a picture, from its first pixel on."""
    part = image if frame == (0, 0, *image.size) else image.crop(frame)
    across, down = grid
    if grid == (1, 1):
        return part
    size = -(-part.width // across), -(-part.height // down)
    first = (across, 0, (1 - across) / 2, 0, down, (1 - down) / 2)
    return part.transform(size, Image.Transform.AFFINE, first, Image.Resampling.NEAREST)


def _same_rows(one: Image.Image, other: Image.Image) -> int:
    """Return the number of rows from the top that are equal in two pictures."""
    width, height = one.size
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        strip = (0, top, width, min(top + step, height))
        these, those = one.crop(strip).tobytes(), other.crop(strip).tobytes()
        if these != those:
            row = len(these) // (strip[3] - top)
            starts = range(0, len(these), row)
            same = (these[at : at + row] == those[at : at + row] for at in starts)
            return top + list(same).index(False)
    return height


def _nothing() -> InvalidRequest:
    return InvalidRequest("The picture is broken: nothing of it can be shown")
