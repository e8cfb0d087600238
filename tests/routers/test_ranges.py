"""Ranges and conditions by themselves, against a reading of RFC 9110 that shares no code."""

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app import clock
from app.errors import BadRequest, PreconditionFailed, RangeNotSatisfiable
from app.objects.preconditions import State
from routers.http import ranges
from storage.base import ByteRange

SHA256 = bytes(range(32))
OTHER = bytes(32)
TAG, OTHER_TAG = f'"{SHA256.hex()}"', f'"{OTHER.hex()}"'
MODIFIED = datetime(2024, 5, 6, 7, 8, 9, 999_999, tzinfo=UTC)
MODIFIED_AT = int(MODIFIED.timestamp()) * 1_000_000 + 999_999
DATE = "Mon, 06 May 2024 07:08:09 GMT"
BEFORE, AFTER = "Mon, 06 May 2024 07:08:08 GMT", "Mon, 06 May 2024 07:08:10 GMT"


def headers(*lines: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in lines])


def bytes_asked_for(header: str, content: range) -> range | str | None:
    """Say which positions a Range header means, by going through them all; None is the whole.

    A slow oracle: what RFC 9110 §14.1.2 says of every single byte.
    """
    match = re.fullmatch(r" *bytes *= *([0-9]*) *- *([0-9]*) *", header)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        wanted = [i for i in content if len(content) - i <= int(match[2])]
        if int(match[2]) > 0 and not content:
            return None
    else:
        if match[2] and int(match[2]) < int(match[1]):
            return None
        wanted = [i for i in content if i >= int(match[1]) and (not match[2] or i <= int(match[2]))]
    return range(wanted[0], wanted[-1] + 1) if wanted else "unsatisfiable"


numbers = st.integers(0, 40).map(str) | st.just("") | st.sampled_from(["007", "9" * 30, "0" * 25])


@given(numbers, numbers, st.integers(0, 30))
@example("0" * 24 + "5", "", 10)
@example("9" * 20, "1" + "0" * 20, 10)
@example("", "5", 0)
def test_one_range_means_the_bytes_it_names(first: str, last: str, size: int) -> None:
    header = f"bytes={first}-{last}"
    try:
        part = ranges.parse_range(header, size)
        got: range | str | None = None if part is None else range(part.start, part.stop)
    except RangeNotSatisfiable as error:
        told = error.headers["Content-Range"]
        got = "unsatisfiable" if told == f"bytes */{size}" else told
    assert got == bytes_asked_for(header, range(size))


@given(st.text(max_size=40) | st.from_regex(r"bytes=[0-9, -]{0,20}", fullmatch=True))
def test_no_range_header_breaks_the_parser(header: str) -> None:
    try:
        part = ranges.parse_range(header, 10)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start < part.stop <= 10


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "bytes=5-2", "items=0-1",
     "bytes=1--2", "bytes=+1-2", "bytes=1_0-", "bytes=\u0661-\u0662", "bytes 0-1",
     "bytes=" + "1" * 5000 + "-"],
)  # fmt: skip
def test_what_is_not_one_good_range_gets_the_whole(header: str | None) -> None:
    assert ranges.parse_range(header, 10) is None


def test_units_have_no_case_and_spaces_are_let_pass() -> None:
    assert ranges.parse_range(" BYTES = 1 - 2 ", 10) == ByteRange(1, 3)


READS = [
    # lines, what comes of them: 200, 304 or 412, in the order of RFC 9110 §13.2.2
    ([], 200),
    ([("If-Match", TAG)], 200),
    ([("If-Match", "*")], 200),
    ([("If-Match", '"*"')], 412),
    ([("If-Match", OTHER_TAG)], 412),
    ([("If-Match", f"W/{TAG}")], 412),
    ([("If-Match", f"{OTHER_TAG} ,{TAG}")], 200),
    ([("If-Match", OTHER_TAG), ("If-Match", TAG)], 200),
    ([("If-Match", "nonsense")], 412),
    ([("If-Match", f"junk{TAG}junk")], 412),
    ([("If-Match", f"{TAG}junk")], 412),
    ([("If-Match", f"junk, {TAG}")], 412),
    ([("If-Match", f"{TAG}{TAG}")], 412),
    ([("If-Match", f"{TAG}, *")], 412),
    ([("If-Match", f"w/{TAG}")], 412),
    ([("If-Match", f",, {TAG} ,\t,")], 200),
    ([("If-None-Match", f"junk{TAG}")], 200),
    ([("If-Match", TAG), ("If-Unmodified-Since", BEFORE)], 200),
    ([("If-Unmodified-Since", BEFORE)], 412),
    ([("If-Unmodified-Since", DATE)], 200),
    ([("If-Unmodified-Since", "yesterday")], 200),
    ([("If-None-Match", TAG)], 304),
    ([("If-None-Match", f"W/{TAG}")], 304),
    ([("If-None-Match", "*")], 304),
    ([("If-None-Match", OTHER_TAG)], 200),
    ([("If-None-Match", OTHER_TAG), ("If-None-Match", TAG)], 304),
    ([("If-None-Match", f'"", "a,b", {TAG}')], 304),
    ([("If-None-Match", OTHER_TAG), ("If-Modified-Since", AFTER)], 200),
    ([("If-Modified-Since", DATE)], 304),
    ([("If-Modified-Since", AFTER)], 304),
    ([("If-Modified-Since", BEFORE)], 200),
    ([("If-Modified-Since", "Monday, 06-May-24 07:08:09 GMT")], 304),
    ([("If-Modified-Since", "Mon May  6 07:08:09 2024")], 304),
    ([("If-Modified-Since", "2024-05-06T07:08:09Z")], 200),
    ([("If-Modified-Since", "Mon, 06 May 2024 07:08:09 +9999")], 200),
    ([("If-Match", OTHER_TAG), ("If-None-Match", TAG)], 412),
    ([("If-Match", TAG), ("If-None-Match", TAG)], 304),
]


