"""Headers that protect answers, and say where what was made is."""

import base64
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, select, update

from app.accounts.tables import accounts, tiers
from tests.api.conftest import MakeSettings, Service, running
from tests.api.shared import shared_fixtures
from tests.pictures import plain

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

HTML: Final = {"Accept": "text/html"}
HSTS: Final = "strict-transport-security"
OPENER: Final = "cross-origin-opener-policy"


settings, service = shared_fixtures(registration="open")


ANSWERS: Final = [
    # path, status with the service token, who may keep it
    ("/v1/files", 200, "no-store"), ("/v1/blobs/none", 404, "no-store"),
    ("/nothing", 404, "no-store"), ("/v1/files?limit=0", 422, "no-store"),
    ("/v1/accounts/me", 200, "no-store"), ("/api/dumps/", 200, "no-store"),
    ("/api/pictures", 200, "no-store"), ("/api/dumps/7/", 404, "no-store"),
    ("/get/file/", 200, "no-store"), ("/", 200, "no-store"),
    ("/healthz", 200, "no-store"), ("/readyz", 200, "no-store"), ("/metrics", 200, "no-store"),
    ("/openapi.json", 200, "no-cache"), ("/docs", 200, "no-cache"),
    ("/docs/start.js", 200, "no-cache"), ("/docs/swagger-ui.css", 200, "public, max-age=86400"),
    ("/manifest.webmanifest", 200, "no-cache"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "status", "kept"), ANSWERS)
async def test_nobody_guesses_a_type_and_who_may_keep_it_is_said(
    service: Service, path: str, status: int, kept: str
) -> None:
    answer = await service.client.get(path, headers=service.service_token)
    assert answer.status_code == status, answer.text
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("cache-control") == [kept]
    assert HSTS not in answer.headers, "browsers would ask for https, which there is not"
    is_page = answer.headers["content-type"].startswith("text/html")
    assert answer.headers.get(OPENER) == ("same-origin" if is_page else None)


@pytest.mark.parametrize("path", ["/", "/account/login", "/docs", "/file/load", "/nothing"])
async def test_a_page_shares_no_window_with_other_sites(service: Service, path: str) -> None:
    page = await service.client.get(path, headers=HTML, follow_redirects=True)
    if page.headers["content-type"].startswith("text/html"):
        assert page.headers.get_list(OPENER) == ["same-origin"]
    else:
        assert path == "/nothing"


@pytest.mark.parametrize(
    ("public_url", "is_https"),
    [("https://files.example.org", True), ("https://files.example.org/h", True),
     ("http://files.example.org", False)],
)  # fmt: skip
async def test_over_https_a_host_stays_there(
    make_settings: MakeSettings, public_url: str, is_https: bool
) -> None:
    async with running(make_settings(public_url=public_url)) as service:
        for path in ("/healthz", "/account/login", "/nothing", "/v1/files"):
            answer = await service.client.get(path)
            assert answer.headers.get_list(HSTS) == (["max-age=31536000"] if is_https else [])


async def test_what_a_proxy_says_of_https_counts(make_settings: MakeSettings) -> None:
    async with running(make_settings(trusted_proxies=("127.0.0.1",))) as service:
        for scheme, expected in (("https", ["max-age=31536000"]), ("http", [])):
            answer = await service.client.get("/healthz", headers={"X-Forwarded-Proto": scheme})
            assert answer.headers.get_list(HSTS) == expected


def file(name: str = "file", data: bytes = b"hello") -> dict[str, Any]:
    return {"files": {name: ("a b", data)}}


PICTURE: Final = file("img", plain()) | {"data": {"name": "p"}}
CREATIONS: Final[dict[str, dict[str, Any]]] = {
    "/v1/accounts": {"json": {"username": "ada", "password": "correct horse battery"}},
    "/v1/accounts/me/keys": {"json": {"name": "k", "scopes": ["files:read"]}},
    "/v1/invitations": {"json": {}},
    "/v1/tiers": {"json": {"name": "Large", "heights": [200]}},
    "/v1/blobs": {"json": {"id": "a/b ü", "data": base64.b64encode(b"x").decode()}},
    "/v1/files": file(),
    "/v1/send": file(),
    "/v1/bundles": {"json": {}},
    "/v1/bundles/{id}/items": file(),
    "/v1/dumps": file(),
    "/v1/pictures": PICTURE,
    "/v1/uploads": {},
    "/v1/timelinks": {"json": {"kind": "blob", "id": "a/b ü", "time": 300}},
    "/v1/inboxes": {"json": {"title": "Photos"}},
    "/v1/webhooks": {"json": {"url": "https://example.org/", "events": ["file.received"]}},
    "/api/dumps/": file(),
    "/api/pictures": PICTURE,
}
"""A body for each POST that makes something; ``{id}`` is that of what the one before has made."""

UPLOAD: Final = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
"""Headers of a new upload, which other POSTs don't look at."""

WITHOUT_GET: Final = frozenset(
    {"/v1/accounts/me/keys", "/v1/invitations", "/v1/timelinks", "/v1/uploads"}
)
"""Where one thing can only be deleted."""


def _promote(connection: Connection) -> None:
    enterprise = select(tiers.c.id).where(tiers.c.name == "Enterprise").scalar_subquery()
    connection.execute(
        update(accounts)
        .where(accounts.c.username == "root")
        .values(is_admin=True, tier_id=enterprise)
    )


@pytest.mark.parametrize("prefix", [pytest.param("", marks=pytest.mark.slow), "/h"])
async def test_what_is_made_says_where_it_is(make_settings: MakeSettings, prefix: str) -> None:
    settings = make_settings(public_url=f"http://test{prefix}", registration="open")
    async with running(settings) as service:
        paths = (await service.client.get("/openapi.json")).json()["paths"]
        posts = {p: item["post"]["responses"] for p, item in paths.items() if "post" in item}
        making = {path for path, responses in posts.items() if "201" in responses}
        assert making == CREATIONS.keys()
        _, headers = await service.sign_up("root")
        await service.runtime.parts.database.write(_promote)
        location = ""
        for path, body in CREATIONS.items():
            assert "Location" in posts[path]["201"]["headers"], path
            url = path.format(id=location.rpartition("/")[2])
            made = await service.client.post(url, **body, headers=headers | UPLOAD)
            assert made.status_code == 201, (path, made.text)
            location = made.headers["location"]
            assert location.startswith(f"{prefix}/")
            assert not urlsplit(location).query
            verb = "DELETE" if path in WITHOUT_GET else "GET"
            found = await service.client.request(verb, location, headers=headers)
            assert found.is_success, (path, location, found.text)


async def test_a_sent_file_says_where_it_is(service: Service) -> None:
    sent = await service.client.put("/v1/send/a", content=b"x", headers=service.service_token)
    found = await service.client.get(sent.headers["location"], headers=service.service_token)
    assert found.json()["name"] == "a"
