"""Spans of a download: which bytes its responses have brought, however they were asked for."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Span = tuple[int, int]
"""The positions of its first byte, and after its last one."""

MAX_SPANS: Final = 256
"""More than these aren't kept: such a download is never seen to be complete."""


@dataclass(frozen=True, slots=True)
class Spans:
    """What responses of one download have brought, and the rests of those that broke off."""

    sent: tuple[Span, ...] = ()
    broken: tuple[Span, ...] = ()

    def after(self, asked: Span, sent: int) -> "Spans":
        """Return them after a response to ``asked``, of which ``sent`` bytes went out.

        What went out may be more than was seen: a client that goes on in the midst of the rest of a
        broken response has what comes before.
        """
        start, stop = asked
        begins = [first for first, last in self.broken if first <= start < last]
        brought = (min([start, *begins]), start + sent)
        broken = self.broken if start + sent >= stop else (*self.broken, (start + sent, stop))
        spans = Spans(_merged([*self.sent, brought]), broken)
        return self if len(spans.sent) + len(spans.broken) > MAX_SPANS else spans

    def is_all_of(self, size: int) -> bool:
        """Tell whether all bytes of a content of this size have been sent."""
        return size == 0 or self.sent == ((0, size),)


def to_json(spans: Spans) -> str:
    """Return spans as their row has them."""
    return json.dumps([spans.sent, spans.broken])


def from_json(text: str | None) -> Spans:
    """Return the spans that `to_json` has written; None: none yet."""
    if text is None:
        return Spans()
    sent, broken = ([(start, stop) for start, stop in spans] for spans in json.loads(text))
    return Spans(tuple(sent), tuple(broken))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif start < stop:
            merged.append((start, stop))
    return tuple(merged)
