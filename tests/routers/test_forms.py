"""Forms as they arrive: fields into a model, files in their order."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from app.errors import ContentTooLarge, InvalidRequest
from routers.http.forms.multipart import MAX_FIELD, MAX_PARTS, read_parts
from routers.http.forms.reading import Form, FormFile, NoFile

pytestmark = pytest.mark.anyio

Sent = tuple[str, str | None, bytes]
"""A part's field, file name and bytes."""


class Fields(BaseModel):
    label: str
    count: Annotated[int, Field(ge=1, alias="X-Count")] = 1


def form(*parts: Sent, noun: str = "file", length: int | None = None) -> Form[Fields]:
    body = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        body += f'--XX\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += data + b"\r\n"
    body += b"--XX--\r\n"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    content_type = b'multipart/form-data; boundary="XX"'
    request = Request({"type": "http", "headers": [(b"content-type", content_type)]})
    return Form(
        read_parts(request, chunks=chunks()), Fields, noun=noun, max_field=100, length=length
    )


async def data_of(file: FormFile) -> bytes:
    return b"".join([chunk async for chunk in file.body.chunks])


LABEL: Sent = ("label", None, b"acme")
FILE: Sent = ("file", "a.txt", b"hello\r\nworld")


@pytest.mark.parametrize("parts", [(LABEL, FILE), (FILE, LABEL)], ids=["before", "after"])
async def test_fields_come_before_the_file_or_after(parts: tuple[Sent, ...]) -> None:
    sent = form(*parts, ("X-Count", None, b"7"), ("unknown", None, b"x"), ("other", "b", b"y"))
    file = await sent.file()
    assert (file.name, await data_of(file)) == ("a.txt", b"hello\r\nworld")
    fields = await sent.fields()
    assert (fields.label, fields.count) == ("acme", 7)


async def test_what_a_reader_leaves_of_a_file_is_skipped() -> None:
    sent = form(FILE, LABEL)
    await sent.file()
    assert (await sent.fields()).label == "acme"


async def test_any_number_of_files() -> None:
    sent = form(FILE, LABEL, ("file", None, b"2"), ("file", "", b""), ("file", "c", b"3"))
    files = [(file.name, await data_of(file)) async for file in sent.files()]
    assert files == [("a.txt", b"hello\r\nworld"), (None, b"2"), ("c", b"3")]
    assert sent.fields_so_far().label == "acme"


async def test_a_second_file_is_refused_where_one_is_wanted() -> None:
    sent = form(FILE, LABEL, FILE, noun="picture")
    await sent.file()
    with pytest.raises(InvalidRequest, match="The form has two pictures"):
        await sent.fields()


@pytest.mark.parametrize("empty", [(), (("file", "", b""),)], ids=["absent", "a browser's"])
async def test_a_form_without_a_file(empty: tuple[Sent, ...]) -> None:
    sent = form(LABEL, *empty)
    assert await sent.optional_file() is None
    assert (await sent.fields()).label == "acme"
    with pytest.raises(NoFile) as refused:
        await form(*empty, ("X-Count", None, b"0")).file()
    errors = [(error["loc"], error["msg"]) for error in refused.value.errors]
    assert errors == [
        (["body", "file"], "Field required"),
        (["body", "label"], "Field required"),
        (["body", "X-Count"], "Input should be greater than or equal to 1"),
    ]


async def test_a_duplicate_is_refused_before_the_file_is_taken() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await form(LABEL, LABEL, FILE).file()
    assert refused.value.errors == [{"loc": ["body", "label"], "msg": "Duplicate field"}]


async def test_a_duplicate_after_the_file_is_refused() -> None:
    sent = form(LABEL, FILE, LABEL)
    await sent.file()
    with pytest.raises(InvalidRequest) as refused:
        await sent.fields()
    assert refused.value.errors == [{"loc": ["body", "label"], "msg": "Duplicate field"}]


async def test_fields_are_checked_before_a_file_is_taken_and_at_the_end() -> None:
    with pytest.raises(RequestValidationError):
        await form(("X-Count", None, b"0"), FILE, LABEL).file()
    for late in ((), (LABEL, ("X-Count", None, b"0"))):
        sent = form(FILE, *late)
        await sent.file()
        with pytest.raises(RequestValidationError):
            await sent.fields()


async def test_a_field_has_a_limit() -> None:
    sent = form(("label", None, bytes(101)))
    with pytest.raises(ContentTooLarge, match="'label' may have up to 100 bytes"):
        await sent.fields()


@pytest.mark.parametrize("length", [None, 0, MAX_PARTS * 2 * MAX_FIELD, 10**9])
async def test_a_file_has_at_least_what_the_rest_of_its_form_cannot_have(
    length: int | None,
) -> None:
    file = await form(FILE, length=length).file()
    assert file.body.at_least == max(0, (length or 0) - MAX_PARTS * 2 * MAX_FIELD)
