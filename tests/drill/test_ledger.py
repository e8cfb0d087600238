"""What the drill takes for lost or damaged, and what it must not."""

import pytest

from drill.ledger import ABSENT, Ledger, Thing


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def write(thing: Thing, state: str, *, acknowledged: bool) -> None:
    thing.begin(state)
    if acknowledged:
        thing.acknowledge(state)


def test_what_was_acknowledged_is_what_must_be_found(ledger: Ledger) -> None:
    thing = ledger.thing("ada", "/v1/blobs/one/content")
    write(thing, "old", acknowledged=True)
    write(thing, "new", acknowledged=True)
    ledger.judge(thing, "new")
    assert not ledger.lost | ledger.damaged
    ledger.judge(thing, "old")
    assert ledger.damaged == {"ada: /v1/blobs/one/content"}
    ledger.judge(thing, ABSENT)
    assert ledger.lost == {"ada: /v1/blobs/one/content"}


def test_a_write_that_failed_may_have_happened_and_may_still(ledger: Ledger) -> None:
    thing = ledger.thing("ada", "/v1/buffer")
    write(thing, "first", acknowledged=True)
    write(thing, "second", acknowledged=False)
    write(thing, "third", acknowledged=True)
    for state in ("second", "third"):
        ledger.judge(thing, state)
    assert not ledger.lost | ledger.damaged
    ledger.judge(thing, "first")
    assert ledger.damaged


def test_what_was_deleted_must_not_be_found(ledger: Ledger) -> None:
    thing = ledger.thing("ada", "/v1/blobs/one/content")
    write(thing, "bytes", acknowledged=True)
    write(thing, ABSENT, acknowledged=True)
    ledger.judge(thing, ABSENT)
    assert not ledger.lost | ledger.damaged
    ledger.judge(thing, "bytes")
    assert ledger.damaged


def test_what_nobody_acknowledged_may_be_missing(ledger: Ledger) -> None:
    thing = ledger.thing("ada", "/v1/blobs/one/content")
    write(thing, "bytes", acknowledged=False)
    for state in ("bytes", ABSENT):
        ledger.judge(thing, state)
    assert not ledger.lost | ledger.damaged