@pytest.mark.parametrize(("lines", "status"), READS)
def test_conditions_of_a_read(lines: list[tuple[str, str]], status: int) -> None:
    try:
        got = 304 if ranges.is_unmodified(headers(*lines), SHA256, MODIFIED_AT) else 200
    except PreconditionFailed:
        got = 412
    assert got == status


WRITES = [
    # lines, whether a write over what is there goes on, whether one where nothing is does
    ([], True, True),
    ([("If-Match", TAG)], True, False),
    ([("If-Match", "*")], True, False),
    ([("If-Match", '"*"')], False, False),
    ([("If-Match", OTHER_TAG)], False, False),
    ([("If-Match", f"W/{TAG}")], False, False),
    ([("If-Match", OTHER_TAG), ("If-Match", TAG)], True, False),
    ([("If-Match", f"junk{TAG}junk")], False, False),
    ([("If-Match", f", {OTHER_TAG} ,{TAG},")], True, False),
    ([("If-None-Match", "*")], False, True),
    ([("If-None-Match", '"*"')], True, True),
    ([("If-None-Match", TAG)], False, True),
    ([("If-None-Match", f"W/{TAG}")], False, True),
    ([("If-None-Match", OTHER_TAG)], True, True),
    ([("If-Match", TAG), ("If-None-Match", TAG)], False, False),
    ([("If-Unmodified-Since", BEFORE)], False, True),
    ([("If-Unmodified-Since", DATE)], True, True),
    ([("If-Unmodified-Since", "yesterday")], True, True),
    ([("If-Match", TAG), ("If-Unmodified-Since", BEFORE)], True, False),
    ([("If-Modified-Since", AFTER)], True, True),
]


@pytest.mark.parametrize(("lines", "over", "new"), WRITES)
def test_conditions_of_a_write(lines: list[tuple[str, str]], over: bool, new: bool) -> None:
    conditions = ranges.write_preconditions(headers(*lines))
    for current, expected in ((State(SHA256.hex(), MODIFIED_AT), over), (None, new)):
        try:
            conditions.check(current)
            goes_on = True
        except PreconditionFailed:
            goes_on = False
        assert goes_on == expected


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["", "nonsense", SHA256.hex(), "'quoted'", '"open', "*, x"])
def test_a_write_under_a_condition_that_cannot_be_read_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        ranges.write_preconditions(headers((name, value)))


def test_a_write_unless_a_tag_among_junk_is_refused() -> None:
    with pytest.raises(BadRequest):
        ranges.write_preconditions(headers(("If-None-Match", f"junk{TAG}")))


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [(None, True), (TAG, True), (f" {TAG} ", True), (OTHER_TAG, False), (f"W/{TAG}", False),
     (f"{OTHER_TAG}, {TAG}", False), ("*", False), ("", False), (DATE, True), (BEFORE, False),
     (AFTER, False), ("yesterday", False)],
)  # fmt: skip
def test_if_range_wants_the_very_same_bytes(if_range: str | None, applies: bool) -> None:
    later = (MODIFIED_AT // clock.SECOND + 1) * clock.SECOND
    assert ranges.range_applies(if_range, SHA256, MODIFIED_AT, later) == applies


def test_a_date_counts_a_second_after_the_bytes_were_modified() -> None:
    """Within that second they may have been modified again."""
    second = (MODIFIED_AT // clock.SECOND) * clock.SECOND
    for after, applies in (
        (-1, False),
        (0, False),
        (clock.SECOND - 1, False),
        (clock.SECOND, True),
    ):
        now = second + after
        assert ranges.range_applies(DATE, SHA256, MODIFIED_AT, now) == applies
        assert ranges.range_applies(TAG, SHA256, MODIFIED_AT, now)


@given(st.text(alphabet=st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0")))
def test_no_header_breaks_the_conditions(text: str) -> None:
    names = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
    for name in names:
        with suppress(PreconditionFailed):
            ranges.is_unmodified(headers((name, text)), SHA256, MODIFIED_AT)
        with suppress(BadRequest):
            ranges.write_preconditions(headers((name, text)))
    ranges.range_applies(text, SHA256, MODIFIED_AT, MODIFIED_AT)


@given(st.integers(0, 253_402_300_799_999_999))
def test_dates_are_what_a_client_sends_back(moment: int) -> None:
    date = ranges.http_date(moment)
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert ranges.is_unmodified(headers(("If-Modified-Since", date)), SHA256, moment)
    assert ranges.range_applies(date, SHA256, moment, moment + clock.SECOND)


@pytest.mark.parametrize("field", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("date", [DATE, "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_dates_say_nothing_of_what_has_none(field: str, date: str) -> None:
    assert not ranges.is_unmodified(headers((field, date)), SHA256, None)
    assert not ranges.range_applies(date, SHA256, None, MODIFIED_AT + clock.MINUTE)
    assert ranges.range_applies(TAG, SHA256, None, MODIFIED_AT)
