"""Settings, from the environment and from `.env`. A wrong one stops the start and names itself.

The docstrings of the fields document the settings: `.env.example` is made of them.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator

from app.config.formats import (
    DatabaseUrl,
    Networks,
    OptionalNames,
    Origins,
    Password,
    PublicUrl,
    RedisUrl,
    SigningKeys,
)
from app.config.moving import FORMER, PREVIOUS, Moving
from app.config.section import Section

MIB: Final = 1024 * 1024

PUBLISHED: Final = frozenset(
    {"for-development-only-set-your-own-in-.env", "holdall-development", "a-very-secret-key"}
)
"""Keys and passwords that documents and example files show, of ours and of upstream services."""

_NEEDED_FOR_S3: Final = ("s3_access_key_id", "s3_secret_access_key", "s3_bucket_name")


class ConfigError(Exception):
    """Settings that the service can't start with: one line for each, naming it."""


class Service(Section):
    """The service itself."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: int = Field(8000, ge=0, le=65_535)
    """Port to listen on; 0 for any that is free."""
    public_url: PublicUrl | None = None
    """What links begin with, a path prefix included: https://files.example.org/holdall"""
    trusted_proxies: Networks = ()
    """Addresses or networks, comma-separated, whose X-Forwarded-* (else Forwarded) is believed."""
    interim_responses: Literal["direct", "always"] = "direct"
    """Who gets interim responses, which say where an upload of the IETF draft goes on: clients
    without a proxy (direct), or all (always), if proxies pass them on: nginx does not."""
    cors_origins: Origins = ()
    """Origins, comma-separated, whose pages may call the API; * for all."""
    compat: OptionalNames = None
    """Upstream contracts that are served, comma-separated, see docs/compat; unset: all; a lone
    comma: none."""
    shutdown_grace: int = Field(30, ge=0, le=3600)
    """Seconds that running requests get at a stop."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """debug, info, warning or error."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """json, text or auto: text on a terminal."""


class Storage(Section):
    """Where things are kept."""

    data_dir: Path = Path("data")
    """Folder of the embedded profile's state: database, objects, signing key."""
    database_url: DatabaseUrl | None = None
    """postgresql://user:password@host/name or sqlite:///file, also in SQLAlchemy's form; unset:
    SQLite in DATA_DIR."""
    redis_url: RedisUrl | None = None
    """redis://host:6379/0, for rate limits and live events across processes."""
    active_storage: Literal["local", "s3", "database"] = "local"
    """Where objects go: local, s3 or database (PostgreSQL)."""
    local_storage_path: Path | None = None
    """Folder of the objects; unset: objects/ in DATA_DIR."""
    disk_reserve: int | None = Field(None, ge=0)
    """Bytes of each local disk that uploads leave free; unset: 64 MiB, or an eighth of a disk below
    512 MiB; 0: none."""
    dumps_base_dir: Path | None = None
    """Folder of crash dumps; unset: they are with the other objects."""
    s3_access_key_id: str | None = None
    """Needed for ACTIVE_STORAGE=s3."""
    s3_secret_access_key: SecretStr | None = None
    """Needed for ACTIVE_STORAGE=s3."""
    s3_bucket_name: str | None = None
    """Needed for ACTIVE_STORAGE=s3; the bucket must exist."""
    s3_region_name: str = "us-east-1"
    """Region of the bucket."""
    s3_endpoint_url: str | None = None
    """URL of an S3 server other than Amazon's."""
    db_user: str | None = None
    """The DB_ names count only with ACTIVE_STORAGE=database; DATABASE_URL wins over them."""
    db_password: SecretStr | None = None
    """Password of DB_USER."""
    db_host: str = "localhost"
    """Host of the PostgreSQL server."""
    db_port: int = Field(5432, ge=1, le=65_535)
    """Port of the PostgreSQL server."""
    db_name: str | None = None
    """Name of the database."""
    inline_max_bytes: int = Field(16 * 1024, ge=0, le=MIB)
    """Objects up to this size live in the database itself."""
    max_json_blob: int = Field(8 * MIB, ge=1024, le=256 * MIB)
    """Largest blob, decoded, that travels as base64 in JSON."""


class Access(Section):
    """Who may do what."""

    secret_key: SecretStr | None = Field(None, min_length=16)
    """Bearer token of the built-in account `service`, 16 characters at least; unset: none."""
    signing_key: SigningKeys | None = None
    """Signs tokens, 32 characters at least; unset: made once in DATA_DIR (SQLite only).

    Several, comma-separated: the first signs, all verify.
    """
    access_token_lifetime: int = Field(20 * 60, ge=60, le=86_400)
    """Seconds that an access token is good for."""
    refresh_token_lifetime: int = Field(24 * 3600, ge=300, le=31_536_000)
    """Seconds that a refresh token is good for, and with it a session that isn't a browser's."""
    session_lifetime: int = Field(14 * 24 * 3600, ge=300, le=31_536_000)
    """Seconds that a browser stays signed in."""
    registration: Literal["open", "closed"] | None = None
    """open or closed; unset: closed, but where only this host is served, the first account may be
    made."""
    default_tier: str = "Basic"
    """Tier of new accounts."""
    admin_username: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{3,64}$")
    """Administrator who is made at the start unless there is an account of this name."""
    admin_password: Password | None = None
    """Password of ADMIN_USERNAME."""
    metrics: Literal["open", "closed"] = "closed"
    """open or closed; open: /metrics is for everybody who reaches the service."""
    rate_limits: Literal["on", "off"] = "on"
    """on or off; off is for trusted networks only."""


