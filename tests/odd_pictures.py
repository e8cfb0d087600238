"""Pictures as odd as those that people have: cut off, damaged, with strange things beside them."""

import struct
import zlib
from functools import cache
from typing import Final

from PIL import Image

from tests.pictures import BLUE, GREEN, RED, WHITE, chunk, encoded, exif, noise, png, quarters

SIDEWAYS: Final = 6
"""An orientation that swaps width and height."""

_XMP_NAME: Final = b"http://ns.adobe.com/xap/1.0/\0"
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of Adam7: where each pass begins, and every how many pixels it has one."""


def xmp(orientation: int) -> bytes:
    """Return metadata by which a picture is turned, for who believes it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        f'tiff:Orientation="{orientation}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with(*segments: bytes, image: Image.Image | None = None) -> bytes:
    """Return a JPEG that begins with these segments."""
    data = encoded(image or quarters(), "jpeg", quality=95)
    return data[:2] + b"".join(segments) + data[2:]


def png_with(*chunks: bytes) -> bytes:
    """Return a PNG with these chunks after its header."""
    data = encoded(quarters(), "png")
    return data[:33] + b"".join(chunks) + data[33:]


@cache
def sideways_but_not_by_exif() -> dict[str, bytes]:
    """Return pictures that only something else than EXIF would turn."""
    upright = segment(0xE1, exif(1))
    turned = segment(0xE1, _XMP_NAME + xmp(SIDEWAYS))
    written = exif(SIDEWAYS)
    raw = f"\nexif\n{len(written):8}\n{written.hex()}\n".encode()
    named = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(SIDEWAYS)
    return {
        "xmp.jpeg": jpeg_with(turned),
        "exif-upright.jpeg": jpeg_with(upright, turned),
        "xmp.png": png_with(chunk(b"iTXt", named)),
        "text.png": png_with(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))),
        "xmp.webp": encoded(quarters(), "webp", lossless=True, xmp=xmp(SIDEWAYS)),
        "xmp.avif": encoded(quarters(), "avif", quality=95, xmp=xmp(SIDEWAYS)),
    }


def bad(data: bytes) -> bytes:
    """Return a chunk whose checksum is wrong."""
    return data[:-1] + bytes([data[-1] ^ 0xFF])


@cache
def odd_but_whole() -> dict[str, bytes]:
    """Return pictures of `quarters` of which nothing is missing that can be seen."""
    inflating = zlib.compress(bytes(50_000_000), 9)
    much = b" ".join(b"word" for _ in range(400_000))
    gif = encoded(quarters(), "gif")
    at = 13 + (3 << (gif[10] & 7) + 1)
    return {
        "text-inflates.png": png_with(chunk(b"zTXt", b"a\0\0" + inflating)),
        "international-text-inflates.png": png_with(
            chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(much))
        ),
        "much-text.png": png_with(*[chunk(b"tEXt", b"a\0" + much)] * 40),
        "profile-inflates.png": png_with(chunk(b"iCCP", b"a\0\0" + inflating)),
        "profile-is-none.png": png_with(chunk(b"iCCP", b"a\0\0nonsense")),
        "text-checksum.png": png_with(bad(chunk(b"tEXt", b"Title\0ab"))),
        "profile-checksum.png": png_with(bad(chunk(b"iCCP", b"a\0\0" + inflating))),
        "transparency-short.png": png_with(chunk(b"tRNS", b"\0\0")),
        "animation-of-nothing.png": png_with(chunk(b"acTL", bytes(8))),
        "loop-empty.gif": gif[:at] + b"!\xff\x0bNETSCAPE2.0\0" + gif[at:],
        "application-empty.gif": gif[:at] + b"!\xff\0" + gif[at:],
        "jfif-short.jpeg": jpeg_with(segment(0xE0, b"JFIF\0")),
        "photoshop-short.jpeg": jpeg_with(segment(0xED, b"Photoshop 3.0\x008BIM"), b"xxxx"),
        "pictures-index.jpeg": jpeg_with(segment(0xE2, b"MPF\0II*\0\xff\xff\xff\x7f")),
    }


def interlaced_png(image: Image.Image, colour_type: int) -> bytes:
    """Return an Adam7 PNG, which Pillow would not write."""
    width, height = image.size
    size = len(image.getbands())
    pixels = image.tobytes()
    rows = [
        b"\0"
        + b"".join(pixels[(y * width + x) * size :][:size] for x in range(left, width, across))
        for left, top, across, down in _PASSES
        for y in range(top, height, down)
    ]
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, content) for name, content in chunks)


