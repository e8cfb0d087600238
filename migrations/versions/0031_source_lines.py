"""Accounts say where the source lines of their crashes are."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.add_column("accounts", sa.Column("source_url", sa.Text(), nullable=True))
