"""ThumbHashes, and what cameras write: read by the child that looks at a new picture."""

import random

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from app.pictures import decoding
from app.pictures import exif as exif_tags
from app.pictures.decoders.thumbhash import thumbhash
from app.pictures.exif import Exif, from_json
from app.pictures.formats import Facts
from tests.pictures import STORED, encoded, exif, quarters


def examine(data: bytes) -> Facts:
    return decoding.examine(data, 10**8)


@pytest.mark.parametrize(
    ("size", "expected"),  # by the package `thumbhash` 0.1.2
    [
        ((32, 21), "60070a3d8a7779879f68875c8498b5874c6ff3c664"),
        ((20, 32), "60070a3c0a77f989c645597b78784c6ff3c664"),
    ],
)
def test_a_hash_is_what_others_make_of_a_picture(size: tuple[int, int], expected: str) -> None:
    few = Image.frombytes("RGB", (4, 4), random.Random(2).randbytes(48))
    assert thumbhash(few.resize(size, Image.Resampling.BICUBIC)).hex() == expected


def test_a_picture_without_contrast_or_with_nothing_in_it_has_a_hash() -> None:
    for colour in ((0, 0, 0, 0), (255, 255, 255, 255)):
        for size in ((1, 1), (32, 1), (1, 32)):
            assert len(thumbhash(Image.new("RGBA", size, colour))) <= 32


def test_the_hash_is_of_the_upright_picture() -> None:
    upright = encoded(quarters(480, 320), "jpeg", quality=95)
    turned = encoded(quarters(480, 320).transpose(STORED[6]), "jpeg", exif=exif(6), quality=95)
    hashes = [examine(data).thumbhash or b"" for data in (upright, turned)]
    assert hashes[0][:5] == hashes[1][:5] != b""


def camera(**changes: object) -> bytes:
    data = Image.Exif()
    data[0x010F], data[0x0110] = "Canon", changes.get("model", "Canon EOS R6")
    data.get_ifd(exif_tags.DETAILS).update(
        {
            0x829A: changes.get("time", IFDRational(1, 250)),
            0x829D: changes.get("f_number", IFDRational(56, 10)),
            0x8827: 160,
            0x9003: changes.get("taken", "2026:05:01 18:20:00"),
            0x9011: "+02:00",
            0x920A: IFDRational(50),
            0xA434: changes.get("lens", "RF50mm F1.8 STM"),
        }
    )
    third = (IFDRational(52), IFDRational(31), IFDRational(12, 1))
    place = {1: "S", 2: changes.get("latitude", third), 3: "E", 4: third}
    data.get_ifd(exif_tags.PLACE).update(place)
    return data.tobytes()


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "heic"])
def test_what_a_camera_wrote(kind: str) -> None:
    found = examine(encoded(quarters(), kind, exif=camera())).exif
    assert found == Exif(
        camera="Canon EOS R6",
        lens="RF50mm F1.8 STM",
        taken_at="2026-05-01T18:20:00+02:00",
        exposure_time=0.004,
        f_number=5.6,
        iso=160,
        focal_length=50,
        latitude=-52.52,
        longitude=52.52,
    )
    assert from_json(found.to_json()) == found


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nonsense_is_left_out() -> None:
    data = camera(
        model="X\x07\n" * 500,
        time=IFDRational(1, 0),
        f_number=b"\xff",
        taken="2026:99:99 aa:20:00",
        latitude=(IFDRational(0, 0), IFDRational(1), IFDRational(1)),
        lens="",
    )
    found = examine(encoded(quarters(), "jpeg", exif=data)).exif
    assert found.camera == "Canon " + "X" * 100
    assert (found.exposure_time, found.f_number, found.taken_at, found.lens) == (None,) * 4
    assert (found.latitude, found.longitude) == (None, None)
    for at in range(6, len(data), 19):
        examine(encoded(quarters(60, 40), "jpeg", exif=data[:at]))
