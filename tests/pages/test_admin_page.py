"""The pages for administrators in a real browser."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from app import VERSION
from tests import plain_http
from tests.pages.conftest import ADMIN, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits

pytestmark = pytest.mark.slow


@pytest.fixture
def admin(page: Page) -> Page:
    """A page of the administrator."""
    signed_in = page.context.request.post(
        "/account/login", form={"username": ADMIN, "password": PASSWORD}
    )
    assert signed_in.ok
    return page


def row(page: Page, name: str) -> Locator:
    items = page.locator("#list").get_by_role("listitem")
    return items.filter(has=page.get_by_text(name, exact=True))


def test_the_state_of_the_service(admin: Page, open_page: OpenPage, sign_up: SignUp) -> None:
    user = open_page()
    sign_up(user)
    for name in ("one", "two"):
        assert user.context.request.put(f"/v1/blobs/{name}/content", data=b"x" * 1024).ok
    admin.goto("/admin")
    expect(admin.get_by_text("ready", exact=True)).to_be_visible()
    for part in ("Database (SQLite)", "Storage (local disk)"):
        item = admin.get_by_role("listitem").filter(has_text=part)
        expect(item).to_contain_text("answers")
        expect(item).to_contain_text(re.compile(r"\d\.\d ms"))
    for task in ("Expiry", "Sweep"):
        item = admin.get_by_role("listitem").filter(has_text=task)
        expect(item).to_contain_text("on time")
    expect(admin.get_by_text("0 objects to be deleted now")).to_be_visible()
    use = admin.get_by_role("region", name="Storage use")
    expect(use.get_by_role("row", name="Blobs 2 2.0 KiB")).to_be_visible()
    expect(use.get_by_role("row", name="All 2 2.0 KiB")).to_be_visible()
    expect(admin.get_by_text(f"Holdall {VERSION}")).to_be_visible()
    admin.set_viewport_size(PHONE)
    assert fits(admin)


@pytest.mark.parametrize("path", ["/admin", "/admin/accounts", "/admin/tiers"])
def test_they_are_for_administrators_only(
    page: Page, sign_up: SignUp, watch: Watch, path: str
) -> None:
    page.goto(path)
    expect(page).to_have_url(re.compile(rf"/account/login\?next={path}$"))
    sign_up(page)
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("heading")).to_have_text("You may not do this")
    expect(page.get_by_text("Only an administrator may do this")).to_be_visible()
    assert page.locator(".account, .tier, table").count() == 0
    watch.expect_status(403)
    answer = page.goto("/")
    assert answer is not None
    assert 'href="/admin"' not in answer.text()


def test_an_account_is_found_changed_and_deleted(
    admin: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    user = open_page()
    name, other = sign_up(user), sign_up(open_page())
    admin.goto("/admin/accounts")
    expect(row(admin, other)).to_be_visible()
    admin.get_by_role("searchbox", name="User name or address").fill(name.upper())
    admin.keyboard.press("Enter")
    expect(admin).to_have_url(re.compile(rf"/admin/accounts\?q={name.upper()}$"))
    expect(row(admin, name)).to_contain_text("0 bytes of 100 GiB")
    expect(row(admin, other)).to_have_count(0)

    change = admin.get_by_role("button", name=f"Change {name}")
    change.click()
    dialog = admin.get_by_role("dialog", name=name)
    expect(dialog.get_by_label("Tier")).to_have_value("Basic")
    dialog.get_by_label("Tier").select_option("Premium")
    dialog.get_by_label("Administrator").check()
    admin.keyboard.press("Enter")
    expect(row(admin, name)).to_contain_text("Premium")
    expect(row(admin, name)).to_contain_text("administrator")
    expect(admin.locator("#said")).to_have_text(f"{name} is changed")
    expect(change).to_be_focused()

    change.click()
    expect(dialog.get_by_label("Tier")).to_have_value("Premium")
    dialog.get_by_label("Active").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(row(admin, name)).to_contain_text("inactive")
    assert user.context.request.get("/v1/accounts/me").status == 401

    change.click()
    admin.once("dialog", lambda question: question.accept())
    dialog.get_by_role("button", name="Delete the account").click()
    expect(admin.get_by_text(f"No account has “{name.upper()}”")).to_be_visible()
    expect(dialog).to_be_hidden()
    expect(admin.locator("#said")).to_have_text(f"{name} is deleted")


def test_an_account_is_made(admin: Page, watch: Watch) -> None:
    admin.goto("/admin/accounts")
    admin.get_by_role("button", name="New account").click()
    dialog = admin.get_by_role("dialog", name="New account")
    dialog.get_by_label("User name").fill("colleague")
    dialog.get_by_label("Password").fill("colleague")
    dialog.get_by_role("button", name="Make the account").click()
    expect(dialog.get_by_label("Password")).to_be_focused()
    expect(dialog.get_by_text("A password must be another than the user name")).to_be_visible()
    watch.expect_status(422)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Make the account").click()
    expect(admin.locator("#said")).to_have_text("colleague is made")
    expect(row(admin, "colleague")).to_be_visible()
    signed_in = plain_http.post(
        admin.url.replace("/admin/accounts", "/v1/auth/token"),
        data={"username": "colleague", "password": PASSWORD},
    )
    assert signed_in.status_code == 200


@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_is_invited_and_later_given_a_new_password(
    admin: Page, open_page: OpenPage, watch: Watch, scripts: bool
) -> None:
    name = f"guest-{scripts}".lower()
    guest = open_page(java_script_enabled=scripts)
    admin.goto("/admin/accounts")
    admin.get_by_role("button", name="Invite").click()
    dialog = admin.get_by_role("dialog", name="Invite somebody")
    dialog.get_by_label("Email").fill(f"{name}@example.org")
    dialog.get_by_label("Tier").select_option("Premium")
    dialog.get_by_role("button", name="Make the link").click()
    made = admin.get_by_role("dialog", name="An invitation")
    expect(made.get_by_role("img", name="QR code")).to_be_visible()
    assert made.get_by_role("img").evaluate(
        "image => image.decode().then(() => image.naturalWidth)"
    )
    link = made.locator(".address").inner_text()
    made.get_by_role("button", name="Close").click()
    pending = admin.get_by_role("region", name="Open invitations").get_by_role("listitem")
    expect(pending).to_contain_text(f"{name}@example.org Premium")

    guest.goto(link)
    guest.get_by_label("User name").fill(ADMIN)
    expect(guest.get_by_label("Email")).to_have_value(f"{name}@example.org")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Make the account").click()
    expect(guest.get_by_role("alert")).to_have_text("This user name is taken")
    watch.expect_status(409)
    expect(guest.get_by_label("Email")).to_have_value(f"{name}@example.org")
    guest.get_by_label("User name").fill(name)
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Make the account").click()
    expect(guest.get_by_role("navigation", name="Account")).to_contain_text(name)

    admin.goto("/admin/accounts")
    expect(pending).to_have_count(0)
    expect(row(admin, name)).to_contain_text("Premium")
    admin.get_by_role("button", name=f"Change {name}").click()
    admin.get_by_role("button", name="Make a link for a new password").click()
    made = admin.get_by_role("dialog", name=f"A new password for {name}")
    link = made.locator(".address").inner_text()
    guest.goto(link)
    expect(guest.get_by_text(f"Choose a new password for {name}")).to_be_visible()
    guest.get_by_label("New password").fill("another horse battery")
    guest.get_by_role("button", name="Set the password").click()
    expect(guest.get_by_role("navigation", name="Account")).to_contain_text(name)
    guest.goto(link)
    expect(guest.get_by_role("heading")).to_have_text("This link doesn't work")
    watch.expect_status(404)


def test_an_invitation_is_taken_back(admin: Page, watch: Watch) -> None:
    made = admin.context.request.post("/v1/invitations", data={"is_admin": True}).json()
    admin.goto("/admin/accounts")
    pending = admin.get_by_role("region", name="Open invitations")
    expect(pending.get_by_role("listitem")).to_contain_text("administrator")
    admin.once("dialog", lambda question: question.accept())
    pending.get_by_role("button", name="Withdraw").click()
    expect(admin.locator("#said")).to_have_text("The invitation is withdrawn")
    expect(pending).to_have_count(0)
    assert admin.context.request.get(made["url"]).status == 404


def test_what_can_not_be_done_is_said_in_the_dialog(admin: Page, watch: Watch) -> None:
    admin.goto(f"/admin/accounts?q={ADMIN}")
    admin.get_by_role("button", name=f"Change {ADMIN}").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Administrator").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("This is the only administrator")
    watch.expect_status(409)
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(row(admin, ADMIN)).to_contain_text("administrator")
    admin.goto("/admin/accounts?q=service")
    expect(row(admin, "service")).to_contain_text("built in")
    expect(row(admin, "service").get_by_role("button")).to_have_count(0)


def test_accounts_come_in_pages(admin: Page) -> None:
    for number in range(51):
        body = {"username": f"many{number:02}", "password": PASSWORD}
        assert admin.context.request.post("/v1/accounts", data=body).ok
    admin.goto("/admin/accounts?q=many")
    expect(row(admin, "many50")).to_be_visible()
    expect(row(admin, "many00")).to_have_count(0)
    admin.get_by_role("link", name="Older accounts").click()
    expect(admin.locator("#list").get_by_role("listitem")).to_have_count(1)
    expect(row(admin, "many00")).to_be_visible()
    admin.set_viewport_size(PHONE)
    assert fits(admin)


def test_a_tier_is_made_changed_and_deleted(admin: Page, watch: Watch) -> None:
    admin.goto("/admin/tiers")
    admin.get_by_role("button", name="New tier").click()
    dialog = admin.get_by_role("dialog", name="New tier")
    expect(dialog.get_by_role("button", name="Delete")).to_be_hidden()
    dialog.get_by_label("Name", exact=True).fill("Trial")
    dialog.get_by_label("Largest file", exact=True).fill("1.5")
    dialog.get_by_label("Unit of: Total storage").select_option("MiB")
    dialog.get_by_label("Total storage", exact=True).fill("700")
    dialog.get_by_label("Number of objects").fill("12000")
    dialog.get_by_label("Heights of thumbnails").fill("100, 300")
    dialog.get_by_label("Days until a link expires, at most").fill("7")
    dialog.get_by_label("Downloads per link, at most").fill("50")
    dialog.get_by_label("Originals of pictures").check()
    admin.keyboard.press("Enter")
    expect(admin.locator("#said")).to_have_text("Trial is made")
    tier = admin.locator(".tier").filter(has_text="Trial")
    for fact in ("1.5 GiB", "700 MiB", "12,000", "100, 300 px", "Originalsyes", "picturesno",
                 "7 days", "Most downloads50"):  # fmt: skip
        expect(tier).to_contain_text(fact)
    admin.set_viewport_size(PHONE)
    assert fits(admin)

    change = admin.get_by_role("button", name="Change Trial")
    change.click()
    dialog = admin.get_by_role("dialog", name="Trial")
    expect(dialog.get_by_label("Largest file", exact=True)).to_have_value("1536")
    expect(dialog.get_by_label("Unit of: Largest file")).to_have_value(str(2**20))
    expect(dialog.get_by_label("Days until a link expires, at most")).to_have_value("7")
    dialog.get_by_label("Largest file", exact=True).fill("")
    dialog.get_by_label("Heights of thumbnails").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(tier).to_contain_text("Largest fileno limit")
    expect(tier).to_contain_text("Thumbnailsnone")
    expect(tier).to_contain_text("700 MiB")
    expect(change).to_be_focused()

    change.click()
    dialog.get_by_label("Name", exact=True).fill("basic")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("A tier of this name exists")
    watch.expect_status(409)
    admin.once("dialog", lambda question: question.accept())
    dialog.get_by_role("button", name="Delete the tier").click()
    expect(tier).to_have_count(0)

    admin.get_by_role("button", name="Change Basic").click()
    dialog = admin.get_by_role("dialog", name="Basic")
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Basic")
    expect(dialog.get_by_role("button", name="Delete the tier")).to_be_hidden()
