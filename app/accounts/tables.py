"""Tables of accounts, and of what lets one in; secrets are stored as hashes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from app.database.schema import CodePoints, identity, metadata, moment, public_id, reference

tiers = Table(
    "tiers",
    metadata,
    identity(),
    public_id(),
    Column("name", String(64), nullable=False),
    Column("name_key", CodePoints, nullable=False, unique=True),  # the name without case
    Column("heights", Text, nullable=False),  # of thumbnails in px: "200,400"
    Column("allow_original", Boolean, nullable=False),
    Column("allow_links", Boolean, nullable=False),
    Column("max_object_bytes", BigInteger),  # NULL: no limit
    Column("max_total_bytes", BigInteger),
    Column("max_objects", BigInteger),
    # of public links, and the files that are sent with one
    Column("default_lifetime", BigInteger),  # seconds; NULL: EXPIRE_TIME
    Column("max_lifetime", BigInteger),  # NULL: no limit
    Column("default_downloads", BigInteger),  # NULL: no limit but the next
    Column("max_downloads", BigInteger),
    moment("created_at"),
    sqlite_autoincrement=True,
)

accounts = Table(
    "accounts",
    metadata,
    identity(),
    public_id(),
    Column("username", String(64), nullable=False),
    Column("username_key", CodePoints, nullable=False, unique=True),  # without case
    Column("email", String(320)),
    Column("email_key", CodePoints, unique=True),
    Column("password_hash", Text),  # NULL: nobody can log in
    reference("tier_id", "tiers", index=True),
    Column("is_admin", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    # charged when an object is reserved, given back when it is deleted
    Column("used_bytes", BigInteger, nullable=False),
    Column("used_objects", BigInteger, nullable=False),
    # of dumps that public keys submitted, see `dumps.submitted_bytes`
    Column("submitted_bytes", BigInteger, nullable=False, server_default="0"),
    Column("display_name", String(80)),  # that visitors see; NULL: none
    Column("source_url", Text),  # of source lines, with {file} and {line}
    moment("created_at"),
    moment("deleted_at", nullable=True, index=True),  # hidden since; a task removes all it has
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    Column("door", String(16), nullable=False),  # the client, a contract: v1, …
    Column("rotation", BigInteger, nullable=False),  # number of the current refresh token
    moment("rotated_at"),
    moment("created_at"),
    moment("expires_at", index=True),
    Column("user_agent", Text, nullable=False),
    # by the last request, to within minutes; NULL: not since this is noted
    moment("last_used_at", nullable=True),
    Column("last_address", String(64)),
    Column("last_user_agent", Text),
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
    Column("hint", String(16), nullable=False),  # its first characters, for its owner
    moment("created_at"),
    moment("expires_at", nullable=True, index=True),
    sqlite_autoincrement=True,
)

invitations = Table(
    "invitations",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),  # who invites
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    # of the account that it makes
    reference("tier_id", "tiers", index=True),
    Column("is_admin", Boolean, nullable=False),
    Column("email", String(320)),
    moment("created_at"),
    moment("expires_at", index=True),
    sqlite_autoincrement=True,
)

password_resets = Table(
    "password_resets",
    metadata,
    identity(),
    reference("account_id", "accounts", unique=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    Column("ends_second_factor", Boolean, nullable=False, server_default=false()),
    moment("created_at"),
    moment("expires_at", index=True),
    sqlite_autoincrement=True,
)

second_factors = Table(
    "second_factors",
    metadata,
    identity(),
    reference("account_id", "accounts", unique=True),
    Column("secret", LargeBinary, nullable=False),  # sealed by a signing key
    moment("enabled_at", nullable=True),  # NULL: no code has confirmed it yet
    Column("last_step", BigInteger, nullable=False),  # of the last code that was used
    moment("created_at"),
    sqlite_autoincrement=True,
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    identity(),
    reference("account_id", "accounts"),
    Column("hash", LargeBinary(32), nullable=False),  # SHA-256
    moment("created_at"),
    UniqueConstraint("account_id", "hash"),
    sqlite_autoincrement=True,
)
