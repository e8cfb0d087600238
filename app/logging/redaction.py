"""Redaction of secrets in log lines."""

import json
import re
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from app.config import Settings
from app.config.formats import HEX

# API keys, keys of uploads, refresh tokens, passwords in URLs, keys and tokens in queries, headers,
# public and one-time links, JWTs. Strangers influence lines too, so nothing backtracks: the time is
# linear in the length. What begins like a JWT is matched whole, though it may prove to be none, and
# so is tried last.
_SECRETS: Final = re.compile(
    r"hk_[A-Za-z0-9]++|hu_[\w-]{16,}+|hr_[0-9a-f-]{36}\.\d++\.[\w-]++"
    r"|(?<=://)[^/\s@:\"\\]*+:[^/\s@\"\\]++(?=@)"
    r"|(?<=[?&]key=)[^&\s\"'\\]++|(?<=[?&]token=)[^&\s\"'\\]++"
    r"|(?<=[?&]password=)[^&\s\"'\\]++"
    r"|(?<=[Bb]earer )[^\s\"'\\]++|(?<=[Bb]asic )[^\s\"'\\]++"
    r"|(?P<path>/(?:t|welcome)/++(?=[\w-]{16})|/timelink/++(?=[0-9a-fA-F-]{32}))[\w-]++"
    r"|(?P<start>eyJ[\w-]*+)(?P<rest>\.[\w-]++\.[\w-]++)?+"
)
_API_KEY: Final = re.compile(r"hk_[A-Za-z0-9]++")
_REDACTED: Final = "[redacted]"
# searching for these is far faster, and most lines have none
_MARKS: Final = (
    "hk_", "hu_", "hr_", "eyJ", "://", "key=", "token=", "word=", "earer ", "asic ", "/t/",
    "/timel", "/welc",
)  # fmt: skip
_SHORTEST: Final = 4  # a shorter password would redact half of every line


class Redaction:
    """Redacts secrets that can be recognised by their form, and those of the settings by value."""

    def __init__(self, values: frozenset[str] = frozenset()) -> None:
        """``values`` are redacted in every encoding that a line may have them in."""
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        self._values = tuple(sorted(forms, key=len, reverse=True))

    @classmethod
    def of(cls, settings: Settings) -> "Redaction":
        """Make a redaction of these settings' secrets."""
        values = {
            _password_in(text) if "://" in text else text.removeprefix(HEX)
            for _, text in settings.secrets()
        }
        return cls(frozenset(values))

    def __call__(self, text: str) -> str:
        """Return the text without its secrets."""
        for value in self._values:
            if value in text:
                text = text.replace(value, _REDACTED)
        for mark in _MARKS:
            if mark in text:
                return _SECRETS.sub(_redacted, text)
        return text


def _redacted(match: re.Match[str]) -> str:
    if match["start"] is not None and match["rest"] is None:
        return _API_KEY.sub(_REDACTED, match[0])
    return f"{match['path'] or ''}{_REDACTED}"


def _password_in(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def _forms(value: str) -> set[str]:
    plain = {value, quote(value), quote(value, safe=""), quote_plus(value)}
    escaped = {
        json.dumps(form, ensure_ascii=only)[1:-1] for form in plain for only in (True, False)
    }
    return plain | escaped | {repr(value)[1:-1]}
