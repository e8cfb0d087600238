"""What a camera wrote into a picture, in words."""

from collections.abc import Iterator
from datetime import datetime

from app.pictures.exif import Exif


def facts_of(exif: Exif) -> list[tuple[str, str]]:
    """Return labels and texts of what is known."""
    return [(label, text) for label, text in _all(exif) if text]


def _all(exif: Exif) -> Iterator[tuple[str, str | None]]:
    yield "Taken", _taken(exif)
    yield "Camera", exif.camera
    yield "Lens", exif.lens
    yield "Exposure", ", ".join(_exposure(exif))
    yield "Place", _place(exif)


def _taken(exif: Exif) -> str | None:
    """Return the moment as the clock was that the camera had."""
    if exif.taken_at is None:
        return None
    try:
        return datetime.fromisoformat(exif.taken_at).strftime("%Y-%m-%d %H:%M")
    except ValueError:  # as of a 13th month
        return None


def _exposure(exif: Exif) -> Iterator[str]:
    if exif.exposure_time is not None:
        seconds = exif.exposure_time
        yield f"{seconds:g} s" if seconds >= 0.3 else f"1/{round(1 / seconds)} s"  # noqa: PLR2004 - as cameras say it
    if exif.f_number is not None:
        yield f"f/{exif.f_number:g}"
    if exif.iso is not None:
        yield f"ISO {exif.iso}"
    if exif.focal_length is not None:
        yield f"{exif.focal_length:g} mm"


def _place(exif: Exif) -> str | None:
    if exif.latitude is None or exif.longitude is None:
        return None
    north = f"{abs(exif.latitude):.5f}° {'N' if exif.latitude >= 0 else 'S'}"
    return f"{north}, {abs(exif.longitude):.5f}° {'E' if exif.longitude >= 0 else 'W'}"
