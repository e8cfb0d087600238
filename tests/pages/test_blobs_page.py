"""The pages of blobs in a real browser: stored, found by a prefix, looked into, deleted."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.pages.conftest import OpenPage, SignUp, Watch, from_menu


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def test_blobs_are_stored_found_shown_and_deleted(kept_page: Page, sign_up: SignUp) -> None:
    page = kept_page
    sign_up(page)
    page.goto("/blobs")
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    page.get_by_label("Ids begin with", exact=True).fill("backups/'x/")
    large = payload("large.bin", b"x" * 300_000)
    page.get_by_label("Choose files").set_input_files([payload("a b.txt", b"<what>"), large])
    rows = page.get_by_role("region", name="Your blobs").get_by_role("listitem")
    expect(rows).to_have_count(2)
    assert page.request.get("/v1/blobs/backups%2F%27x%2Fa%20b.txt/content").body() == b"<what>"

    assert page.request.put("/v1/blobs/other/content", data=b"x").ok
    page.reload()
    expect(rows).to_have_count(3)
    page.get_by_label("Ids that begin with").press_sequentially("back")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="backups/'x/a b.txt", exact=True).click()
    expect(page.get_by_role("region", name="All of")).to_have_text("<what>")
    expect(page.get_by_text("curl -OJ")).to_contain_text("backups%2F%27x%2Fa%20b.txt/content")
    page.go_back()
    expect(rows).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    from_menu(page, "Delete backups/'x/a b.txt", "backups/'x/a b.txt").click()
    expect(rows).to_have_count(1)
    assert page.request.get("/v1/blobs/backups%2F%27x%2Fa%20b.txt/content").status == 404


@pytest.mark.slow
def test_without_scripts_a_blob_is_stored(
    open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/blobs")
    page.get_by_label("Ids begin with", exact=True).fill("notes/")
    page.get_by_label("Choose files").set_input_files([payload("a.txt", b"text")])
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("notes/a.txt")
    expect(page.get_by_role("region", name="All of")).to_have_text("text")
    page.get_by_role("link", name="All blobs").click()
    page.get_by_label("Ids that begin with").fill("nothing")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No id begins with “nothing”.")).to_be_visible()
    page.goto("/blobs/show?id=nothing")
    expect(page.get_by_role("heading")).to_have_text(re.compile("no such|not found", re.IGNORECASE))
    watch.expect_status(404)
