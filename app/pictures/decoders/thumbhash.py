"""Placeholders: what a picture looks like, nearly, in about 25 bytes.

That is ThumbHash, https://evanw.github.io/thumbhash/: the lowest frequencies of a picture's
brightness, its colours and its alpha, by a cosine transform, in 4 bits each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

LONGEST: Final = 32
"""Pixels of the longer edge that are enough: frequencies go up to 7."""

_MOST, _MOST_WITH_ALPHA = 7, 5  # frequencies of the brightness along the longer edge
_LEAST: Final = 3
_OF_COLOUR: Final = (3, 3)
_OF_ALPHA: Final = (5, 5)

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Channel:
    """The frequencies of one channel: the mean, and of the others what is in the hash."""

    mean: float
    others: Sequence[float]
    """From 0 to 1, which stand for -`scale` to `scale`."""
    scale: float


def thumbhash(image: Image.Image) -> bytes:
    """Return the ThumbHash of a small RGB or RGBA picture, of up to `LONGEST` pixels an edge."""
    width, height = image.size
    data = image.convert("RGBA").tobytes()
    pixels = [tuple(data[at : at + 4]) for at in range(0, len(data), 4)]
    alphas = [pixel[3] / 255 for pixel in pixels]
    weight = sum(alphas)
    means = [
        sum(pixel[i] * alpha for pixel, alpha in zip(pixels, alphas, strict=True)) / (255 * weight)
        if weight
        else 0.0
        for i in range(3)
    ]
    # what is see-through has the mean colour
    red, green, blue = (
        [
            mean * (1 - alpha) + alpha * pixel[i] / 255
            for pixel, alpha in zip(pixels, alphas, strict=True)
        ]
        for i, mean in enumerate(means)
    )
    colours = list(zip(red, green, blue, strict=True))
    has_alpha = weight < len(pixels)
    most = _MOST_WITH_ALPHA if has_alpha else _MOST
    across, down = (max(1, _round(most * edge / max(width, height))) for edge in image.size)

    def channel(values: list[float], frequencies: tuple[int, int]) -> _Channel:
        return _transformed(
            [values[at : at + width] for at in range(0, len(values), width)], frequencies
        )

    brightness = channel([sum(c) / 3 for c in colours], (max(_LEAST, across), max(_LEAST, down)))
    yellow = channel([(r + g) / 2 - b for r, g, b in colours], _OF_COLOUR)
    redness = channel([r - g for r, g, _ in colours], _OF_COLOUR)
    alpha = channel(alphas, _OF_ALPHA) if has_alpha else None

    is_wide = width > height
    header = (
        _round(63 * brightness.mean)
        | _round(31.5 + 31.5 * yellow.mean) << 6
        | _round(31.5 + 31.5 * redness.mean) << 12
        | _round(31 * brightness.scale) << 18
        | has_alpha << 23
        | (down if is_wide else across) << 24
        | _round(63 * yellow.scale) << 27
        | _round(63 * redness.scale) << 33
        | is_wide << 39
    )
    parts = header.to_bytes(5, "little")
    channels = [brightness, yellow, redness]
    if alpha is not None:
        parts += bytes([_round(15 * alpha.mean) | _round(15 * alpha.scale) << 4])
        channels.append(alpha)
    return parts + _packed([value for each in channels for value in each.others])


def _transformed(rows: Rows, frequencies: tuple[int, int]) -> _Channel:
    """Return those frequencies of a channel that lie below the diagonal, along its rows first."""
    across, down = frequencies
    waves = [_wave(len(rows[0]), x) for x in range(across)]
    by_row = [[_dot(row, wave) for row in rows] for wave in waves]
    found = [
        _dot(by_row[x], _wave(len(rows), y))
        for y in range(down)
        for x in range(across)
        if x * down < across * (down - y)
    ]
    mean, *others = found
    scale = max(map(abs, others))
    return _Channel(mean, [0.5 + value / scale / 2 if scale else 0.0 for value in others], scale)


def _wave(length: int, frequency: int) -> list[float]:
    return [math.cos(math.pi / length * frequency * (at + 0.5)) / length for at in range(length)]


def _dot(these: Sequence[float], those: Sequence[float]) -> float:
    return sum(this * that for this, that in zip(these, those, strict=True))


def _packed(values: Sequence[float]) -> bytes:
    halves = [_round(15 * value) for value in values]
    if len(halves) % 2:
        halves.append(0)
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))


def _round(value: float) -> int:
    return math.floor(value + 0.5)