def fine() -> Image.Image:
    """Make a picture of `quarters` that is hard to compress, so that every byte has its place."""
    return Image.blend(quarters(300, 200), noise(300, 200), 0.3)


@cache
def to_be_cut() -> dict[str, bytes]:
    """Return pictures of `fine` that are shown in part when they are cut off."""
    image = fine()
    return {
        "baseline.jpeg": encoded(image, "jpeg", quality=92),
        "progressive.jpeg": encoded(image, "jpeg", quality=92, progressive=True),
        "grey.jpeg": encoded(image.convert("L"), "jpeg", quality=92),
        "inks.jpeg": encoded(image.convert("CMYK"), "jpeg", quality=92),
        "rows.png": encoded(image, "png"),
        "alpha.png": encoded(image.convert("RGBA"), "png"),
        "palette.png": encoded(image.quantize(256), "png"),
        "interlaced.png": interlaced_png(image, 2),
        "rows.gif": encoded(image, "gif", interlace=0),
        "interlaced.gif": encoded(image, "gif", interlace=1),
    }


def keyed_png(depth: int, colour_type: int, left: bytes, right: bytes, key: bytes) -> bytes:
    """Return a PNG, 64 pixels wide and high, whose two halves are of a sample each."""
    data = png(64, 64, depth, colour_type, [left + right] * 64)
    return data[:33] + chunk(b"tRNS", key) + data[33:]


def gif(
    frame: tuple[int, int, int, int], *, colour: int = 0, transparent: int | None = None
) -> bytes:
    """Return a GIF, 100 pixels wide and 80 high, whose picture is a part of that."""
    left, top, width, height = frame
    codes = [4, *(code for _ in range(width * height) for code in (colour, 4)), 5]  # 3 bits each
    number = sum(code << 3 * place for place, code in enumerate(codes))
    packed = number.to_bytes(len(codes) * 3 // 8 + 1, "little")
    blocks = (packed[at : at + 255] for at in range(0, len(packed), 255))
    pixels = b"\2" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"
    palette = bytes((*RED, *BLUE, *GREEN, *WHITE))
    control = b"" if transparent is None else b"!\xf9\4\1\0\0" + bytes([transparent]) + b"\0"
    where = struct.pack("<4HB", left, top, width, height, 0)
    return (
        b"GIF89a" + struct.pack("<HHBBB", 100, 80, 0x91, 1, 0) + palette + control
        + b"," + where + pixels
    )  # fmt: skip


def avif_with_associations_apart(image: Image.Image) -> bytes:
    """Return an AVIF as older encoders wrote those with alpha: a box of associations an item."""
    data = encoded(image, "avif", quality=90)
    at = data.index(b"meta") - 4
    meta = data[at : at + int.from_bytes(data[at : at + 4])]
    start = meta.index(b"ipma") - 4
    box = meta[start : start + int.from_bytes(meta[start : start + 4])]
    first = 16 + 3 + box[16 + 2]  # an item's number, how many properties, and those
    parts = [box[16:first], box[first:]]
    apart = b"".join(_box(b"ipma", bytes(4) + (1).to_bytes(4) + part) for part in parts)
    properties = meta.index(b"iprp") - 4
    inner = meta[properties + 8 : start] + apart
    written = meta[12:properties] + _box(b"iprp", inner) + meta[start + len(box) :]
    # at the end, so that nothing else moves
    free = _box(b"free", bytes(len(meta) - 8))
    return data[:at] + free + data[at + len(meta) :] + _box(b"meta", bytes(4) + written)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def huge(kind: str, edge: int) -> bytes:
    """Return a small picture whose header says that it is huge."""
    data = bytearray(encoded(quarters(64, 64), kind))
    match kind:
        case "jpeg":
            at = data.index(b"\xff\xc0") + 5
            data[at : at + 4] = struct.pack(">HH", edge, edge)
        case "png":
            data[16:24] = struct.pack(">II", edge, edge)
        case "gif":
            data[6:10] = struct.pack("<HH", edge, edge)
        case "webp":
            sides = (edge - 1).to_bytes(3, "little") * 2
            return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X\x0a\0\0\0" + bytes(4) + sides
        case _:  # AVIF and HEIC
            at = data.index(b"ispe") + 8
            data[at : at + 8] = struct.pack(">II", edge, edge)
    return bytes(data)
