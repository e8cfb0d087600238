"""Groups of jobs: writes that share a commit, and reads that share a snapshot."""

import sqlite3
from contextlib import suppress

from sqlalchemy import Connection

from app.database.jobs import Job, fail, in_time
from app.database.sqlite.connections import raw_of
from app.database.sqlite.errors import FAILURES, code, original


def _commit(connection: Connection, group: list[Job]) -> None:
    """Run a group in one transaction; one by one if that is lost."""
    try:
        raw_of(connection).execute("BEGIN IMMEDIATE")
    except FAILURES as error:
        fail(group, error)
        return
    try:
        if not _run_bare(connection, group):
            _run_guarded(connection, group)
        raw_of(connection).execute("COMMIT")
    except FAILURES as error:
        _roll_back(raw_of(connection))
        if len(group) > 1:
            for job in in_time(group):
                _commit(connection, [job])
        else:
            fail(group, error)


def commit(connection: Connection, group: list[Job]) -> None:
    """Commit a group; jobs that found the disk full are tried again once the log has been emptied.

    All pages of the log may have their places in the file already, and then a delete needs no more.
    """
    _commit(connection, group)
    full = [job for job in group if code(original(job.error)) == sqlite3.SQLITE_FULL]
    if full:
        with suppress(*FAILURES):  # no room for the log's pages either
            raw_of(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _commit(connection, in_time(full))


def _run_bare(connection: Connection, group: list[Job]) -> bool:
    """Run the jobs without savepoints; returns whether none failed, else nothing is done."""
    for job in group:
        job.attempt(connection)
        if job.error is not None:
            raw = raw_of(connection)
            raw.execute("ROLLBACK")  # fails where a full disk has ended the transaction
            raw.execute("BEGIN IMMEDIATE")
            return False
    return True


def _run_guarded(connection: Connection, group: list[Job]) -> None:
    """Run the jobs, each in a savepoint."""
    raw = raw_of(connection)
    for job in group:
        raw.execute("SAVEPOINT job")
        job.attempt(connection)
        # a full disk ends the whole transaction: then both of these fail, and with them all
        if job.error is not None:
            raw.execute("ROLLBACK TO job")
        raw.execute("RELEASE job")


def read(connection: Connection, group: list[Job]) -> None:
    """Run jobs on one snapshot of the database, taken after all of them arrived."""
    raw = raw_of(connection)
    try:
        raw.execute("BEGIN")
        for job in group:
            job.attempt(connection)
    finally:
        _roll_back(raw)


def _roll_back(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        with suppress(*FAILURES):  # nothing was acknowledged; the first error is reported
            raw.execute("ROLLBACK")
