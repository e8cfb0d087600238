"""Events as sentences."""

import pytest

from app.events.entities import EventType, Subject
from app.events.words import sentence

FILE = Subject("file", "1", "notes.txt")
ADA = {"account": "2", "username": "ada"}


@pytest.mark.parametrize(
    ("type_", "subject", "facts", "actor", "address", "said"),
    [
        (EventType.FILE_RECEIVED, FILE, {"size": 2048}, ADA, "::1", "ada sent notes.txt (2.0 KiB)"),
        (
            EventType.FILE_RECEIVED,
            FILE,
            {"size": 0, "inbox": "Holidays"},
            {},
            "::1",
            "A visitor sent notes.txt (0 bytes) to Holidays",
        ),
        (
            EventType.BUNDLE_RECEIVED,
            Subject("bundle", "1", "Trip"),
            {"files": 1},
            ADA | {"key": "3", "key_name": "CI"},
            None,
            "The key CI sent Trip: 1 file",
        ),
        (
            EventType.LINK_USED_UP,
            Subject("link", "1", "notes.txt"),
            {"downloads": 3},
            {},
            "::1",
            "The link to notes.txt is used up after 3 downloads",
        ),
        (
            EventType.LINK_CREATED,
            Subject("inbox", "1", "Holidays"),
            {},
            ADA,
            None,
            "ada made the inbox Holidays",
        ),
        (
            EventType.LOGIN_FAILED,
            None,
            {},
            {},
            "::1",
            "Somebody tried to sign in with a wrong password",
        ),
        ("thing.turned_up", Subject("thing", "1", "{x}"), {}, {}, None, "thing turned up {x}"),
    ],
)
def test_sentences(
    type_: str,
    subject: Subject | None,
    facts: dict[str, object],
    actor: dict[str, str],
    address: str | None,
    said: str,
) -> None:
    assert sentence(type_, subject, facts, actor, address) == said


@pytest.mark.parametrize("type_", EventType)
def test_every_type_has_one(type_: EventType) -> None:
    said = sentence(type_, Subject("thing", "1", "its name"), {}, ADA, "::1")
    assert said[0].isupper() or said.startswith("ada") or type_ is EventType.LOGIN_LIMITED
    assert "_" not in said
