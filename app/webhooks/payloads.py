"""What webhooks are sent of an event: no secrets, and no links that open what is private."""

import json
from collections.abc import Mapping
from typing import Any, Final

from app import clock
from app.events.entities import Subject
from app.events.words import sentence
from app.webhooks.entities import TEST, Message, PayloadFormat

_PAGES: Final[Mapping[str, str]] = {
    "dump": "/dumps/{id}",
    "signature": "/dumps/signatures/{id}",
    "inbox": "/inboxes/{id}",
    "picture": "/pictures",
    "file": "/file/load",
    "bundle": "/links",
    "link": "/links",
    "key": "/account/profile",
    "session": "/account/profile",
    "account": "/account/profile",
    "webhook": "/webhooks/{id}",
}
"""The pages of what events are about, by its kind."""

_MAX_TEXT: Final = 1000  # characters of a sentence


def body_of(message: Message, shape: PayloadFormat, public_url: str | None) -> bytes:
    """Return the body of a request."""
    url = _page_of(message.data["subject"], public_url)
    match shape:
        case PayloadFormat.SLACK:
            return _json({"text": _slack_text(sentence_of(message), url)})
        case PayloadFormat.STANDARD:
            happened = clock.to_datetime(message.created_at).isoformat().replace("+00:00", "Z")
            told = {"id": message.id, **message.data, "url": url}
            return _json({"type": message.type, "timestamp": happened, "data": told})


def sentence_of(message: Message) -> str:
    """Return what happened as a sentence without its full stop."""
    if message.type == TEST:
        return "This is a test: Holdall can tell you here what happens"
    data = message.data
    subject = None if data["subject"] is None else Subject(**data["subject"])
    actor = {name: value for name, value in data["actor"].items() if name != "address"}
    return sentence(message.type, subject, data["facts"], actor, data["actor"]["address"])


def _slack_text(said: str, url: str | None) -> str:
    """Return a sentence as Slack takes it; no name in it can mention anybody, or lead elsewhere."""
    text = "".join(c if c.isprintable() else " " for c in said)[:_MAX_TEXT]
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped if url is None else f"{escaped} <{url}|Open>"


def _page_of(subject: Mapping[str, Any] | None, public_url: str | None) -> str | None:
    """Return the URL of the page of what an event is about; None without a `PUBLIC_URL`."""
    if public_url is None:
        return None
    path = "/activity" if subject is None else _PAGES.get(subject["kind"], "/activity")
    return public_url + path.format(id=subject and subject["id"])


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
