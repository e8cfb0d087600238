"""The server that mail goes to, as `SMTP_URL` has it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS: Final = {"smtp": 587, "smtps": 465}  # of submission (RFC 6409, RFC 8314)
_STARTTLS: Final = {"auto": None, "required": True, "never": False}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, and how it is spoken to."""

    host: str
    port: int
    username: str | None
    password: str | None
    is_tls: bool
    """Whether the connection begins with TLS."""
    starttls: bool | None
    """Whether it must be encrypted by STARTTLS; None: if the server can do that."""


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse ``smtp://user:password@host:port?starttls=required`` or ``smtps://…``.

    A user's password is not sent unencrypted, unless ``starttls=never`` says so. Raises
    `ValueError`, whose text has nothing of the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must be smtp:// or smtps://, perhaps user:password@, and a host")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("names a host, and after it no path")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ValueError("its port is not a number from 1 to 65535") from None
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has a user and a password, or neither")
    options = parse_qs(parts.query, keep_blank_values=True)
    chosen = options.pop("starttls", ["auto" if parts.username is None else "required"])
    is_tls = parts.scheme == "smtps"
    if options or chosen[-1] not in _STARTTLS or (is_tls and parts.query):
        raise ValueError("may end with ?starttls=auto, required or never, if it is smtp://")
    return SmtpServer(
        host=parts.hostname,
        port=port,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        is_tls=is_tls,
        starttls=False if is_tls else _STARTTLS[chosen[-1]],
    )
