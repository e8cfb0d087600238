"""A client of VertexCloud's contract, and what its answers look like."""

import re
from typing import Any, Literal

import httpx
from sqlalchemy import Connection, func, select

from app.accounts.tables import accounts
from app.files.tables import files
from app.objects.tables import objects
from tests.api.conftest import PASSWORD, Service

First = Literal["file", "key"]
FIRSTS: tuple[First, First] = ("file", "key")
COOKIE = "holdall_session"
MEDIA = "/media/cloud/media/static/files/"
SENT_BY = {
    "/signup/": ("POST",),
    "/login/": ("POST",),
    "/token/": ("POST",),
    "/create/file/": ("POST",),
    "/get/files/": ("POST",),
    "/get/file/": ("GET",),
    "/delete/file/": ("GET",),
    "/clear/session/": ("GET", "POST"),
    "/delete/user/": ("GET", "POST"),
    f"{MEDIA}a": ("GET", "HEAD"),
}


class User:
    """A client of the contract; a request sends the cookie only where it is asked to."""

    def __init__(self, service: Service, name: str, key: str, cookie: str) -> None:
        self.client = service.client
        self.name = name
        self.key = key
        self.cookie = {"Cookie": f"{COOKIE}={cookie}"}

    async def create(
        self,
        name: str = "a.txt",
        data: bytes = b"hello",
        **options: Any,  # noqa: ANN401 - those of `create`
    ) -> dict[str, Any]:
        answer = await create(self.client, self.key, name, data, **options)
        assert_said(answer)
        body: dict[str, Any] = answer.json()
        assert body["status"] is True, body
        return body

    async def list(self) -> dict[str, Any]:
        answer = await self.client.post("/get/files/", data={"key": self.key})
        assert_said(answer)
        files: dict[str, Any] = answer.json().get("file", {})
        return files


def loose_ends(connection: Connection) -> list[Any]:
    """Return what is pending, and the accounts that are charged for other than their files."""
    pending = select(objects.c.id).where(objects.c.state != "ready")
    of_files = (
        select(
            files.c.account_id,
            func.sum(objects.c.size).label("size"),
            func.count().label("number"),
        )
        .select_from(files.join(objects))
        .group_by(files.c.account_id)
        .subquery()
    )
    wrong = (
        select(accounts.c.username)
        .select_from(accounts.outerjoin(of_files, of_files.c.account_id == accounts.c.id))
        .where(
            (accounts.c.used_bytes != func.coalesce(of_files.c.size, 0))
            | (accounts.c.used_objects != func.coalesce(of_files.c.number, 0))
        )
    )
    return [*connection.execute(pending).all(), *connection.execute(wrong).all()]


names = iter(f"vertex{n}" for n in range(10_000))


async def sign_up(service: Service, name: str | None = None) -> User:
    name = name or next(names)
    form = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    answer = await service.client.post("/signup/", data=form)
    assert_said(answer)
    return User(service, name, answer.json()["your session key"], cookie_of(answer))


def cookie_of(answer: httpx.Response) -> str:
    (header,) = [header for header in answer.headers.get_list("set-cookie") if COOKIE in header]
    found = re.match(rf"{COOKIE}=([^;]+); ", header)
    assert found is not None, header
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(header.split("; "))
    return found[1]


async def create(
    client: httpx.AsyncClient,
    key: str | None,
    name: str = "a.txt",
    data: bytes = b"hello",
    *,
    first: First = "key",
    headers: dict[str, str] | None = None,
    kind: str | None = None,
) -> httpx.Response:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    if kind is not None:
        head += f"Content-Type: {kind}\r\n"
    file = f"{head}\r\n".encode() + data + b"\r\n"
    field = b""
    if key is not None:
        field = f'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\n{key}\r\n'.encode()
    body = (file + field if first == "file" else field + file) + b"--x--\r\n"
    kinds = {"Content-Type": "multipart/form-data; boundary=x"}
    return await client.post("/create/file/", content=body, headers=kinds | (headers or {}))


def assert_said(answer: httpx.Response, body: object = None, status: int = 200) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    if body is not None:
        assert answer.json() == body


def assert_refused(answer: httpx.Response, message: str, **more: object) -> None:
    assert_said(answer, {"status": False, "message": message} | more)


def sent_as(kind: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return the options of a request that sends fields as one of the three kinds of body."""
    if kind == "JSON":
        return {"json": fields}
    if kind == "multipart":
        return {"files": {name: (None, value) for name, value in fields.items()}}
    return {"data": fields}
