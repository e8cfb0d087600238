"""Pictures that are kept though something of them is missing."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # those that are there were refused unless they were whole
    whole: sa.Column[bool] = sa.Column(
        "is_complete", sa.Boolean(), nullable=False, server_default=sa.true()
    )
    op.add_column("pictures", whole)
