"""Settings, from the environment and from `.env`. A wrong one stops the start and names itself."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024 * 1024
_LAST_PORT = 65_535


class ConfigError(Exception):
    """Settings that the service can't start with: one line for each, naming it."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value)
    return values


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parts = urlsplit(value)
        if value != "*" and (value != f"{parts.scheme}://{parts.netloc}" or not parts.netloc):
            raise ValueError(f"{value!r} is not an origin, which looks like https://example.org")
    return values


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be http:// or https://, a host, and at most a path")
    return value.rstrip("/")


def _database_url(value: SecretStr) -> SecretStr:
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


def _redis_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0]
    if scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]


class Settings(BaseSettings):
    """Every setting of the service; `.env.example` says what each is for."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    trusted_proxies: Annotated[CommaSeparated, AfterValidator(_networks)] = ()
    cors_origins: Annotated[CommaSeparated, AfterValidator(_origins)] = ()
    compat: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_split)] = None
    shutdown_grace: Annotated[int, Field(ge=0, le=3600)] = 30
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"

    data_dir: Path = Path("data")
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = None
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = None

    active_storage: Literal["local", "s3", "database"] = "local"
    local_storage_path: Path | None = None
    dumps_base_dir: Path | None = None
    disk_reserve: Annotated[int, Field(ge=0)] | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_bucket_name: str | None = None
    s3_region_name: str = "us-east-1"
    s3_endpoint_url: str | None = None
    db_user: str | None = None
    db_password: SecretStr | None = None
    db_host: str = "localhost"
    db_port: Annotated[int, Field(ge=1, le=65535)] = 5432
    db_name: str | None = None
    inline_max_bytes: Annotated[int, Field(ge=0, le=MIB)] = 16 * 1024
    max_json_blob: Annotated[int, Field(ge=1024, le=256 * MIB)] = 8 * MIB

    secret_key: Annotated[SecretStr, Field(min_length=16)] | None = None
    signing_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    access_token_lifetime: Annotated[int, Field(ge=60, le=86_400)] = 20 * 60
    refresh_token_lifetime: Annotated[int, Field(ge=300, le=31_536_000)] = 24 * 3600
    session_lifetime: Annotated[int, Field(ge=300, le=31_536_000)] = 14 * 24 * 3600
    registration: Literal["open", "closed"] | None = None
    default_tier: str = "Basic"
    admin_username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,64}$")] | None = None
    admin_password: Password | None = None
    metrics: Literal["open", "closed"] = "closed"
    rate_limits: Literal["on", "off"] = "on"

    expire_time: Annotated[int, Field(ge=1, le=31_536_000)] = 2 * 3600
    max_files: Annotated[int, Field(ge=1, le=100_000)] = 100
    max_pixels: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100_000_000
    decoders: Annotated[int, Field(ge=1, le=64)] = 2
    decoder_memory: Annotated[int, Field(ge=64 * MIB)] = 2048 * MIB
    min_link_time: Annotated[int, Field(ge=1)] = 300
    max_link_time: Annotated[int, Field(ge=1)] = 30_000
    submissions_per_minute: Annotated[int, Field(ge=1)] = 120
    max_submitted_bytes: Annotated[int, Field(ge=0)] = 10 * 1024 * MIB
    max_dump_bytes: Annotated[int, Field(ge=1)] = 2 * 1024 * MIB

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed: dict[str, str] = {}
        if self.active_storage == "s3":
            needed |= dict.fromkeys(
                ("s3_access_key_id", "s3_secret_access_key", "s3_bucket_name"), "ACTIVE_STORAGE=s3"
            )
        if self.active_storage == "database" and not self.is_postgres_url:
            needed |= dict.fromkeys(("db_user", "db_name"), "ACTIVE_STORAGE=database")
        if self.uses_postgres:
            needed["signing_key"] = "metadata in PostgreSQL, where every process must have the same"
        if self.admin_username:
            needed["admin_password"] = "ADMIN_USERNAME"  # noqa: S105
        if self.admin_password:
            needed["admin_username"] = "ADMIN_PASSWORD"
        if self.min_link_time > self.max_link_time:
            raise ValueError("MIN_LINK_TIME: must not be more than MAX_LINK_TIME")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(
                "\n".join(f"{n.upper()}: missing; needed for {needed[n]}" for n in missing)
            )
        if self.signing_key and self.secret_key and self.signing_key == self.secret_key:
            raise ValueError("SIGNING_KEY: must not be the same as SECRET_KEY, which clients know")
        return self

    @property
    def is_postgres_url(self) -> bool:
        url = self.database_url
        return url is not None and url.get_secret_value().startswith("postgres")

    @property
    def uses_postgres(self) -> bool:
        """Whether metadata lives in PostgreSQL: by `DATABASE_URL`, or by `DB_*` for storage."""
        if self.database_url is not None:
            return self.is_postgres_url
        return self.active_storage == "database"

    @property
    def postgres_dsn(self) -> str:
        """The PostgreSQL server as a URL, of `DATABASE_URL` or else of the `DB_*` settings."""
        if self.database_url is not None and self.is_postgres_url:
            return self.database_url.get_secret_value()
        user = quote(self.db_user or "", safe="")
        password = self.db_password.get_secret_value() if self.db_password else ""
        login = f"{user}:{quote(password, safe='')}" if password else user
        return f"postgresql://{login}@{self.db_host}:{self.db_port}/{quote(self.db_name or '')}"

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file, where metadata lives unless PostgreSQL is set."""
        if self.database_url is not None and not self.is_postgres_url:
            return Path(self.database_url.get_secret_value().removeprefix("sqlite:///"))
        return self.data_dir / "holdall.db"

    @property
    def objects_path(self) -> Path:
        return self.local_storage_path or self.data_dir / "objects"

    @property
    def is_private(self) -> bool:
        """Whether the service is bound to this host alone, with no word of anything in front."""
        hosts = [self.host]
        if self.public_url:
            hosts.append(urlsplit(self.public_url).hostname or "")
        return not self.trusted_proxies and all(_is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    """Tell whether a host name or address stands for this host alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; raises `ConfigError` with a line for each one that is wrong."""
    try:
        return Settings(**(overrides or {}))
    except ValidationError as error:
        raise ConfigError("\n".join(_complaints(error))) from None


def _complaints(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in problem["loc"][:1]).upper()
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return lines
