"""The settings, by section.

The docstrings of the fields document them: `.env.example` is made of these.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr

from app.config.formats import (
    DatabaseUrl,
    Mailbox,
    Networks,
    OptionalNames,
    Origins,
    Password,
    PublicUrl,
    RedisUrl,
    SigningKeys,
    SmtpUrl,
    Workers,
)
from app.config.moving import Moving
from app.config.section import Section

MIB: Final = 1024 * 1024


class Service(Section):
    """The service itself."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: int = Field(8000, ge=0, le=65_535)
    """Port to listen on; 0 for any that is free."""
    workers: Workers | None = None
    """Processes that serve, or auto: as many as there are cores; unset: 1 with SQLite, auto with
    PostgreSQL."""
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
    database_pool: int | None = Field(None, ge=2, le=1000)
    """Connections to PostgreSQL that a worker has at most, with ACTIVE_STORAGE or
    PREVIOUS_STORAGE=database twice as many; unset: 10, or as many as the server allows all
    workers."""
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
    webhook_private_addresses: Literal["refuse", "allow"] = "refuse"
    """refuse or allow; allow: webhooks may lead into the service's own network, over http too, so
    whoever has an account reaches what answers there."""


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
    max_symbol_bytes: int = Field(4 * 1024 * MIB, ge=1)
    """Largest symbol file, and largest ZIP of them, inflated."""
    symbols_kept_unused: int | None = Field(None, ge=1, le=3650)
    """Days that symbols are kept which no report needs; unset: for ever."""
    events_kept: int = Field(365, ge=1, le=36_500)
    """Days that the log of events goes back."""
    symbol_cache_bytes: int = Field(2 * 1024 * MIB, ge=0)
    """Bytes of symbols that this host keeps at hand where objects are elsewhere."""


class Mail(Section):
    """How links for invitations and new passwords are sent; else administrators pass them on."""

    smtp_url: SmtpUrl | None = None
    """smtp://user:password@host:587 or smtps://…:465. smtp:// may end with ?starttls=auto (if the
    server can; without a user the default), required (with a user) or never."""
    mail_from: Mailbox | None = None
    """Sender, needed with SMTP_URL: Holdall <holdall@example.org>"""


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


SECTIONS: Final = (Service, Storage, Moving, Access, Retention, Mail, Backups)
