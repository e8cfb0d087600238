"""Uploads against a plain model: whatever is done in whatever order, they hold what it would."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.identity import Access, Identity
from app.accounts.tables import accounts
from app.config import Settings
from app.errors import (
    DigestMismatch,
    Gone,
    LengthMismatch,
    NotFound,
    OffsetMismatch,
    ProblemError,
    UploadComplete,
)
from app.objects import segments
from app.objects.digests import NONE, SHA256, Digests
from app.objects.intake import merging
from app.objects.preconditions import Preconditions
from app.objects.tables import object_segments, objects
from app.objects.uploads import Body
from app.runtime import Runtime, open_runtime
from app.security.credentials import ServiceToken
from app.tasks.reconcile import Comparison
from app.uploads import rows
from app.uploads.entities import Kind, NewUpload, Piece
from app.uploads.tables import uploads
from storage.base import new_key

pytestmark = pytest.mark.anyio

T = TypeVar("T")

SIZES = st.sampled_from([0, 1, 5, 99, 100, 101, 250])
SEGMENT = 100


@dataclass
class Model:
    """What an upload is to be."""

    uuid: str
    name: str
    length: int | None
    data: bytes = b""
    state: str = "unfinished"  # finished, cancelled, expired


class UploadMachine(RuleBasedStateMachine):
    """Does anything to uploads of blobs, and to a model of them.

    Hypothesis is synchronous: its thread hands each step to the event loop of the test.
    """

    models: Bundle[Model] = Bundle("models")

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._runtime = runtime
        self._loop = loop
        self._made = 0
        self._all: list[Model] = []
        self._blobs: dict[str, bytes] = {}
        self._access = Access(runtime.parts.database, ServiceToken(), None)

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(120)

    def _bytes(self, size: int) -> bytes:
        self._made += 1
        return bytes((self._made * 7 + n * 13) % 251 for n in range(size))

    @rule(target=models, length=st.none() | SIZES, name=st.sampled_from("ab"))
    def create(self, length: int | None, name: str) -> Model:
        fields = {"name": name, "content_type": "text/plain"}
        new = NewUpload(Kind.BLOB, fields, length)
        self._do(self._runtime.uploads.create(self._access, new))
        model = Model(new.uuid, name, length)
        self._all.append(model)
        return model

    @rule(model=models, size=SIZES, shift=st.sampled_from([0, 0, 0, 0, -1, 1]))
    def append(self, model: Model, size: int, shift: int) -> None:
        """Append a whole body, maybe at a wrong offset, maybe too long."""
        offset, data = max(0, len(model.data) + shift), self._bytes(size)
        error = self._append(model, Piece(offset), data)
        assert error is self._expected(model, offset, size)
        if error is None and model.state == "unfinished":
            self._arrived(model, data)

    @rule(model=models, size=SIZES, cut=SIZES, known=st.booleans())
    def append_cut(self, model: Model, size: int, cut: int, *, known: bool) -> None:
        """Append a body that breaks off: what has arrived of it is kept."""
        size, cut = max(size, cut), min(size, cut)
        offset, data = len(model.data), self._bytes(size)
        expected = self._expected(model, offset, size if known else cut)
        error = self._append(
            model, Piece(offset), data[:cut], announced=size, known=known, cut=True
        )
        if model.state == "finished":
            assert error in {UploadComplete, None}
        elif expected is None:
            is_whole = offset + cut == model.length
            assert error is (None if is_whole else ConnectionResetError)
            self._arrived(model, data[:cut])
        else:  # it turned out to be too long when a part of it was committed already
            assert error in {expected, ConnectionResetError}
            found = self._do(self._runtime.uploads.status(self._access, model.uuid))
            assert offset <= found.offset <= min(offset + cut, model.length or 0)
            model.data += data[: found.offset - offset]

    @rule(model=models, size=SIZES, completes=st.booleans())
    def append_part(self, model: Model, size: int, *, completes: bool) -> None:
        """Append a body that says whether it is the last, whatever length has been told."""
        offset, data = len(model.data), self._bytes(size)
        error = self._append(model, Piece(offset, completes=completes), data)
        if model.state == "finished":
            assert error is UploadComplete
        elif completes and model.length not in {None, offset + size}:
            assert error is LengthMismatch
        elif completes:
            assert error is None
            model.length = offset + size
            self._arrived(model, data)
        else:
            assert error is self._expected(model, offset, size)
            model.data += b"" if error else data

    @rule(model=models, size=SIZES)
    def append_damaged(self, model: Model, size: int) -> None:
        """Append a body that has another digest than was said: nothing of it is kept."""
        offset, data = len(model.data), self._bytes(size)
        wrong = frozenset({(SHA256, bytes(32))})
        error = self._append(model, Piece(offset), data, digests=wrong)
        if model.state == "finished" and size == 0:
            assert error is None
        else:
            assert error is (self._expected(model, offset, size) or DigestMismatch)

    @rule(model=models, length=SIZES)
    def tell_length(self, model: Model, length: int) -> None:
        """Say the length with an empty body."""
        error = self._append(model, Piece(len(model.data), length), b"")
        if model.state != "unfinished":
            assert error is (None if model.state == "finished" else self._over(model))
        elif (model.length not in {None, length}) or length < len(model.data):
            assert error is LengthMismatch
        else:
            assert error is None
            model.length = length
            self._arrived(model, b"")

    @rule(model=models)
    def take_over_elsewhere(self, model: Model) -> None:
        """Append while another process takes over: this one's bytes are dropped."""
        if model.state != "unfinished" or model.length is not None:
            return

        self._made += 1
        elsewhere: tuple[Any, ...] = (clock.now(),)
        if self._made % 2:
            elsewhere = (new_key("blobs"), clock.now())

        async def interrupted() -> AsyncIterator[bytes]:
            yield b"lost"
            take = _take_over if self._made % 2 else rows.stop_others
            await self._access.write(take, model.uuid, *elsewhere)

        offset = len(model.data)
        body = Body(interrupted())
        with pytest.raises(ProblemError):
            self._do(self._runtime.uploads.append(self._access, model.uuid, Piece(offset), body))

    @rule(model=consumes(models))
    def cancel(self, model: Model) -> None:
        error = self._attempt(self._runtime.uploads.cancel(self._access, model.uuid))
        assert error is self._over(model)
        model.state = "cancelled"

    @rule(model=consumes(models))
    def expire(self, model: Model) -> None:
        ended = update(uploads).where(uploads.c.uuid == model.uuid).values(expires_at=clock.now())
        self._do(self._runtime.parts.database.write(lambda c: c.execute(ended).rowcount))
        assert self._attempt(self._runtime.uploads.status(self._access, model.uuid)) is Gone
        self._do(self._expire_all())
        model.state = "expired"

    @rule(model=models)
    def status(self, model: Model) -> None:
        found = self._do(self._runtime.uploads.status(self._access, model.uuid))
        assert (found.offset, found.is_finished) == (len(model.data), model.state == "finished")
        assert found.length == model.length

    @invariant()
    def the_books_agree(self) -> None:
        assert self._do(self._contents()) == self._blobs
        unfinished = [model for model in self._all if model.state == "unfinished"]
        size = sum(map(len, self._blobs.values())) + sum(len(model.data) for model in unfinished)
        slots = len(self._blobs) + self._slots(unfinished)
        used, number = self._do(self._runtime.parts.database.read(_used))
        assert used == size
        assert number == slots
        assert self._do(self._differences()) == []

    def teardown(self) -> None:
        """Remove all there is, known to the model or not: the next run begins with nothing."""
        for uuid in self._do(self._runtime.parts.database.read(_uuids)):
            self._do(self._runtime.uploads.cancel(self._access, uuid))
        blobs, blob_access = self._runtime.blobs, self._access.needing("blobs:write")
        for name in self._do(self._contents()):
            self._do(blobs.remove(blob_access, name, Preconditions()))
        assert self._do(self._runtime.parts.database.read(_used)) == (0, 0)
        assert self._do(self._runtime.parts.database.read(_rows)) == (0, 0, 0)

    def _slots(self, unfinished: list[Model]) -> int:
        return self._do(self._runtime.parts.database.read(_pending_slots)) if unfinished else 0

    def _expected(self, model: Model, offset: int, size: int) -> type[Exception] | None:
        if offset != len(model.data):
            return OffsetMismatch
        if model.state == "finished":
            return UploadComplete if size else None
        if model.length is not None and offset + size > model.length:
            return LengthMismatch
        return None

    def _over(self, model: Model) -> type[Exception] | None:
        return NotFound if model.state in {"cancelled", "expired"} else None

    def _arrived(self, model: Model, data: bytes) -> None:
        model.data += data
        if len(model.data) == model.length:
            model.state = "finished"
            self._blobs[model.name] = model.data

    def _append(
        self,
        model: Model,
        piece: Piece,
        data: bytes,
        *,
        announced: int | None = None,
        known: bool = True,
        cut: bool = False,
        digests: Digests = NONE,
    ) -> type[Exception] | None:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 33):
                yield data[start : start + 33]
            if cut:
                raise ConnectionResetError

        size = (len(data) if announced is None else announced) if known else None
        body = Body(chunks(), size, digests)
        return self._attempt(self._runtime.uploads.append(self._access, model.uuid, piece, body))

    def _attempt(self, coroutine: Coroutine[Any, Any, object]) -> type[Exception] | None:
        try:
            self._do(coroutine)
        except (ProblemError, ConnectionResetError) as error:
            return type(error)
        return None

    async def _expire_all(self) -> None:
        while await self._runtime.parts.expiry.run_once(clock.now()):
            pass

    async def _contents(self) -> dict[str, bytes]:
        access = self._access.needing("blobs:read")
        page = await self._runtime.blobs.page(access, 100, None)
        found = {}
        for blob in page.items:
            whole = await self._runtime.blobs.find(access, blob.name)
            found[blob.name] = await self._runtime.downloads.read(whole.content)
        return found

    async def _differences(self) -> list[object]:
        parts = self._runtime.parts
        comparison = Comparison(parts.database, parts.store, clock.now(), checksums=True)
        return [found async for found in comparison.run()]


