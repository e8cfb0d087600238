"""When attempts are repeated."""

import pytest

from app import clock
from app.webhooks.entities import Attempt
from app.webhooks.schedule import next_attempt, parse_retry_after

HOUR = 3600
NOW = 1_795_715_338 * clock.SECOND


def failed(status: int | None = 500, retry_after: int | None = None) -> Attempt:
    return Attempt(NOW, 1, status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 5), (2, 300), (3, 1800), (4, 2 * HOUR), (5, 5 * HOUR), (9, 24 * HOUR), (10, None)],
)
def test_each_wait_is_longer_until_it_is_given_up(attempts: int, seconds: int | None) -> None:
    again_at = next_attempt(attempts, failed(), NOW)
    if seconds is None:
        assert again_at is None
    else:
        assert again_at is not None
        assert seconds <= (again_at - NOW) / clock.SECOND <= 1.1 * seconds


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [(429, 60, 60), (503, 60, 60), (500, 60, 5), (503, 1, 5), (429, 10**9, 24 * HOUR)],
)
def test_a_busy_receiver_says_when(status: int, retry_after: int, seconds: int) -> None:
    again_at = next_attempt(1, failed(status, retry_after), NOW)
    assert again_at is not None
    assert seconds <= (again_at - NOW) / clock.SECOND <= 1.1 * seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("9" * 400, 999_999_999),
        ("-1", None),
        ("soon", None),
        ("Thu, 26 Nov 2026 17:49:58 GMT", 60),
        ("Thu, 26 Nov 2020 17:48:58 GMT", 0),
        ("Thu, 26 Nov 2026 17:48:58", None),
    ],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
