"""The Accept header: which media type a client prefers (RFC 9110 §12.5.1)."""

import re
from collections.abc import Iterator
from typing import Final

from starlette.requests import Request

_PREVIEWER: Final = re.compile(
    "discordbot|facebookexternalhit|linkedinbot|mastodon|pleroma|redditbot|skypeuripreview|slackbot"
    "|telegrambot|twitterbot|whatsapp",
    re.I,
)
"""Names of programs that show in a chat what a link leads to."""


def is_browser(request: Request) -> bool:
    """Tell whether a request prefers a page to data."""
    return "text/html" in request.headers.get("accept", "")


def is_previewer(request: Request) -> bool:
    """Tell whether a chat asks, which wants a page's ``og:`` tags, but takes anything."""
    return _PREVIEWER.search(request.headers.get("user-agent", "")) is not None


def wants_page(request: Request) -> bool:
    """Tell whether a page is to be answered, to a browser or to a chat."""
    return is_browser(request) or is_previewer(request)


def prefers(header: str | None, named: str, usual: str) -> bool:
    """Tell whether a client names a media type that isn't everybody's, and likes it as well.

    A range such as ``image/*`` names nothing, but counts for what the usual type is worth.
    """
    if not header or named not in header.lower():
        return False
    weights = dict(_weights(header))
    ranges = (usual, f"{usual.partition('/')[0]}/*", "*/*")
    worth = next((weights[found] for found in ranges if found in weights), 0.0)
    return weights.get(named, 0.0) > 0 and weights[named] >= worth


def accepts_gzip(request: Request) -> bool:
    """Tell whether a client takes an answer in gzip, as it says itself (RFC 9110 §12.5.3)."""
    weights = dict(_weights(request.headers.get("accept-encoding", "")))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weights(header: str) -> Iterator[tuple[str, float]]:
    for item in header.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            yield media_range, float(weight)
        except ValueError:
            continue  # no weight that could be compared
