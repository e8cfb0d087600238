"""The order of versions, and what uploaders say theirs is."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dumps.labels import version_of
from app.dumps.versions import MAX_VERSION, is_later, newest_first

ASCENDING = (
    "0.9", "1.0-alpha", "1.0-alpha.2", "1.0-beta", "1.0-rc0", "1.0-rc1", "1.0-rc2", "1.0-rc10",
    "1.0", "1.0.1", "1.0.9", "1.0.10", "1.1", "1.9", "1.10", "1.10.0.7", "1.11", "2.0b1", "2.0",
    "2.0.0.1", "2024.1", "2024.12", "20241231",
)  # fmt: skip
EQUAL = (
    ("1.0", "1", "1.0.0", "v1.0", "1.0+build.7", "1_0", "1-0", "V1.0"),
    ("1.0-rc1", "1.0.0-RC.1", "1-rc1", "1rc1", "1.0-rc1.0"),
)
VERSIONS = st.text("0123456789abrc.-+v ", max_size=12)


def test_versions_are_ordered_as_people_number_releases() -> None:
    for older, newer in itertools.combinations(ASCENDING, 2):
        assert is_later(newer, older), (newer, older)
        assert not is_later(older, newer), (older, newer)
    assert newest_first(ASCENDING) == [*reversed(ASCENDING)]


def test_the_same_version_may_be_written_in_many_ways() -> None:
    for same in EQUAL:
        for one, other in itertools.product(same, same):
            assert not is_later(one, other), (one, other)


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_any_texts_have_one_order(texts: list[str]) -> None:
    one, two, three = texts
    assert not (is_later(one, two) and is_later(two, one))
    if not is_later(two, one) and not is_later(three, two):
        assert not is_later(three, one)


@pytest.mark.parametrize(
    ("annotations", "version"),
    [
        ({"product": "Acme", "version": "1.4"}, "1.4"),
        ({"prod": "Acme", "ver": "1.4-rc1"}, "1.4-rc1"),
        ({"prod": "Electron", "ver": "31.0", "_productName": "App", "_version": "2.0"}, "2.0"),
        ({"ProductName": "Firefox", "Version": "128.0", "version": "1"}, "128.0"),
        ({"ver": "7"}, "7"),
        ({"sentry[release]": "acme@1.2.3"}, "1.2.3"),
        ({"sentry[release]": "1.2.3"}, "1.2.3"),
        ({"version": "1\n\u202e2" + "0" * 200}, "1 2" + "0" * (MAX_VERSION - 3)),
        ({"product": "Acme"}, None),
        ({}, None),
    ],
)
def test_a_dump_has_the_version_of_its_label(
    annotations: dict[str, str], version: str | None
) -> None:
    assert version_of(annotations) == version


def test_a_release_may_be_in_json() -> None:
    assert version_of({}, "acme@3.1") == "3.1"
