"""Deletes from a database on a full disk: run as root of a user namespace, on a tmpfs of 20 MiB.

``python -m tests.app.database.full_disk FOLDER`` ends with status 0 when all is as it should be.
"""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from app.database.sqlite.database import SqliteDatabase

MIB = 1024 * 1024
ROWS = 500


def execute(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)


async def main(folder: Path) -> None:
    path = folder / "test.db"
    database = SqliteDatabase(path)
    await database.write(execute, "CREATE TABLE things (id INTEGER PRIMARY KEY, data BLOB)")
    for _ in range(ROWS):
        await database.write(execute, "INSERT INTO things (data) VALUES (randomblob(10000))")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    free = os.statvfs(folder)
    (folder / "others").write_bytes(bytes(free.f_bavail * free.f_frsize - MIB))
    for number in range(1, ROWS + 1):  # which write more than is left, by far
        await database.write(execute, f"DELETE FROM things WHERE id = {number}")
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
