"""Links give pictures without what cameras wrote into them, unless their owner wants it."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.add_column(
        "timelinks",
        sa.Column("originals", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("pictures", sa.Column("bare", sa.Text(), nullable=True))
    op.drop_index("ix_pictures_to_be_seen", table_name="pictures")
