"""Spans of a download: when all of its bytes have been brought."""

import pytest

from app.links.spans import MAX_SPANS, Span, Spans, from_json, to_json

SIZE = 100


@pytest.mark.parametrize(
    ("responses", "is_all"),
    [
        ([((0, 100), 100)], True),
        ([((0, 100), 99)], False),
        ([((0, 50), 50), ((50, 100), 50)], True),
        ([((50, 100), 50), ((0, 50), 50)], True),
        ([((75, 100), 25), ((25, 50), 25), ((0, 25), 25)], False),
        ([((0, 60), 60), ((40, 100), 60)], True),
        # what was sent before it broke off may be more than was seen
        ([((0, 100), 0), ((40, 100), 60)], True),
        ([((0, 100), 64), ((70, 100), 30)], True),
        ([((0, 100), 64), ((70, 100), 0), ((90, 100), 10)], True),
        # the end of one part says nothing of another that broke off
        ([((25, 50), 3), ((75, 100), 25), ((0, 25), 25), ((50, 75), 25)], False),
        ([((25, 50), 3), ((75, 100), 25), ((0, 25), 25), ((50, 75), 25), ((30, 50), 20)], True),
        ([((0, 100), 100), ((0, 100), 10)], True),
    ],
)
def test_all_bytes_have_been_brought(responses: list[tuple[Span, int]], is_all: bool) -> None:
    spans = Spans()
    for asked, sent in responses:
        spans = from_json(to_json(spans.after(asked, sent)))
    assert spans.is_all_of(SIZE) is is_all


def test_nothing_is_all_of_nothing() -> None:
    assert from_json(None).after((0, 0), 0).is_all_of(0)


def test_scattered_spans_are_not_kept_without_end() -> None:
    spans = Spans()
    for start in range(0, 4 * MAX_SPANS, 2):
        spans = spans.after((start, start + 1), 1)
    assert len(spans.sent) == MAX_SPANS
