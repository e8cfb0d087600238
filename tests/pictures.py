"""Pictures for tests: made by Pillow where it can, and by hand where a picture must be odd."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import pillow_heif
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
QUARTERS: Final = (RED, GREEN, BLUE, WHITE)
"""Colours of `quarters`: top left, top right, bottom left, bottom right."""

FORMATS: Final = ("jpeg", "png", "webp", "gif", "avif", "heic")

Colour = tuple[int, ...]

# how a picture is stored that is shown upright under each EXIF orientation (TIFF 6.0, tag 274)
STORED: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    """Return the picture in a format."""
    out = io.BytesIO()
    if kind == "heic":  # not by registering it, which would replace what reads them
        pillow_heif.from_pillow(image).save(out, **options)
    else:
        image.save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Decode a picture, to look at it."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def quarters(width: int = 600, height: int = 400) -> Image.Image:
    """Make a picture of four colours, so that it shows how it is turned."""
    image = Image.new("RGB", (2, 2))
    image.putdata(QUARTERS)
    return image.resize((width, height), Image.Resampling.NEAREST)


def plain(colour: Colour = RED, size: tuple[int, int] = (600, 400), mode: str = "RGB") -> bytes:
    """Return a PNG of one colour."""
    return encoded(Image.new(mode, size, colour), "png")


def noise(width: int, height: int) -> Image.Image:
    """Make a picture that is hard to compress, and has something to see at every scale."""
    fine = Image.effect_noise((width, height), 40)
    coarse = Image.effect_noise((width // 16 + 1, height // 16 + 1), 90).resize((width, height))
    return Image.merge("RGB", (fine, coarse, Image.blend(fine, coarse, 0.5)))


def exif(orientation: int) -> bytes:
    """Return metadata of a camera, which tells where it was."""
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "Camera-maker"
    data.get_ifd(0x8825)[1] = "GPS-north"
    return data.tobytes()


def corners(image: Image.Image) -> tuple[Colour, ...]:
    """Return the colours in the middle of the four quarters, rounded to what they were made of."""
    rgb = image.convert("RGB")
    x, y = rgb.width // 4, rgb.height // 4
    points = ((x, y), (rgb.width - x, y), (x, rgb.height - y), (rgb.width - x, rgb.height - y))
    return tuple(tuple(255 if c > 127 else 0 for c in pixel(rgb, point)) for point in points)


def middle(image: Image.Image) -> Colour:
    """Return the colour in the middle."""
    return pixel(image, (image.width // 2, image.height // 2))


def is_near(one: Colour, other: Colour, by: int = 6) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def pixel(image: Image.Image, point: tuple[int, int]) -> Colour:
    """Return the colour at a point."""
    value = image.getpixel(point)
    assert isinstance(value, tuple)
    return tuple(int(channel) for channel in value)


def png(width: int, height: int, depth: int, colour_type: int, rows: Sequence[bytes]) -> bytes:
    """Make a PNG by hand, of a depth or a size that Pillow would not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, content) for name, content in chunks)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def bomb(edge: int, rows: int) -> bytes:
    """Make a PNG of a few kilobytes that says it has edge x edge pixels, and has some rows."""
    return png(edge, edge, 1, 0, [bytes(-(-edge // 8))] * rows)


def huge_webp(width: int, height: int) -> bytes:
    """Make a WebP whose header says that it is huge."""
    edges = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    header = b"VP8X" + struct.pack("<I", 10) + bytes(4) + edges
    return b"RIFF" + struct.pack("<I", 4 + len(header)) + b"WEBP" + header


def profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """Make an ICC profile (version 2) of its tags."""
    table, data = b"", b""
    at = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(data), len(content))
        data += padded
    body = struct.pack(">I", len(tags)) + table + data
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"none", 0x02400000, kind, space, connection
    )
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += _fixed(0.9642, 1.0, 0.8249)  # D50
    return header.ljust(128, b"\0") + body


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def swapped_profile() -> bytes:
    """Make a profile whose red is everybody else's green, and the other way round."""
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    curve = _gamma(2.2)
    return profile(
        b"RGB ",
        {
            b"wtpt": _xyz(0.9642, 1.0, 0.8249),
            b"rXYZ": _xyz(*green),
            b"gXYZ": _xyz(*red),
            b"bXYZ": _xyz(*blue),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def linear_grey_profile() -> bytes:
    """Make a profile of greys by their light: half the light looks far brighter than half."""
    return profile(b"GRAY", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": _gamma(1.0)})


def odd_ink_profile() -> bytes:
    """Make a profile of inks of which the first is red, the last black, and the others nothing."""
    ramp = bytes(range(256))
    paper, red, black = (255, 128, 128), (136, 208, 195), (0, 128, 128)  # L*, a*, b* in 8 bits
    grid = bytes((*paper, *black) * 4 + (*red, *black) * 4)
    identity = b"".join(_fixed(*(1.0 if x == y else 0.0 for x in range(3))) for y in range(3))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    return profile(
        b"CMYK", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"A2B0": table}, connection=b"Lab "
    )
