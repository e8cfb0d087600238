"""Schemas of events."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from app import clock
from app.activity.entities import Entry
from routers.v1.schemas.fields import Id
from routers.v1.schemas.lists import ListOf


class Actor(BaseModel):
    """Who did something; all null: a visitor or, without an address, the service itself."""

    account: str | None = Field(None, description="Id of an account.")
    username: str | None = Field(None, examples=["ada"])
    session: str | None = Field(None, description="Id of the session that it came by.")
    key: str | None = Field(None, description="Id of the API key that it came by.")
    key_name: str | None = Field(None, examples=["CI"])
    address: str | None = Field(
        description="The client's address; of several in one event that of the last.",
        examples=["203.0.113.7"],
    )


class EventSubject(BaseModel):
    """What an event is about."""

    kind: str = Field(examples=["file"])
    id: str = Field(examples=["0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"])
    name: str | None = Field(examples=["notes.txt"])


class Event(BaseModel):
    """Something that happened to an account."""

    id: Id
    type: str = Field(examples=["file.received"])
    account: Id
    username: str = Field(description="That of the account.", examples=["ada"])
    created_at: datetime
    last_at: datetime = Field(description="When the last of `count` came.")
    count: int = Field(description="How many are in this one: failures of an hour.", examples=[1])
    actor: Actor
    subject: EventSubject | None
    facts: dict[str, Any] = Field(
        description="More, by the type; a client ignores what it does not know.",
        examples=[{"size": 14}],
    )

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Make the body that answers for an entry of the log."""
        subject = entry.subject
        return cls(
            id=entry.uuid,
            type=entry.type,
            account=entry.account,
            username=entry.username,
            created_at=clock.to_datetime(entry.created_at),
            last_at=clock.to_datetime(entry.last_at),
            count=entry.count,
            actor=Actor(address=entry.address, **entry.actor),
            subject=None
            if subject is None
            else EventSubject(kind=subject.kind, id=subject.id, name=subject.name),
            facts={name: fact for name, fact in entry.facts.items() if fact is not None},
        )


class EventList(ListOf[Event]):
    """A page of events, newest first."""
