"""Settings that are wrong in themselves: reading them fails, and says which one it is."""

import os
from pathlib import Path
from unittest import mock

import pytest

from app.config import ConfigError, load_settings
from app.startup import explain

TOKEN = "a-service-token-for-tests"
KEY = "k" * 32
POSTGRES = "postgresql://somebody:a-secret-word@127.0.0.1"
PUBLISHED = "a-very-secret-key"
MAIL_FROM = "Holdall <holdall@example.org>"
S3 = {
    "ACTIVE_STORAGE": "s3",
    "S3_ACCESS_KEY_ID": "id",
    "S3_SECRET_ACCESS_KEY": "a-secret-word",
    "S3_BUCKET_NAME": "bucket",
}
WRONG: list[tuple[str, dict[str, str]]] = [
    ("PORT", {"PORT": "eight"}),
    ("PORT", {"PORT": "70000"}),
    ("PUBLIC_URL", {"PUBLIC_URL": "files.example.org"}),
    ("PUBLIC_URL", {"PUBLIC_URL": "https://example.org/?q=1"}),
    ("TRUSTED_PROXIES", {"TRUSTED_PROXIES": "10.0.0.0/8, proxy"}),
    ("CORS_ORIGINS", {"CORS_ORIGINS": "example.org"}),
    ("SHUTDOWN_GRACE", {"SHUTDOWN_GRACE": "-1"}),
    ("LOG_LEVEL", {"LOG_LEVEL": "loud"}),
    ("LOG_FORMAT", {"LOG_FORMAT": "xml"}),
    ("DATABASE_URL", {"DATABASE_URL": "mysql://somebody:a-secret-word@127.0.0.1/name"}),
    ("SIGNING_KEY", {"DATABASE_URL": f"{POSTGRES}/name"}),
    ("REDIS_URL", {"REDIS_URL": "http://:a-secret-word@127.0.0.1"}),
    ("ACTIVE_STORAGE", {"ACTIVE_STORAGE": "tape"}),
    ("S3_BUCKET_NAME", S3 | {"S3_BUCKET_NAME": ""}),
    ("S3_ACCESS_KEY_ID", S3 | {"S3_ACCESS_KEY_ID": ""}),
    ("S3_SECRET_ACCESS_KEY", S3 | {"S3_SECRET_ACCESS_KEY": ""}),
    ("DB_NAME", {"ACTIVE_STORAGE": "database", "DB_USER": "somebody", "SIGNING_KEY": KEY}),
    ("DB_USER", {"ACTIVE_STORAGE": "database", "DB_NAME": "name", "SIGNING_KEY": KEY}),
    ("DB_PORT", {"DB_PORT": "none"}),
    ("INLINE_MAX_BYTES", {"INLINE_MAX_BYTES": "-1"}),
    ("MAX_JSON_BLOB", {"MAX_JSON_BLOB": "1"}),
    ("SECRET_KEY", {"SECRET_KEY": "a-secret-word"}),
    ("SIGNING_KEY", {"SIGNING_KEY": "a-secret-word"}),
    ("SIGNING_KEY", {"SIGNING_KEY": TOKEN}),
    ("SECRET_KEY", {"SECRET_KEY": PUBLISHED, "PUBLIC_URL": "https://files.example.org"}),
    ("SECRET_KEY", {"SECRET_KEY": PUBLISHED, "TRUSTED_PROXIES": "10.0.0.1"}),
    ("ACCESS_TOKEN_LIFETIME", {"ACCESS_TOKEN_LIFETIME": "1"}),
    ("REGISTRATION", {"REGISTRATION": "perhaps"}),
    ("ADMIN_PASSWORD", {"ADMIN_USERNAME": "boss"}),
    ("ADMIN_USERNAME", {"ADMIN_PASSWORD": "a-secret-word"}),
    ("ADMIN_USERNAME", {"ADMIN_USERNAME": "a b", "ADMIN_PASSWORD": "a-secret-word"}),
    ("ADMIN_PASSWORD", {"ADMIN_USERNAME": "boss", "ADMIN_PASSWORD": "word"}),
    ("RATE_LIMITS", {"RATE_LIMITS": "some"}),
    ("DATABASE_URL", {"DATABASE_URL": f"{POSTGRES}:none/name", "SIGNING_KEY": KEY}),
    ("DATABASE_URL", {"DATABASE_URL": f"{POSTGRES}:70000/name", "SIGNING_KEY": KEY}),
    ("DATABASE_URL", {"DATABASE_URL": "sqlite+pysqlite:///holdall.db"}),
    ("DATABASE_URL", {"DATABASE_URL": "sqlite:///"}),
    ("DATABASE_URL", {"DATABASE_URL": "sqlite+aiosqlite:///:memory:"}),
    ("DATABASE_URL", {"DATABASE_URL": "holdall.db"}),
    ("MAIL_FROM", {"SMTP_URL": "smtp://me:a-secret-word@mail.example.org"}),
    ("SMTP_URL", {"MAIL_FROM": MAIL_FROM}),
    ("MAIL_FROM", {"SMTP_URL": "smtp://mail.example.org", "MAIL_FROM": "Holdall"}),
    ("MAIL_FROM", {"SMTP_URL": "smtp://mail.example.org", "MAIL_FROM": "Holdall <a b@c>"}),
    *(
        ("SMTP_URL", {"SMTP_URL": url, "MAIL_FROM": MAIL_FROM})
        for url in (
            "mail.example.org:25",
            "http://me:a-secret-word@mail.example.org",
            "smtp://me:a-secret-word@",
            "smtp://me:a-secret-word@mail.example.org:smtp",
            "smtp://me:a-secret-word@mail.example.org/inbox",
            "smtp://a-secret-word@mail.example.org",
            "smtp://mail.example.org?starttls=perhaps",
            "smtp://mail.example.org?tls=required",
            "smtps://mail.example.org?starttls=never",
        )
    ),
]


@pytest.mark.parametrize(("name", "settings"), WRONG)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, settings: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env is
    with (
        mock.patch.dict(os.environ, {"SECRET_KEY": TOKEN} | settings, clear=True),
        pytest.raises(ConfigError) as refused,
    ):
        load_settings()
    said = explain(refused.value)
    assert [line.partition(":")[0] for line in said.splitlines()[1:]] == [name]
    assert "a-secret-word" not in said


def test_with_the_rest_of_those_settings_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    right = {"SECRET_KEY": TOKEN, "SIGNING_KEY": KEY, "DATABASE_URL": f"{POSTGRES}/name"}
    with mock.patch.dict(os.environ, S3 | right, clear=True):
        assert load_settings().active_storage == "s3"
