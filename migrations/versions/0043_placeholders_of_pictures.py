"""Pictures have placeholders, and what cameras wrote; a task looks at those that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.add_column("pictures", sa.Column("thumbhash", sa.LargeBinary(length=32), nullable=True))
    op.add_column("pictures", sa.Column("exif", sa.Text(), nullable=True))