class Retention(Section):
    """What is kept, and how long."""

    expire_time: int = Field(2 * 3600, ge=1, le=31_536_000)
    """Seconds that files and the buffer live by default."""
    upload_lifetime: int = Field(24 * 3600, ge=60, le=31_536_000)
    """Seconds that an unfinished upload is kept after its last byte."""
    max_files: int = Field(100, ge=1, le=100_000)
    """Files that expire, an account; one more evicts the one that expires first."""
    max_pixels: int = Field(100_000_000, ge=1, le=1_000_000_000)
    """Largest picture, width times height."""
    decoders: int = Field(2, ge=1, le=64)
    """Processes that read pictures, at most."""
    decoder_memory: int = Field(2048 * MIB, ge=64 * MIB)
    """Bytes that each may take; MAX_PIXELS take 5 bytes a pixel, 8 in a HEIC, 16 in a WebP."""
    min_link_time: int = Field(300, ge=1)
    """Seconds that a timelink lives at least."""
    max_link_time: int = Field(30 * 86_400, ge=1)
    """Seconds that a timelink lives at most."""
    max_dump_bytes: int = Field(2 * 1024 * MIB, ge=1)
    """Largest crash submission, inflated, with its attachments."""
    submissions_per_minute: int = Field(120, ge=1)
    """Dumps that a key which only submits sends from an address."""
    max_submitted_bytes: int = Field(10 * 1024 * MIB, ge=0)
    """Bytes of such dumps that an account keeps; past it the oldest go that aren't archived."""


class Backups(Section):
    """Where backups go: `holdall backup s3://bucket/prefix`."""

    backup_s3_access_key_id: str | None = None
    """Key for the bucket of backups; unset: all four settings are those of S3_ above."""
    backup_s3_secret_access_key: SecretStr | None = None
    """Needed with BACKUP_S3_ACCESS_KEY_ID."""
    backup_s3_region_name: str = "us-east-1"
    """Region of that bucket."""
    backup_s3_endpoint_url: str | None = None
    """URL of an S3 server other than Amazon's."""


SECTIONS: Final = (Service, Storage, Moving, Access, Retention, Backups)


# fields are collected from the last on
class Settings(Backups, Retention, Access, Moving, Storage, Service):
    """Every setting of the service."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = self._needed_for_objects()
        if self.uses_postgres:
            needed["signing_key"] = "metadata in PostgreSQL, where every process must have the same"
        if self.backup_s3_access_key_id:
            needed["backup_s3_secret_access_key"] = "BACKUP_S3_ACCESS_KEY_ID"  # noqa: S105
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
        if self.previous is not None and self.previous.place == self.place:
            raise ValueError("PREVIOUS_STORAGE: this is where ACTIVE_STORAGE is")
        if self.secret_key in (self.signing_key or ()):
            raise ValueError("SIGNING_KEY: must not be the same as SECRET_KEY, which clients know")
        return self

    def _needed_for_objects(self) -> dict[str, str]:
        """Return the settings that the stores need, and what for."""
        needed: dict[str, str] = {}
        for prefix, setting in (("", "active_storage"), (PREVIOUS, "previous_storage")):
            reason = f"{setting.upper()}={getattr(self, setting)}"
            match getattr(self, setting):
                case "s3":
                    needed |= dict.fromkeys((f"{prefix}{n}" for n in _NEEDED_FOR_S3), reason)
                case "database" if not self.is_postgres_url:
                    needed |= dict.fromkeys(("db_user", "db_name"), reason)
        if self.previous_storage == "database":
            # DB_ names alone would no longer count, and the metadata be elsewhere
            needed["database_url"] = "PREVIOUS_STORAGE=database"
        return needed

    @model_validator(mode="after")
    def _own_secrets(self) -> Self:
        if self._is_local:
            return self
        wrong = [
            f"{name.upper()}: this one is published; set your own, as others reach the service"
            for name, secret in self.secrets()
            if secret in PUBLISHED
        ]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Yield each setting that is a secret, or several, with its value."""
        for name, value in self:
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, SecretStr):
                    yield name, part.get_secret_value()

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
    def place(self) -> tuple[str | None, ...]:
        """Where the objects are."""
        match self.active_storage:
            case "local":
                return ("local", str(self.objects_path.resolve()))
            case "s3":
                return ("s3", self.s3_endpoint_url, self.s3_bucket_name)
            case "database":
                return ("database", self.postgres_dsn)

    @property
    def previous(self) -> Self | None:
        """The settings as they were for the previous store; None: objects don't move."""
        if self.previous_storage is None:
            return None
        former = {name: getattr(self, f"{PREVIOUS}{name}") for name in FORMER}
        changes = {"active_storage": self.previous_storage, "previous_storage": None, **former}
        changes["disk_reserve"] = 0  # it may be its being full that is the reason to move
        return self.model_copy(update=changes)

    @property
    def is_private(self) -> bool:
        """Whether the service is bound to this host alone, with no word of anything in front."""
        return self._is_local and _is_loopback(self.host)

    @property
    def _is_local(self) -> bool:
        """Whether no setting but `HOST`, which is any in a container, says that others come."""
        host = urlsplit(self.public_url).hostname if self.public_url else None
        return not self.trusted_proxies and (host is None or _is_loopback(host))


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
