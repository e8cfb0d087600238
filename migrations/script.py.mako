"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

is_expansion = True  # programs of the release before can work with it, see docs/adr/0012

def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
