"""Functions that run in child processes, which alone load the decoders.

The service passes them to `ChildPool.run` without importing what they need.
"""

from typing import BinaryIO

from app.pictures.formats import Facts, ThumbnailFormat


def examine(source: BinaryIO | bytes, max_pixels: int) -> Facts:
    """See `decoding.examine`."""
    from app.pictures import decoding

    return decoding.examine(source, max_pixels)


def thumbnail(
    source: BinaryIO | bytes, height: int, image_format: ThumbnailFormat, max_pixels: int
) -> bytes:
    """See `decoding.thumbnail`."""
    from app.pictures import decoding

    return decoding.thumbnail(source, height, image_format, max_pixels)
