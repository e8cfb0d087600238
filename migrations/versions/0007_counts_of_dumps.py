"""Indexes that hold all that counting dumps by day and by signature needs."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_dumps_account_id_dumps_signature_dumps_id", "dumps")
    op.create_index(
        "ix_dumps_by_signature",
        "dumps",
        ["account_id", "signature", "id", "created_at", "expires_at"],
    )
    op.drop_index("ix_dumps_account_id_dumps_created_at", "dumps")
    op.create_index("ix_dumps_by_time", "dumps", ["account_id", "created_at", "expires_at"])
