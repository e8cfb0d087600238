"""Cursors: what a list gave it takes, all else is refused."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.pagination import decode_cursor, encode_cursor, page_of
from app.errors import InvalidCursor

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_comes_back(position: int) -> None:
    assert decode_cursor("list", encode_cursor("list", position), int) == position


@given(names)
def test_a_name_comes_back(position: str) -> None:
    assert decode_cursor("list", encode_cursor("list", position), str) == position


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_nonsense_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("list", cursor, int)


@pytest.mark.parametrize(
    "content",
    [
        ["other", 1],
        ["list", "1"],
        ["list", True],
        ["list", 1.0],
        ["list", 2**63],
        ["list", 1, 2],
        ["list"],
        {"list": 1},
        None,
        7,
    ],
)
def test_what_the_list_could_not_have_given_is_refused(content: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    with pytest.raises(InvalidCursor):
        decode_cursor("list", cursor, int)


@pytest.mark.parametrize("position", ["a\0b", "\ud800"])
def test_names_that_no_database_keeps_are_refused(position: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("list", encode_cursor("list", position), str)


def test_a_page_knows_whether_more_follow() -> None:
    assert page_of("list", [5, 4], 2, str, int).next_cursor is None
    page = page_of("list", [5, 4, 3], 2, str, int)
    assert page.items == ["5", "4"]
    assert decode_cursor("list", page.next_cursor, int) == 4
