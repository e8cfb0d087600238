"""The headers of the IETF draft on resumable uploads: what is taken for what, without a request."""

import pytest
from starlette.datastructures import Headers

from routers.http.resumable import draft
from routers.http.resumable.draft import Sent


def sent(*fields: tuple[str, str]) -> Sent | None:
    """Return what the fields of a request of version 8 say."""
    version = (b"upload-draft-interop-version", b"8")
    raw = [(f"upload-{name}".encode(), value.encode()) for name, value in fields]
    return draft.sent(Headers(raw=[version, *raw]))


@pytest.mark.parametrize(
    ("value", "is_complete"),
    [
        ("?1", True),
        ("?0", False),
        (" ?1 ", True),
        ("?1;q=1; reason=a", True),
        ("?2", None),
        ("1", None),
        ("true", None),
        ("", None),
        ("?1, ?1", None),
        ("?1 ?1", None),
    ],
)
def test_a_boolean_is_one_or_is_ignored(value: str, is_complete: bool | None) -> None:
    assert sent(("complete", value)) == Sent(8, is_complete, None, None)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("999999999999999", 999_999_999_999_999),
        ("5;a", 5),
        ("9999999999999999", None),
        ("-1", None),
        ("1.0", None),
        ("0x1", None),
        ("\u0663", None),
        ("five", None),
    ],
)
def test_a_number_is_one_or_is_ignored(value: str, number: int | None) -> None:
    assert sent(("offset", value), ("length", value)) == Sent(8, None, number, number)


def test_a_field_that_is_there_twice_is_ignored() -> None:
    assert sent(("length", "5"), ("length", "5")) == Sent(8, None, None, None)


@pytest.mark.parametrize("version", [None, "3", "5", "7", "9", "8, 8", "eight"])
def test_other_versions_are_not_spoken(version: str | None) -> None:
    fields = {} if version is None else {"Upload-Draft-Interop-Version": version}
    assert draft.sent(Headers(fields | {"Upload-Complete": "?1"})) is None


def test_limits_are_named_as_the_version_does() -> None:
    assert draft.limits(6, 60) == "min-size=0, expires=60"
    assert draft.limits(8, 60, 1000) == "min-size=0, max-size=1000, max-age=60"
