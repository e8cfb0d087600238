"""Formats of settings: what a value must look like, and the form in which it is kept."""

import ipaddress
import re
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from app.config.cores import usable_cores
from app.config.smtp import parse_smtp_url

HEX: Final = "hex:"
"""What stands before a signing key as `DATA_DIR` has it: 64 hexadecimal digits, or more."""

MAX_WORKERS: Final = 256

_LAST_PORT: Final = 65_535


def split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value)
    return values


def origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parts = urlsplit(value)
        if value != "*" and (value != f"{parts.scheme}://{parts.netloc}" or not parts.netloc):
            raise ValueError(f"{value!r} is not an origin, which looks like https://example.org")
    return values


def public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be http:// or https://, a host, and at most a path")
    return value.rstrip("/")


def database_url(value: SecretStr) -> SecretStr:
    """Return the URL in one form for each database, however SQLAlchemy or libpq would have it."""
    scheme, _, rest = value.get_secret_value().partition("://")
    match scheme.lower():
        case "postgresql" | "postgres" | "postgresql+asyncpg":
            return SecretStr(_postgres_url(rest))
        case "sqlite" | "sqlite+aiosqlite":
            return SecretStr(_sqlite_url(rest))
    raise ValueError("must begin with postgresql:// or sqlite:///")


def _postgres_url(rest: str) -> str:
    hosts = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2]
    for host in hosts.split(","):
        port = host.rpartition("]")[2].partition(":")[2]  # an IPv6 address stands in brackets
        if port and not (port.isdecimal() and 0 < int(port) <= _LAST_PORT):
            raise ValueError("its port is not a number from 1 to 65535")
    address, _, query = rest.partition("?")
    query = re.sub("(^|&)ssl=", r"\1sslmode=", query)  # SQLAlchemy's name for libpq's parameter
    return f"postgresql://{address}" + (f"?{query}" if query else "")


def _sqlite_url(rest: str) -> str:
    path = rest.removeprefix("/")
    if path == rest or path in {"", ":memory:"} or "?" in path:
        raise ValueError("must name a file alone: sqlite:///holdall.db, sqlite:////srv/holdall.db")
    return f"sqlite:///{path}"


def redis_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0]
    if scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return value


def signing_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if (
        text.startswith(HEX)
        and re.fullmatch(r"([0-9a-fA-F]{2}){32,}", text.removeprefix(HEX)) is None
    ):
        raise ValueError(f"has not 64 hexadecimal digits, or more of them, after {HEX}")
    return value


def smtp_url(value: SecretStr) -> SecretStr:
    parse_smtp_url(value.get_secret_value())
    return value


def mailbox(value: str) -> str:
    """Return the sender of mail, a bare address or one in brackets behind a name."""
    name, address = parseaddr(value)
    try:
        Address(name, addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        address = ""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address, re.ASCII) or not value.isprintable():
        raise ValueError("must be an address: holdall@example.org or Holdall <holdall@example.org>")
    return value


def workers(value: object) -> object:
    if value == "auto":
        return usable_cores()
    if isinstance(value, str) and not (value.isdecimal() and 0 < int(value) <= MAX_WORKERS):
        raise ValueError(f"must be a number from 1 to {MAX_WORKERS}, or auto")
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
OptionalNames = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(split)]
Networks = Annotated[CommaSeparated, AfterValidator(networks)]
Origins = Annotated[CommaSeparated, AfterValidator(origins)]
PublicUrl = Annotated[str, AfterValidator(public_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(redis_url)]
SmtpUrl = Annotated[SecretStr, AfterValidator(smtp_url)]
Mailbox = Annotated[str, AfterValidator(mailbox)]
Workers = Annotated[int, BeforeValidator(workers)]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
SigningKeys = Annotated[
    tuple[Annotated[SecretStr, Field(min_length=32), AfterValidator(signing_key)], ...],
    NoDecode,
    BeforeValidator(split),
]
