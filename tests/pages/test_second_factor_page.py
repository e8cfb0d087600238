"""The second factor in a real browser: turned on, asked for at each door, and turned off."""

import time
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import ADMIN, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits
from tests.pages.test_accessibility import AXE, violations

pytestmark = pytest.mark.slow


def code_of(secret: str, steps: int) -> str:
    """Return the code of so many steps from now: each is good once, in their order."""
    return pyotp.TOTP(secret).generate_otp(int(time.time()) // 30 + steps)


def turn_on(page: Page) -> tuple[str, list[str]]:
    """Turn it on by the code of the step before; returns the secret, and the recovery codes."""
    page.goto("/account/profile")
    section = page.get_by_role("region", name="Second factor")
    section.get_by_text("Turn it on").first.click()
    section.get_by_label("Your password").fill(PASSWORD)
    section.get_by_role("button", name="Continue").click()
    image = section.get_by_role("img", name="QR code")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    secret = section.locator(".totp-secret").inner_text().replace(" ", "")
    section.get_by_label("The six digits that it shows").fill(code_of(secret, -1))
    section.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_focused()
    return secret, page.locator(".codes li").all_inner_texts()


def give_password(page: Page, name: str) -> None:
    page.goto("/account/login?next=/account/profile")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")


@pytest.mark.parametrize("scripts", [True, False])
def test_signing_in_takes_a_second_step(
    page: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch, scripts: bool
) -> None:
    name = sign_up(page)
    secret, codes = turn_on(page)
    assert len(codes) == 10
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save").click()
    assert Path(saved.value.path()).read_text().split() == codes
    page.get_by_role("button", name="Done").click()
    section = page.get_by_role("region", name="Second factor")
    expect(section).to_contain_text("10 recovery codes left")

    phone = open_page(java_script_enabled=scripts, viewport=PHONE)
    give_password(phone, name)
    expect(phone.get_by_label("Code")).to_be_focused()
    assert fits(phone)
    if scripts:
        phone.evaluate(AXE)
        assert violations(phone) == []
    phone.get_by_label("Code").fill("no code")
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_role("alert")).to_have_text("The code is wrong, or has been used")
    watch.expect_status(401)
    phone.get_by_label("Code").fill(code_of(secret, 0))
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text(name)


def test_changes_want_a_code_until_it_is_turned_off(
    page: Page, sign_up: SignUp, watch: Watch
) -> None:
    name = sign_up(page)
    _, codes = turn_on(page)
    page.get_by_role("button", name="Done").click()
    section = page.get_by_role("region", name="Email address")
    for code, said in (("wrong", "The code is wrong"), (codes[0], "The address is changed")):
        section.get_by_label("Address").fill(f"{name}@example.org")
        section.get_by_label("Your password").fill(PASSWORD)
        section.get_by_label("Code from your device").fill(code)
        section.get_by_role("button").click()
        expect(section.get_by_role("status")).to_contain_text(said)
    watch.expect_status(403)
    watch.expect_status(401)  # when the password has ended the session, the page asks once more
    expect(section.get_by_label("Code from your device")).to_be_empty()

    section = page.get_by_role("region", name="Password", exact=True)
    section.get_by_label("Current password").fill(PASSWORD)
    section.get_by_label("New password").fill(PASSWORD)
    section.get_by_label("Code from your device").fill(codes[1])
    section.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    give_password(page, name)
    page.get_by_label("Code").fill(codes[2])
    page.get_by_role("button", name="Sign in").click()

    section = page.get_by_role("region", name="Second factor")
    section.get_by_text("Make new recovery codes").click()
    form = section.locator("form[data-action=renew-codes]")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_label("Code from your device").fill(codes[3])
    form.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_focused()
    new = page.locator(".codes li").all_inner_texts()
    assert not {*new} & {*codes}
    page.get_by_role("button", name="Done").click()
    section.get_by_text("Turn it off").first.click()
    form = section.locator("form[data-action=end-second-factor]")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_label("Code from your device").fill(new[0])
    form.get_by_role("button").click()
    expect(section.get_by_text("Turn it on").first).to_be_visible()
    expect(page.get_by_label("Code from your device")).to_have_count(0)


def test_the_queue_asks_for_a_code_when_the_session_has_ended(
    page: Page, sign_up: SignUp, watch: Watch
) -> None:
    sign_up(page)
    _, codes = turn_on(page)
    page.goto("/file/load")
    assert page.context.request.delete("/v1/accounts/me/sessions").ok
    watch.expect_status(401)
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"}
    page.locator("input[type=file]").first.set_input_files(file)  # type: ignore[arg-type]
    dialog = page.get_by_role("dialog", name="Your session has ended")
    expect(dialog.get_by_label("Code from your device")).to_be_hidden()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    dialog.get_by_label("Code from your device").fill(codes[0])
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()


def test_an_administrator_turns_it_off_with_a_reset(
    page: Page, open_page: OpenPage, sign_up: SignUp
) -> None:
    name = sign_up(page)
    turn_on(page)
    admin = open_page()
    form: dict[str, str | float | bool] = {"username": ADMIN, "password": PASSWORD}
    assert admin.context.request.post("/account/login", form=form).ok
    admin.goto(f"/admin/accounts?q={name}")
    expect(admin.get_by_text("second factor", exact=True)).to_be_visible()
    admin.get_by_role("button", name=f"Change {name}").click()
    admin.get_by_label("The device is lost").check()
    admin.get_by_role("button", name="Make a link for a new password").click()
    made = admin.get_by_role("dialog", name=f"A new password for {name}")
    page.goto(made.locator(".address").inner_text())
    expect(page.get_by_text("its second factor is turned off")).to_be_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("navigation", name="Account")).to_contain_text(name)
