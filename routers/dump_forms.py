"""Forms with a dump in them, read as they arrive: the file may come before the fields or after."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel

from app.errors import FieldError, InvalidRequest
from app.runtime import Runtime
from app.services import dumps
from app.services.dumps import DumpFile
from app.services.identity import Access
from app.services.objects import Received
from app.services.uploads import Admit, Body
from routers.forms import check_fields
from routers.schemas.dumps import UploadedName
from routers.transfer.incoming import content_length
from routers.transfer.multipart import MAX_FIELD, MAX_PARTS, read_parts

UNNAMED: Final = "dump"
_MINIDUMP: Final = b"MDMP"
_REST_OF_FORM: Final = MAX_PARTS * 2 * MAX_FIELD  # bytes of a form beside its file, at most


class Beginning:
    """Passes a body on, and remembers how it begins."""

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


class DumpUpload:
    """A form that has been read: its file is received, its fields are still to be checked."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.file: DumpFile | None = None
        self.received: Received | None = None

    async def read(
        self,
        request: Request,
        stack: AsyncExitStack,
        model: type[BaseModel],
        receive: Callable[[AsyncIterator[bytes]], Any],
    ) -> None:
        """Read the request's form of ``model`` and a file; ``receive`` makes a body's context.

        What it receives lives as long as the stack.
        """
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name == "file":
                if self.received is not None:
                    raise InvalidRequest("The form has two files")
                name = UNNAMED if part.filename is None else part.filename
                name = check_fields(UploadedName, {"file": name}).file
                check_fields(model, self.fields)  # before anything is stored
                body = Beginning(part.chunks())
                self.received = await stack.enter_async_context(receive(aiter(body)))
                self.file = DumpFile(name, body.is_minidump)
            elif part.name in model.model_fields:
                if part.name in self.fields:
                    wrong = FieldError(loc=["body", part.name], msg="it is there twice")
                    raise InvalidRequest("The form has a field twice", errors=[wrong])
                self.fields[part.name] = await part.text()

    def whole(self) -> tuple[DumpFile, Received]:
        """Return the file that a form must have."""
        if self.file is None or self.received is None:
            missing = FieldError(loc=["body", "file"], msg="there is none")
            raise InvalidRequest("The form has no file", errors=[missing])
        return self.file, self.received


def receiving(
    request: Request, runtime: Runtime, access: Access, admit: Callable[..., int]
) -> Callable[[AsyncIterator[bytes]], Any]:
    """Return what makes the context in which a dump's body is received."""
    at_least = max(0, (content_length(request) or 0) - _REST_OF_FORM)
    admitting: Admit = partial(admit, at_least=at_least)

    def receive(chunks: AsyncIterator[bytes]) -> Any:  # noqa: ANN401 - a context
        body = Body(chunks)
        return runtime.uploads.receive(access, body, kind=dumps.KIND, admit=admitting, inline=False)

    return receive
