"""What lets a request in: sessions (logins) and API keys. Secrets are kept as hashes only."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table, Text

from app.models.base import identity, metadata, moment, public_id, reference

sessions = Table(
    "sessions",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    Column("door", String(16), nullable=False),  # the contract that opened it: v1, …
    Column("rotation", BigInteger, nullable=False),  # number of the refresh token in force
    moment("rotated_at"),
    moment("created_at"),
    moment("expires_at", index=True),
    Column("user_agent", Text, nullable=False),
    sqlite_autoincrement=True,
)

api_keys = Table(
    "api_keys",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    Column("name", String(255), nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    Column("hint", String(16), nullable=False),  # its first characters, to know it by
    moment("created_at"),
    moment("expires_at", nullable=True, index=True),
    sqlite_autoincrement=True,
)
