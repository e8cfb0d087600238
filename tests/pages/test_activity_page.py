"""What happened to an account, in a real browser, as it happens."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from app.words import moment_in_words
from routers.pages.assets import VERSION
from tests import pictures, plain_http
from tests.pages.conftest import ADMIN, PASSWORD, PHONE, OpenPage, SignUp, fits
from tests.system.processes import Service


def fail_to_log_in(live: Service, username: str) -> None:
    form = {"username": username, "password": "never the right one"}
    assert plain_http.post(f"{live.url}/v1/auth/token", data=form).status_code == 401


def test_what_happens_is_shown_as_it_happens(page: Page, sign_up: SignUp, live: Service) -> None:
    name = sign_up(page)
    page.goto("/account/profile")
    page.get_by_role("link", name="Activity").click()
    happened = page.get_by_role("region", name="What happened").get_by_role("listitem")
    expect(happened.first).to_contain_text("You signed in")
    expect(happened.first).to_contain_text("Chrome on Linux")
    before = happened.count()
    for times in range(2):
        fail_to_log_in(live, name)
        expect(happened).to_have_count(before + 1)  # the second is counted in the first
        assert times == 0 or page.reload()
    failed = f"Somebody tried to sign in as {name} with a wrong password 2 times"
    expect(happened.first).to_contain_text(failed)

    page.get_by_role("link", name="Files").click()
    expect(page.get_by_text("Nothing of that kind has happened yet.")).to_be_visible()
    page.get_by_role("link", name="Security").click()
    expect(happened.first).to_contain_text(failed)
    page.set_viewport_size(PHONE)
    assert fits(page)


def test_an_administrator_sees_all_and_each(
    page: Page, open_page: OpenPage, sign_up: SignUp
) -> None:
    name = sign_up(page)
    admin = open_page()
    admin.goto("/account/login?next=/admin/activity")
    admin.get_by_label("User name").fill(ADMIN)
    admin.get_by_label("Password").fill(PASSWORD)
    admin.get_by_role("button", name="Sign in").click()
    happened = admin.get_by_role("region", name="What happened").get_by_role("listitem")
    expect(happened.filter(has_text=f"{ADMIN} signed in")).to_have_count(1)
    happened.filter(has_text=f"{name} signed in").get_by_role("link", name=name).click()
    expect(admin.get_by_text(f"Only what happened to {name}.")).to_be_visible()
    expect(happened.filter(has_text=f"{ADMIN} signed in")).to_have_count(0)
    admin.get_by_role("link", name="Security").click()
    expect(admin.get_by_text(f"Only what happened to {name}.")).to_be_visible()
    expect(happened.filter(has_text=f"The account {name} was created")).to_have_count(1)


def test_times_are_the_readers_own_and_those_of_utc_without_scripts(
    open_page: OpenPage, sign_up: SignUp
) -> None:
    page = open_page(timezone_id="Pacific/Auckland")
    sign_up(page)
    page.goto("/activity")
    shown = page.get_by_role("listitem").locator("time").first
    expect(shown).to_have_text(re.compile(r"^(today|yesterday) \d\d:\d\d$"))
    expect(shown).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d GMT\+1[23]$"))
    unscripted = open_page(java_script_enabled=False)
    unscripted.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    unscripted.goto("/activity")
    shown = unscripted.get_by_role("listitem").locator("time").first
    expect(shown).to_have_text(re.compile(r"^(today|yesterday) \d\d:\d\d UTC$"))
    expect(shown).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d UTC$"))

    # the script says what the server says; the clocks change within these days
    zone, now = ZoneInfo("Pacific/Auckland"), datetime(2026, 9, 27, 11, 30, tzinfo=UTC)
    moments = [now + timedelta(hours=hours) for hours in range(-9 * 24, 9 * 24, 7)]
    said = page.evaluate(
        f"""async ([moments, now]) => {{
          const {{ moment }} = await import("/static/{VERSION}/words.js");
          return moments.map((each) => moment(each, new Date(now)));
        }}""",
        [[moment.isoformat() for moment in moments], now.isoformat()],
    )
    assert said == [moment_in_words(m.astimezone(zone), now.astimezone(zone)) for m in moments]


def test_what_happened_leads_to_what_it_is_about_while_that_is_there(
    page: Page, sign_up: SignUp
) -> None:
    sign_up(page)
    ask = page.context.request
    picture = {"name": "red.png", "mimeType": "image/png", "buffer": pictures.plain()}
    text = {"name": "a & b.txt", "mimeType": "text/plain", "buffer": b"text"}
    file = ask.post("/v1/files", multipart={"file": text, "expires_in": "600"}).json()  # type: ignore[dict-item]
    ask.post("/v1/pictures", multipart={"name": "Red", "img": picture})  # type: ignore[dict-item]
    bundle = ask.post("/v1/bundles", data={"name": "Trip"}).json()
    of_file = {"kind": "file", "id": file["id"], "time": 600}
    link = ask.post("/v1/timelinks", data=of_file).json()
    ask.post("/v1/inboxes", data={"title": "<i>Bring it"})
    hook = {"url": "https://example.org/", "events": ["file.received"], "is_active": False}
    ask.post("/v1/webhooks", data=hook)
    ask.post("/v1/accounts/me/keys", data={"name": "laptop", "scopes": ["blobs:read"]})
    said = {
        "You sent a & b.txt (4 bytes)": f"/files/{file['id']}",
        "You added the picture Red": "/pictures/",
        "You made a link to a & b.txt": f"/links/{link['id']}",
        "You made the inbox <i>Bring it": "/inboxes/",
        "You made a webhook to example.org": "/webhooks/",
        "You made the API key laptop": "/account/profile#keys",
    }
    page.goto("/activity")
    happened = page.get_by_role("region", name="What happened").get_by_role("listitem")
    for words, path in said.items():
        subject = happened.filter(has_text=words).get_by_role("link")
        expect(subject).to_have_attribute("href", re.compile(rf"^{re.escape(path)}"))
        assert page.context.request.get(subject.get_attribute("href") or "").ok

    for path in (f"/v1/files/{file['id']}", f"/v1/bundles/{bundle['id']}"):
        assert ask.delete(path).ok
    page.reload()
    expect(happened.filter(has_text="You made a link to a & b.txt")).to_be_visible()
    expect(happened.get_by_role("link", name="a & b.txt")).to_have_count(0)
    expect(happened.get_by_role("link", name="Trip")).to_have_count(0)
    expect(happened.get_by_role("link", name="Red")).to_have_count(1)
