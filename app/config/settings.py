"""All settings, and what makes them right: a wrong one stops the start and names itself."""

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from pydantic import SecretStr, ValidationError, model_validator

from app.config.cores import usable_cores
from app.config.moving import FORMER, PREVIOUS, Moving
from app.config.sections import Access, Backups, Mail, Retention, Service, Storage

PUBLISHED: Final = frozenset(
    {"for-development-only-set-your-own-in-.env", "holdall-development", "a-very-secret-key"}
)
"""Keys and passwords that documents and example files show, of ours and of upstream services."""

_NEEDED_FOR_S3: Final = ("s3_access_key_id", "s3_secret_access_key", "s3_bucket_name")


class ConfigError(Exception):
    """Settings that the service can't start with: one line for each, naming it."""


# fields are collected from the last on
class Settings(Backups, Mail, Retention, Access, Moving, Storage, Service):
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
        if self.smtp_url:
            needed["mail_from"] = "SMTP_URL"
        if self.mail_from:
            needed["smtp_url"] = "MAIL_FROM"
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
    def worker_count(self) -> int:
        """How many processes serve."""
        return self.workers or (usable_cores() if self.uses_postgres else 1)

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