def _take_over(connection: Connection, identity: Identity, uuid: str, key: str, now: int) -> None:
    upload = rows.find(connection, identity, uuid, now)
    assert upload.object_id is not None
    segments.take_over(connection, identity, upload.object_id, key, now)


def _used(connection: Connection) -> tuple[int, int]:
    sums = select(func.sum(accounts.c.used_bytes), func.sum(accounts.c.used_objects))
    size, number = connection.execute(sums).one()
    return int(size), int(number)


def _uuids(connection: Connection) -> list[str]:
    return list(connection.execute(select(uploads.c.uuid)).scalars())


def _pending_slots(connection: Connection) -> int:
    slots = select(func.sum(objects.c.charged_slots)).where(objects.c.state == "pending")
    return int(connection.execute(slots).scalar_one() or 0)


def _rows(connection: Connection) -> tuple[int, ...]:
    return tuple(
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (uploads, objects, object_segments)
    )


@pytest.mark.slow
@pytest.mark.parametrize("runs", [200])
async def test_uploads_hold_what_a_model_would(
    runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.objects.intake.append.SEGMENT", SEGMENT)
    monkeypatch.setattr(merging, "MOST", 8)
    monkeypatch.setattr(merging, "AT_ONCE", 3)
    monkeypatch.setattr(merging, "TINY", 20)
    given = Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        secret_key="a-service-token-for-tests",
        signing_key="a-signing-key-for-tests-of-32-characters",
        inline_max_bytes=0,
    )
    loop = asyncio.get_running_loop()
    async with open_runtime(given, background=False) as runtime:
        run: Any = run_state_machine_as_test  # which takes any maker of one
        await asyncio.to_thread(
            run,
            lambda: UploadMachine(runtime, loop),
            settings=settings(
                max_examples=runs,
                database=None,
                phases=[Phase.generate],
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
