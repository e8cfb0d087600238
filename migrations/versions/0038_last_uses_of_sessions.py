"""Sessions say when and from where they were last used."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.add_column("sessions", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.add_column("sessions", sa.Column("last_address", sa.String(length=64), nullable=True))
    op.add_column("sessions", sa.Column("last_user_agent", sa.Text(), nullable=True))
