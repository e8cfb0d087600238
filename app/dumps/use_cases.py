"""Dumps: what an account, or an application with a public key, may do with them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from app import clock
from app.accounts.identity import Access
from app.config import Settings
from app.database.pagination import Page
from app.dumps import attachments, counts, groups, modules, rows, submissions
from app.dumps.crash_reports import CrashReport, Part
from app.dumps.entities import (
    KIND,
    Attachment,
    Counts,
    Dump,
    DumpDetails,
    DumpFile,
    Filters,
    Group,
    NewDump,
)
from app.dumps.flood import rows as flood_rows
from app.dumps.modules import Missing
from app.dumps.reports import task, text
from app.dumps.reports.task import Reports
from app.errors import NotFound
from app.objects.intake.memory import BodyMemoryLimit
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body, Describe, Uploads
from app.security.rate_limits import RateLimits

_MINIDUMP: Final = b"MDMP"


class Dumps:
    """Receives, replaces, lists, searches and deletes the dumps of an account."""

    def __init__(
        self,
        settings: Settings,
        uploads: Uploads,
        rate_limits: RateLimits,
        memory: BodyMemoryLimit,
        reports: Reports,
        *,
        wake_expiry: Callable[[int], None],
        wake_sweep: Callable[[], None],
    ) -> None:
        """``wake_expiry`` is told when a new dump expires, in microseconds."""
        self.reports = reports
        self._settings = settings
        self._uploads = uploads
        self._rate_limits = rate_limits
        self._memory = memory
        self._wake_expiry = wake_expiry
        self._wake_sweep = wake_sweep

    def admission(self) -> Admit:
        """Return what says whether a dump may be sent."""
        return rows.admit

    async def create(
        self, access: Access, name: str, body: Body, describe: Describe[NewDump]
    ) -> Dump:
        """Create a dump of a file; ``describe`` is awaited once the body has been received."""
        async with self._receive(access, name, body, rows.admit) as file:
            dump = await access.write(rows.create, await describe(), file, clock.now())
        if file.is_minidump:
            self.reports.wake()
        if dump.expires_at is not None:
            self._wake_expiry(dump.expires_at)
        return dump

    async def submit(self, access: Access, address: str, parts: AsyncIterator[Part]) -> str:
        """Create a dump of a crash report's form, sent from an address; returns its uuid.

        A public key has a rate, and a budget of bytes in each account: the oldest dumps that it
        submitted are evicted for new ones. A report that the account refuses is counted and not
        kept, and has a uuid all the same: uploaders would send it again. Raises `TooManyRequests`
        and `QuotaExceeded`.
        """
        settings = self._settings
        identity = await access.identity()  # a stranger's form isn't read
        await submissions.check_rate(
            self._rate_limits, identity, address, per_minute=settings.submissions_per_minute
        )
        try:
            uuid, evicted = await self._receive_report(access, parts)
        except _Refused as refused:
            return refused.uuid
        if evicted:
            self._wake_sweep()
        self.reports.wake()
        return uuid

    async def _receive_report(self, access: Access, parts: AsyncIterator[Part]) -> tuple[str, int]:
        """Create a dump of a form; returns its uuid, and how many dumps were evicted for it."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            receive = partial(self._uploads.receive, access, kind=KIND, admit=rows.admit)
            report = CrashReport(receive, stack, self._memory, max_bytes=settings.max_dump_bytes)
            async for part in parts:
                await report.add(part)
            new, minidump = report.new_dump(), report.minidump()
            refusal = await access.read(flood_rows.find_refusal, new.annotations)
            if refusal is not None:
                await access.write(flood_rows.count_refused, refusal, clock.now())
                raise _Refused(new.uuid)  # gives up what has been received
            return await access.write(
                attachments.submit,
                new,
                minidump,
                report.attachments,
                clock.now(),
                budget=settings.max_submitted_bytes,
            )

    async def change(
        self, access: Access, uuid: str, changes: Mapping[str, Any], conditions: Preconditions
    ) -> Dump:
        """Change a dump's label, description or archived flag, whichever are in ``changes``.

        Raises `NotFound` and `PreconditionFailed`.
        """
        return await access.write(rows.change, uuid, changes, conditions, clock.now())

    async def replace(
        self,
        access: Access,
        uuid: str,
        name: str,
        body: Body,
        describe: Describe[Mapping[str, Any]],
        conditions: Preconditions,
    ) -> Dump:
        """Replace a dump's file and make the changes that ``describe`` returns.

        That is awaited once the body has been received. Raises `NotFound` and `PreconditionFailed`.
        """
        admit = partial(rows.admit_replacement, uuid=uuid, conditions=conditions, now=clock.now())
        async with self._receive(access, name, body, admit) as file:
            changes = await describe()
            dump = await access.write(rows.change, uuid, changes, conditions, clock.now(), file)
        self._wake_sweep()
        if file.is_minidump:
            self.reports.wake()
        return dump

    async def remove(self, access: Access, uuid: str, conditions: Preconditions) -> Dump:
        """Delete a dump with its attachments and end its links; returns what it was.

        Raises `NotFound` and `PreconditionFailed`.
        """
        dump = await access.write(rows.remove, uuid, conditions, clock.now())
        self._wake_sweep()
        return dump

    async def find(self, access: Access, uuid: str) -> Dump:
        """Return a dump, ready to be read; raises `NotFound`."""
        return await access.read(rows.find, uuid, clock.now())

    async def find_numbered(self, access: Access, number: int) -> Dump:
        """Return a dump by its number, ready to be read; raises `NotFound`."""
        return await access.read(rows.find_numbered, number, clock.now())

    async def find_details(self, access: Access, uuid: str) -> DumpDetails:
        """Return a dump with its report and attachments; raises `NotFound`."""
        return await access.read(attachments.find_details, uuid, clock.now())

    async def report_text(self, access: Access, uuid: str) -> str:
        """Return a dump's report as text; raises `NotFound` if it has none, or not yet."""
        details = await self.find_details(access, uuid)
        if details.dump.report_state != "read":
            raise NotFound("The dump has no report")
        return text.text_of(details.report)

    async def read_again(self, access: Access, uuid: str) -> Dump:
        """Have a minidump read again, with the symbols that there are by now.

        Raises `NotFound`, and `InvalidRequest` for what is no minidump.
        """
        dump = await access.write(task.begin_again, uuid, clock.now())
        self.reports.wake()
        return dump

    async def missing_symbols(self, access: Access, limit: int) -> Sequence[Missing]:
        """Return the symbols that the newest dumps need most, and that the account has not."""
        return await access.read_long(modules.missing, limit)

    async def find_attachment(self, access: Access, uuid: str, attachment_uuid: str) -> Attachment:
        """Return an attachment of a dump, ready to be read; raises `NotFound`."""
        return await access.read(attachments.find, uuid, attachment_uuid, clock.now())

    async def page(
        self, access: Access, filters: Filters, limit: int, cursor: str | None
    ) -> Page[Dump]:
        """Return a page of dumps, newest first; one that takes too long to fill ends early."""
        return await access.read_long(rows.page, filters, limit, cursor, clock.now())

    async def labels(self, access: Access, limit: int, cursor: str | None) -> Page[Group]:
        """Return a page of the labels in use, in order."""
        return await access.read_long(groups.labels, limit, cursor, clock.now())

    async def label_names(self, access: Access, limit: int) -> Sequence[str]:
        """Return the first labels, without counts: that takes one look at an index for each."""
        return await access.read(groups.label_names, limit)

    async def counts(self, access: Access, filters: Filters, days: int) -> Counts:
        """Count the dumps of the last ``days`` days that pass the filters."""
        return await access.read_long(counts.count, filters, days, clock.now())

    @asynccontextmanager
    async def _receive(
        self, access: Access, name: str, body: Body, admit: Admit
    ) -> AsyncIterator[DumpFile]:
        start = _Start(body.chunks)
        body = replace(body, chunks=aiter(start))
        async with self._uploads.receive(
            access, body, kind=KIND, admit=admit, inline=False
        ) as received:
            yield DumpFile(name, start.is_minidump, received)


class _Refused(Exception):
    """A crash report isn't wanted; ``uuid`` is what its dump would have had."""

    def __init__(self, uuid: str) -> None:
        super().__init__(uuid)
        self.uuid = uuid


class _Start:
    """A body's chunks, passed on unchanged; remembers how they start."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._start = b""

    @property
    def is_minidump(self) -> bool:
        return self._start == _MINIDUMP

    async def __aiter__(self) -> AsyncIterator[bytes]:
        missing = len(_MINIDUMP)
        async for chunk in self._chunks:
            if missing:
                self._start += chunk[:missing]
                missing = len(_MINIDUMP) - len(self._start)
            yield chunk
