"""Accounts may have a name that visitors of their links and inboxes see."""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.add_column("accounts", sa.Column("display_name", sa.String(80), nullable=True))
