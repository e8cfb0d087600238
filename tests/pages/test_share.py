"""The installable app: what its manifest says, and what a device shares into it."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.pages.conftest import PASSWORD, OpenPage, SignUp, Watch
from tests.system.processes import Service

pytestmark = pytest.mark.slow

MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def _manifest(page: Page) -> dict[str, Any]:
    """Return the manifest that a page names."""
    href = page.locator("link[rel=manifest]").get_attribute("href")
    assert href is not None
    answer = page.request.get(href)
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest: dict[str, Any] = answer.json()
    return manifest


def test_a_browser_finds_nothing_wrong_with_the_manifest(page: Page) -> None:
    page.goto("/account/login")
    manifest = _manifest(page)
    devtools = page.context.new_cdp_session(page)
    parsed = devtools.send("Page.getAppManifest")
    assert parsed["url"].endswith("/manifest.webmanifest")
    assert parsed["errors"] == []
    errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []
    assert manifest["display"] == "standalone"
    assert manifest["start_url"] == manifest["scope"] == "/"


def test_the_icons_are_as_large_as_the_manifest_says(page: Page) -> None:
    page.goto("/account/login")
    icons = _manifest(page)["icons"]
    assert {(icon["sizes"], icon["purpose"]) for icon in icons} >= {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    apple = page.locator("link[rel=apple-touch-icon]").get_attribute("href")
    drawn = [{"src": apple, "sizes": "180x180", "type": "image/png"}, *icons]
    for icon in drawn:
        answer = page.request.get(icon["src"])
        assert answer.headers["content-type"] == icon["type"]
        if icon["type"] == "image/png":
            width, height = Image.open(io.BytesIO(answer.body())).size
            assert icon["sizes"] == f"{width}x{height}"


def test_the_shortcuts_and_the_share_target_are_there(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/")
    manifest = _manifest(page)
    paths = [shortcut["url"] for shortcut in manifest["shortcuts"]]
    links = page.get_by_role("navigation").get_by_role("link").all()
    assert set(paths) <= {link.get_attribute("href") for link in links}
    target = manifest["share_target"]
    assert (target["method"], target["enctype"]) == ("POST", "multipart/form-data")
    answer = page.request.post(target["action"], multipart={"text": "x"}, max_redirects=0)
    assert answer.status == 303


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"title": "A page", "text": "", "url": "https://example.org/"}, "https://example.org/"),
        ({"title": "A page", "text": "https://example.org/ü"}, "https://example.org/ü"),
        ({"text": "see https://a.example", "url": "https://a.example"}, "see https://a.example"),
        ({"text": "a line", "url": "https://a.example"}, "a line\nhttps://a.example"),
        ({"title": "only a title"}, "only a title"),
    ],
)
def test_a_text_goes_into_the_buffer(
    page: Page, sign_up: SignUp, fields: dict[str, str | float | bool | bytes], text: str
) -> None:
    sign_up(page)
    shared = page.request.post("/share", multipart={**fields}, max_redirects=0)
    assert (shared.status, shared.headers["location"]) == (303, "/file/buffer")
    buffer = page.request.get("/v1/buffer")
    assert buffer.headers["x-data-type"] == "text"
    assert buffer.text() == text


def test_files_are_sent_and_leave_the_buffer_alone(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/account/profile")
    # as the device does it: a form that a browser sends, with several files under one name
    with page.expect_response(re.compile(r"/share$")) as shared:
        page.evaluate(
            """() => {
              const form = document.createElement("form");
              form.method = "post";
              form.action = "/share";
              form.enctype = "multipart/form-data";
              form.innerHTML = "<input name=title value=Two><input name=file type=file multiple>";
              const files = new DataTransfer();
              files.items.add(new File(["Hello"], "hallo wörld.txt", { type: "text/plain" }));
              files.items.add(new File(["Bye"], "bye.bin"));
              form.elements.file.files = files.files;
              document.body.append(form);
              form.submit();
            }"""
        )
    assert shared.value.status == 303
    assert shared.value.headers["location"] == "/file/load"
    page.wait_for_url("**/file/load")
    files = page.request.get("/v1/files").json()["items"]
    assert {(f["name"], f["size"]) for f in files} == {("hallo wörld.txt", 5), ("bye.bin", 3)}
    for file in files:
        assert page.request.get(f"{file['link']}?download=1").ok
    assert page.request.get("/v1/buffer").status == 404


def test_a_file_that_is_cut_off_leaves_nothing(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    whole = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nA\r\n'
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="b"\r\n\r\nB'
    answer = page.request.post(
        "/share",
        data=whole + part,
        headers=MULTIPART,
    )
    assert answer.status == 422
    assert page.request.get("/v1/files").json()["items"] == []
    assert page.request.get("/v1/accounts/me").json()["usage"]["objects"] == 0


def test_nothing_and_too_much_are_refused(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/account/profile")
    blank = page.request.post("/share", multipart={"text": "  "})
    assert (blank.status, blank.json()) == (422, {"detail": "Nothing was shared"})
    no_file = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--'
    empty = page.request.post("/share", data=no_file, headers=MULTIPART)
    assert (empty.status, empty.json()) == (422, {"detail": "Nothing was shared"})
    large = page.request.post("/share", multipart={"text": "x" * 300_000})
    assert large.status == 413


def test_a_stranger_is_asked_to_sign_in(page: Page, open_page: OpenPage, sign_up: SignUp) -> None:
    name = sign_up(open_page())
    html = {"Accept": "text/html"}
    answer = page.request.post("/share", multipart={"text": "x"}, headers=html)
    assert answer.status == 401
    assert "Sign in first, then share it again" in answer.text()
    assert 'action="/account/login"' in answer.text()
    plain = page.request.post("/share", multipart={"text": "x"})
    assert plain.status == 401
    assert "detail" in plain.json()
    form: dict[str, str | float | bool] = {"username": name, "password": PASSWORD}
    signed_in = page.request.post(
        "/account/login", form={**form, "next": "/file/load"}, headers=html, max_redirects=0
    )
    assert signed_in.headers["location"] == "/file/load"


def test_another_site_cannot_share_anything(
    live: Service, page: Page, sign_up: SignUp, watch: Watch
) -> None:
    sign_up(page)
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = page.request.post("/share", multipart={"text": "x"}, headers=headers)
    assert answer.status == 403
    assert page.request.get("/v1/buffer").status == 404
