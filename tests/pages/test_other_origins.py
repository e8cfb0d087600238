"""Pages of other origins upload by both protocols: what browsers let them send and read."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.deadline import DEADLINE
from tests.system import processes
from tests.system.processes import SERVICE_TOKEN, Service

ORIGIN = "http://elsewhere.localhost"

UPLOAD = """async ([first, going, ask]) => {
    const read = async ([method, url, headers, body]) => {
        const answer = await fetch(url, { method, headers, body });
        return [answer.status, Object.fromEntries(answer.headers), await answer.text()];
    };
    const begun = await read(first);
    const url = new URL(begun[1].location, first[1]).href;
    going[1] = ask[1] = url;
    return [begun, await read(ask), await read(going), await read(ask)];
}"""


@pytest.fixture(scope="module")
def open_to_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that pages of `ORIGIN` may use."""
    folder = tmp_path_factory.mktemp("cors")
    settings = {
        "DATA_DIR": str(folder / "data"),
        "CORS_ORIGINS": ORIGIN,
        "SECRET_KEY": SERVICE_TOKEN,
    }
    with processes.running(settings, folder) as service:
        yield service


@pytest.fixture
def elsewhere(browser: Browser) -> Iterator[Page]:
    """A page of `ORIGIN`, which nobody serves: the browser is told what it is."""
    context = browser.new_context(permissions=["local-network-access"])
    context.route(f"{ORIGIN}/", lambda route: route.fulfill(body="<!doctype html>"))
    page = context.new_page()
    page.set_default_timeout(DEADLINE * 1000)
    page.goto(f"{ORIGIN}/")
    yield page
    context.close()


def test_by_tus(elsewhere: Page, open_to_others: Service) -> None:
    own = {"Authorization": f"Bearer {SERVICE_TOKEN}", "Tus-Resumable": "1.0.0"}
    piece = own | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    created = own | {"Upload-Length": "5", "Upload-Metadata": "filename YS50eHQ="}
    begun, asked, made, told = upload(
        elsewhere,
        ["POST", f"{open_to_others.url}/v1/uploads", created, None],
        ["PATCH", "", piece, "hello"],
        ["HEAD", "", own, None],
    )
    assert [answer[0] for answer in (begun, asked, made, told)] == [201, 200, 204, 200]
    assert (asked[1]["upload-offset"], asked[1]["upload-length"]) == ("0", "5")
    assert asked[1]["upload-metadata"] == "filename YS50eHQ="
    assert {"tus-resumable", "upload-expires"} <= asked[1].keys()
    assert made[1]["upload-offset"] == "5"
    assert made[1]["content-location"] == told[1]["content-location"]


def test_by_the_draft(elsewhere: Page, open_to_others: Service) -> None:
    own = {"Authorization": f"Bearer {SERVICE_TOKEN}", "Upload-Draft-Interop-Version": "8"}
    piece = own | {"Upload-Offset": "2", "Upload-Complete": "?1", "Repr-Digest": DIGEST}
    piece["Content-Type"] = "application/partial-upload"
    begun, asked, made, told = upload(
        elsewhere,
        ["PUT", f"{open_to_others.url}/v1/blobs/a/content", own | {"Upload-Complete": "?0"}, "he"],
        ["PATCH", "", piece, "llo"],
        ["HEAD", "", own, None],
    )
    assert [answer[0] for answer in (begun, asked, made, told)] == [201, 204, 201, 204]
    assert (asked[1]["upload-offset"], asked[1]["upload-complete"]) == ("2", "?0")
    assert {"upload-limit", "upload-draft-interop-version"} <= asked[1].keys()
    assert (made[1]["upload-complete"], made[1]["etag"][:8]) == ("?1", '"2cf24db')
    assert made[1]["content-location"] == told[1]["content-location"] == "/v1/blobs/a/content"


DIGEST = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
"""Of hello."""


def upload(page: Page, *requests: list[Any]) -> list[Any]:
    """Begin an upload, ask, go on, ask again; returns each status with headers and text."""
    answers: list[Any] = page.evaluate(UPLOAD, list(requests))
    return answers
