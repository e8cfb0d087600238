"""PostgreSQL databases that tests use one after the other: to make one takes longer than a test."""

import subprocess
from typing import Final

from tests.servers import POSTGRES_BIN, PostgresServer

_SHAPE: Final = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute),
(SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_trigger);
"""
_CLEAR: Final = """
SET client_min_messages = error;
SELECT FROM pg_stat_activity, pg_terminate_backend(pid, 10000)
WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica; -- references are not looked at, and no trigger runs
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
        WHERE schemaname = 'public'
    LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
END $$;
"""


class Databases:
    """Copies of the database ``template``, each lent to one test at a time."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._shape = server.execute(_SHAPE, server.dsn_of(template))
        self._rows = self._dump()

    def take(self) -> str:
        """Return the DSN of one that holds what the template does."""
        return self._free.pop() if self._free else self._server.create_database(self._template)

    def give_back(self, dsn: str) -> None:
        """Have another test use it, after all connections to it are ended."""
        if self._is_intact(dsn):
            self._server.execute(_CLEAR + self._rows, dsn)
            self._free.append(dsn)
        else:
            self._server.drop_database(dsn)

    def _is_intact(self, dsn: str) -> bool:
        """Tell whether a test has neither dropped it nor made tables of its own."""
        try:
            return self._server.execute(_SHAPE, dsn) == self._shape
        except subprocess.CalledProcessError:
            return False

    def _dump(self) -> str:
        """Return SQL that makes the template's rows, and sets its sequences."""
        command = [str(POSTGRES_BIN / "pg_dump"), "--data-only", "--inserts"]
        command.append(self._server.dsn_of(self._template))
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
