"""URLs that webhooks may have."""

from typing import Final
from urllib.parse import urlsplit

from app.webhooks.addresses import is_allowed, literal

_LOCAL: Final = ".localhost"


def fault_of(url: str, *, private: bool) -> str | None:
    """Return what is wrong with a URL, in words; None: nothing that shows before it is used.

    ``private`` allows private addresses, and plain HTTP with them.
    """
    if any(character <= " " or character == "\x7f" for character in url):
        return "must hold no spaces and no control characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    allowed = "http:// or https://" if private else "https://"
    faults = {
        f"must begin with {allowed}": f"{parts.scheme}://" not in allowed.split(),
        "must name a host": not host,
        "must hold no user name and no password": "@" in parts.netloc,
        "must hold no fragment (#…)": bool(parts.fragment),
        "must lead to a public address": not _may_be_asked(host, private=private),
    }
    return next((words for words, is_so in faults.items() if is_so), None)


def _may_be_asked(host: str, *, private: bool) -> bool:
    address = literal(host)
    if address is not None:
        return is_allowed(address, private=private)
    return private or not f".{host.rstrip('.')}".endswith(_LOCAL)
