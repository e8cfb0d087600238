"""What cameras write into pictures (EXIF 2.32, CIPA DC-008): which, how, when and where."""

import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

T = TypeVar("T")

DETAILS: Final = 0x8769
PLACE: Final = 0x8825
"""The tags that lead to further ones: of the exposure, and of the place."""

_LONGEST: Final = 100  # characters of a text
_MAKER, _MODEL = 0x010F, 0x0110
_EXPOSURE_TIME, _F_NUMBER, _ISO = 0x829A, 0x829D, 0x8827
_TAKEN_AT, _OFFSET = 0x9003, 0x9011
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_LENS = 0xA434
_MOMENT: Final = "0000:00:00 00:00:00"


@dataclass(frozen=True, slots=True)
class Exif:
    """How a picture was taken; None: its file doesn't say that, or says nonsense."""

    camera: str | None = None
    lens: str | None = None
    taken_at: str | None = None
    """RFC 3339, in local time, without an offset where the camera knew none."""
    exposure_time: float | None = None
    """Seconds."""
    f_number: float | None = None
    iso: int | None = None
    focal_length: float | None = None
    """Millimetres, of a lens before 35 mm film where that is said."""
    latitude: float | None = None
    """Degrees north."""
    longitude: float | None = None
    """Degrees east."""

    def to_json(self) -> str:
        """Return it as it is kept, without what isn't known."""
        return json.dumps(
            {name: value for name, value in asdict(self).items() if value is not None}
        )


def from_json(text: str | None) -> Exif:
    """Return what has been kept; a newer release may have kept more."""
    found = json.loads(text) if text else {}
    return Exif(**{name: found[name] for name in Exif.__slots__ if name in found})


def read(tags: Mapping[int, Any], details: Mapping[int, Any], place: Mapping[int, Any]) -> Exif:
    """Read EXIF tags, of which any may be absent or wrong."""
    latitude, longitude = _degrees(place, 1, "NS", 90), _degrees(place, 3, "EW", 180)
    is_placed = latitude is not None and longitude is not None
    length = _number(details, _FOCAL_LENGTH_35MM) or _number(details, _FOCAL_LENGTH)
    iso = _number(details, _ISO)
    return Exif(
        camera=_camera(_text(tags, _MAKER), _text(tags, _MODEL)),
        lens=_text(details, _LENS),
        taken_at=_moment(_text(details, _TAKEN_AT), _text(details, _OFFSET)),
        exposure_time=_number(details, _EXPOSURE_TIME),
        f_number=_number(details, _F_NUMBER),
        iso=None if iso is None else int(iso),
        focal_length=length,
        latitude=latitude if is_placed else None,
        longitude=longitude if is_placed else None,
    )


def _camera(maker: str | None, model: str | None) -> str | None:
    """Return the name of a camera; some models begin with their maker."""
    if maker is None or model is None:
        return model or maker
    return model if model.lower().startswith(maker.split()[0].lower()) else f"{maker} {model}"


def _text(tags: Mapping[int, Any], tag: int) -> str | None:
    value = _given(tags, tag, str)
    if value is None:
        return None
    plain = "".join(c for c in value if unicodedata.category(c)[0] != "C")
    return plain.strip()[:_LONGEST] or None


def _number(tags: Mapping[int, Any], tag: int) -> float | None:
    """Return a number above zero."""
    value = _given(tags, tag, _first)
    return round(value, 6) if value is not None and 0 < value < math.inf else None


def _first(value: Any) -> float:  # noqa: ANN401 - what a file holds
    return float(value[0] if isinstance(value, tuple) else value)


def _moment(text: str | None, offset: str | None) -> str | None:
    if text is None or len(text) != len(_MOMENT) or not text.startswith(("1", "2")):
        return None
    if any(c.isdigit() != m.isdigit() for c, m in zip(text, _MOMENT, strict=True)):
        return None
    day, _, time = text.partition(" ")
    is_offset = offset is not None and len(offset) == len("+00:00") and offset[0] in "+-"
    return f"{day.replace(':', '-')}T{time}{offset if is_offset else ''}"


def _degrees(place: Mapping[int, Any], tag: int, sides: str, most: int) -> float | None:
    """Return degrees, which are kept as a side of the earth, degrees, minutes and seconds."""
    side = _text(place, tag)
    parts = _given(place, tag + 1, lambda value: [float(part) for part in value])
    if side is None or side not in sides or not parts or len(parts) > len("dms"):
        return None
    degrees: float = sum(part / 60**at for at, part in enumerate(parts))
    if not 0 <= degrees <= most:  # NaN, too
        return None
    return round(degrees if side == sides[0] else -degrees, 6)


def _given(tags: Mapping[int, Any], tag: int, convert: Callable[[Any], T]) -> T | None:
    try:
        return convert(tags[tag])
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
        return None
