"""The page of rules in a real browser: tried, refused, saved; and what is kept of a flood."""

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import PHONE, OpenPage, SignUp, Watch, fits
from tests.pages.test_signatures_page import crash

pytestmark = pytest.mark.slow


def test_rules_without_scripts(open_page: OpenPage, sign_up: SignUp, watch: Watch) -> None:
    watch.expect_status(422)
    page = open_page(java_script_enabled=False, viewport=PHONE)
    sign_up(page)
    crash(page, ver="1.9")
    page.goto("/dumps")
    page.get_by_role("link", name="Rules").click()
    rules = page.get_by_label("Your rules")
    rules.fill("[ignore]\n(a")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 2: no regular expression")
    expect(rules).to_have_value("[ignore]\n(a")
    assert fits(page)
    rules.fill("[ignore]\na")
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#trial")).to_contain_text("Nothing. Tried on the newest 1 dump.")
    page.set_viewport_size({"width": 1366, "height": 900})
    page.get_by_role("button", name="Save").first.click()
    expect(rules).to_have_value("[ignore]\na")
    expect(page.locator("#trial")).to_have_count(0)
    page.get_by_label("Keep the bytes").check()
    expect(page.get_by_label("Dumps to keep per signature")).to_have_value("50")
    page.get_by_label("Dumps to keep per signature").fill("1")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_label("Keep the bytes")).to_be_checked()
    crash(page, ver="1.9")
    newest = page.context.request.get("/v1/dumps?limit=1").json()["items"][0]
    assert newest["dropped_at"] is not None
    retention, refuse = page.get_by_label("Days to keep"), page.get_by_label("to refuse")
    retention.fill("* = 7\na nightly = soon")
    refuse.fill("channel = dev*\nuser = test")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("alert")).to_have_text("Line 2: “soon” is not a number of days")
    retention.fill("* = 7\na nightly = 0.5")
    page.get_by_role("button", name="Save").last.click()
    expect(retention).to_have_value("* = 7\na nightly = 0.5")
    expect(refuse).to_have_value("channel = dev*\nuser = test")
    expect(page.get_by_role("row", name="channel dev")).to_contain_text("0")
    policy = page.context.request.get("/v1/dumps/policy").json()
    assert policy["retention"] == {"*": 86_400 * 7, "a nightly": 43_200}
    assert [(r["name"], r["value"], r["prefix"]) for r in policy["refuse"]] == [
        ("channel", None, "dev"),
        ("user", "test", None),
    ]
    assert policy["kept"] == 1
    assert fits(page)
    page.goto(f"/dumps/{newest['id']}")
    expect(page.get_by_text("the bytes of this one were dropped")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_count(0)
