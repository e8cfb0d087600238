"""Files are found by their names."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_files_account_id_files_name_files_id"), "files", ["account_id", "name", "id"]
    )
