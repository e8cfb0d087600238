"""Errors as a browser gets them: a page for every address that somebody may type."""

import httpx
import pytest

from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"Accept": "*/*"}


settings, service = shared_fixtures()


def assert_page(answer: httpx.Response, status: int, heading: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert f"<h1>{heading}</h1>" in answer.text
    assert '<a href="/">Home</a>' in answer.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/dumps/a/b", "/file", "/%3Cscript%3E", "/t/", "/static/x"]
)
async def test_a_wrong_address_is_a_page(service: Service, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await service.client.request(method, path, headers=BROWSER)
        assert_page(answer, 404, "There is no such page")
        assert "<script" not in answer.text
        answer = await service.client.request(method, path, headers=PROGRAM)
        assert (answer.status_code, answer.headers["content-type"]) == (
            404, "application/problem+json",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/account/logout", "POST"), ("/v1/auth/token", "POST"), ("/v1/send/a", "OPTIONS, PUT")],
)
async def test_an_address_that_is_no_page_is_told_of_by_one(
    service: Service, path: str, methods: str
) -> None:
    answer = await service.client.get(path, headers=BROWSER)
    assert_page(answer, 405, "This address is not a page")
    assert answer.headers["allow"] == methods
    answer = await service.client.get(path, headers=PROGRAM)
    assert answer.status_code == 405
    assert "json" in answer.headers["content-type"]


async def test_upstream_contracts_keep_their_own_form(service: Service) -> None:
    answer = await service.client.get("/api/token/", headers=BROWSER)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


async def test_what_another_site_sends_is_refused_by_a_page(service: Service) -> None:
    form = {"username": "visitor", "password": "correct horse battery"}
    signed_in = await service.client.post("/account/register", data=form, headers=PROGRAM)
    assert signed_in.status_code == 200
    cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    foreign = BROWSER | cookie | {"Sec-Fetch-Site": "cross-site"}
    answer = await service.client.post("/links", data={"id": "a"}, headers=foreign)
    assert_page(answer, 403, "You may not do this")
    service.client.cookies.clear()


async def test_a_store_that_fails_is_told_of_by_a_page(service: Service) -> None:
    _, user = await service.sign_up()
    put = await service.client.put("/v1/send/a.txt", content=bytes(100_000), headers=user)
    store_of(service).fail("open")
    try:
        answer = await service.client.get(put.text.strip(), headers=BROWSER)
    finally:
        store_of(service).heal()
    assert_page(answer, 503, "The service can&#39;t do this right now")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_failure_is_told_of_by_a_page(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /var/lib/holdall")

    monkeypatch.setattr(type(service.runtime.parts.database), "read", fail)
    headers = BROWSER | service.service_token | {"X-Request-ID": "the-id"}
    for path in ("/links", "/v1/blobs"):
        answer = await service.client.get(path, headers=headers)
        assert_page(answer, 500, "Internal Server Error")
        assert "under the request the-id" in answer.text
        assert "SELECT" not in answer.text


async def test_browsers_find_an_icon_where_they_look_for_one(service: Service) -> None:
    for method in ("GET", "HEAD"):
        icon = await service.client.request(method, "/favicon.ico")
        assert icon.status_code == 200
        assert icon.headers["content-type"] == "image/vnd.microsoft.icon"
        assert icon.headers["cache-control"] == "public, max-age=86400"
    assert (await service.client.get("/favicon.ico")).content[:4] == b"\0\0\1\0"
