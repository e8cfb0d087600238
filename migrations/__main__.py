"""Write a new migration: ``python -m migrations "what it does"``.

Compares the models with a scratch database that has every migration so far.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from app.database.migrate import alembic_config, migrate_sqlite
from app.database.sqlite.connections import create_sqlite_engine


def main(message: str) -> None:
    existing = sorted(Path(__file__).parent.glob("versions/[0-9]*.py"))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch.db"
        migrate_sqlite(scratch)
        with create_sqlite_engine(scratch).connect() as connection:
            config = alembic_config(connection)
            command.revision(config, message, autogenerate=True, rev_id=f"{len(existing) + 1:04}")


if __name__ == "__main__":
    main(sys.argv[1])
