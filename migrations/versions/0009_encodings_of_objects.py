"""Objects keep the content coding that their bytes came in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("objects", sa.Column("encoding", sa.String(length=255)))
