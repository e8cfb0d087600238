"""The pages of the account in a real browser: signing in and out, and all that lets one in."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, ViewportSize, expect

from app.errors import InvalidRequest
from app.features import SCOPES
from routers.pages.assets import VERSION
from routers.pages.rendering.wrong import wrong_with
from tests import pictures, plain_http
from tests.pages.conftest import ADMIN, LAPTOP, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits
from tests.system.processes import Service

pytestmark = pytest.mark.slow

OTHER = "another horse battery"


def _section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def _log_in(page: Page, username: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_the_pages_fit_their_window(
    open_page: OpenPage, sign_up: SignUp, viewport: ViewportSize
) -> None:
    page = open_page(viewport=viewport)
    for path in ("/account/login", "/account/register"):
        page.goto(path)
        assert fits(page)
    sign_up(page, f"a-name-as-long-as-one-may-be-{viewport['width']}".ljust(64, "x"))
    page.goto("/account/profile")
    page.get_by_text("Make a key").click()
    page.get_by_label("What is it for?").fill("x" * 255)
    page.get_by_label("write").first.check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", name="The new key")).to_be_focused()
    assert fits(page)


@pytest.mark.parametrize("scripts", [True, False])
def test_signing_in_leads_back_and_signing_out_ends_it(
    open_page: OpenPage, sign_up: SignUp, watch: Watch, scripts: bool
) -> None:
    page = open_page(java_script_enabled=scripts)
    name = sign_up(open_page())
    page.goto("/account/profile?from=a&b=c")
    expect(page).to_have_url(re.compile(r"/account/login\?next="))
    _log_in(page, name, "wrong password")
    watch.expect_status(401)
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong")
    expect(page.get_by_label("User name")).to_have_value(name)
    expect(page.get_by_label("Password")).to_be_focused()
    _log_in(page, name)
    expect(page).to_have_url(re.compile(r"/account/profile\?from=a&b=c$"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Make an account")).to_be_visible()
    page.goto("/account/profile")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_signing_up_says_what_is_wrong(page: Page, sign_up: SignUp, watch: Watch) -> None:
    name = sign_up(page)
    page.context.clear_cookies()
    page.goto("/account/register")
    page.get_by_label("User name").fill(name.upper())
    page.get_by_label("Email").fill("someone@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    watch.expect_status(409)
    expect(page.get_by_role("alert")).to_have_text("This user name is taken")
    expect(page.get_by_label("Email")).to_have_value("someone@example.org")


def test_the_address_is_changed(page: Page, sign_up: SignUp, watch: Watch) -> None:
    name = sign_up(page)
    page.goto("/account/profile")
    section = _section(page, "Email address")
    section.get_by_label("Address").fill(f"{name}@example.org")
    section.get_by_label("Your password").fill("wrong password")
    section.get_by_role("button").click()
    expect(section.get_by_role("status")).to_have_text("The current password is wrong")
    watch.expect_status(403)
    section.get_by_label("Your password").fill(PASSWORD)
    section.get_by_role("button").click()
    expect(section.get_by_role("status")).to_have_text("The address is changed")
    page.reload()
    expect(section.get_by_label("Address")).to_have_value(f"{name}@example.org")
    section.get_by_label("Address").fill("")
    section.get_by_label("Your password").fill(PASSWORD)
    section.get_by_role("button").click()
    expect(section.get_by_role("status")).to_have_text("The address is removed")
    assert page.context.request.get("/v1/accounts/me").json()["email"] is None


def test_what_is_wrong_is_said_at_its_field(page: Page, sign_up: SignUp, watch: Watch) -> None:
    watch.expect_status(422)
    sign_up(page)
    page.goto("/account/profile")
    section = _section(page, "Your name for visitors")
    name = section.get_by_label("Name")
    name.evaluate("input => input.removeAttribute('maxlength')")
    name.fill("x" * 81)
    section.get_by_role("button").click()
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description("At most 80 characters")
    expect(section.get_by_text("At most 80 characters")).to_be_visible()
    expect(section.locator(".said")).to_be_empty()
    name.fill(" Ada ")
    section.get_by_role("button").click()
    expect(section.get_by_role("status")).to_have_text("Visitors see “Ada”")
    expect(name).to_have_value("Ada")
    expect(name).to_have_accessible_description("")
    expect(name).not_to_have_attribute("aria-invalid", "true")

    # elsewhere scripts say what the server would
    errors = [
        {"loc": ["body", "max_downloads"], "msg": "Input should be greater than or equal to 1"},
        {"loc": ["header", "Upload-Metadata", "name"], "msg": "Field required"},
        {"loc": ["body"], "msg": "give either a value or a prefix"},
        {"loc": ["body", "elsewhere"], "msg": "String should have at most 3 characters"},
    ]
    said = page.evaluate(
        f"""async (errors) => {{
          const {{ Problem }} = await import("/static/{VERSION}/http.js");
          return new Problem(422, {{ errors }}).message;
        }}""",
        errors,
    )
    assert said == str(wrong_with(InvalidRequest(errors=errors)))  # type: ignore[arg-type]


def test_a_new_password_keeps_this_session_and_ends_the_others(
    page: Page, open_page: OpenPage, sign_up: SignUp
) -> None:
    name = sign_up(page)
    phone = open_page()
    phone.goto("/account/login")
    _log_in(phone, name)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Home")
    page.goto("/account/profile")
    sessions = _section(page, "Where you are signed in").get_by_role("listitem")
    expect(sessions).to_have_count(2)
    section = _section(page, "Password")
    section.get_by_label("Current password").fill(PASSWORD)
    section.get_by_label("New password").fill(OTHER)
    section.get_by_role("button").click()
    expect(section.get_by_role("status")).to_contain_text("The password is changed")
    expect(sessions).to_have_count(1)

    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(sessions).to_have_count(1)
    phone.goto("/account/profile")
    _log_in(phone, name, OTHER)
    expect(phone.get_by_role("heading", level=1)).to_have_text(name)


def test_one_session_is_ended_and_then_all(
    page: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    watch.expect_status(401)  # of the stream that a page listens to, if it comes back in time
    name = sign_up(page)
    agent = "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0"
    phone = open_page(user_agent=agent)
    phone.goto("/account/login")
    _log_in(phone, name)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Home")
    page.goto("/account/profile")
    section = _section(page, "Where you are signed in")
    expect(section.get_by_role("listitem").last).to_contain_text("this device")
    section.get_by_role("button", name="End the session of Firefox on Android").click()
    expect(section.get_by_role("listitem")).to_have_count(1)
    expect(section.get_by_role("heading")).to_be_focused()
    phone.goto("/account/profile")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Sign in")
    _log_in(phone, name)

    page.on("dialog", lambda dialog: dialog.accept())
    section.get_by_role("button", name="End all").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    phone.goto("/account/profile")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Sign in")


def _make_key(page: Page, name: str, *scopes: str) -> str:
    page.get_by_text("Make a key").click()
    page.get_by_label("What is it for?").fill(name)
    for scope in scopes:
        page.locator(f"input[value='{scope}']").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", name="The new key")).to_be_focused()
    return page.locator(".secret").inner_text()


def test_a_key_is_shown_once_and_deleted(page: Page, sign_up: SignUp, live: Service) -> None:
    sign_up(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/account/profile")
    section = _section(page, "API keys")
    page.get_by_text("Make a key").click()
    page.get_by_label("What is it for?").fill("nothing")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("Choose at least one thing that it may do")).to_be_visible()
    page.get_by_text("Make a key").click()

    key = _make_key(page, "<i>backup</i>", "files:read")
    page.get_by_role("button", name="Copy the key").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    by_key = {"Authorization": f"Bearer {key}"}
    request = page.context.request
    assert request.get("/v1/files", headers=by_key).ok
    assert request.get("/v1/dumps", headers=by_key).status == 403
    page.get_by_role("button", name="Done").click()
    expect(section).not_to_contain_text(key)

    page.reload()
    expect(section).not_to_contain_text(key)
    expect(section.get_by_role("listitem")).to_contain_text(f"<i>backup</i> {key[:8]}")
    expect(section.get_by_role("listitem").get_by_text("files:read")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    section.get_by_role("button", name="Delete the key <i>backup</i>").click()
    expect(section.get_by_text("None yet.")).to_be_visible()
    assert request.get("/v1/files", headers=by_key).status == 401


def test_every_line_of_a_new_key_works_in_a_shell(page: Page, tmp_path: Path) -> None:
    page.goto("/account/login?next=/account/profile")
    _log_in(page, ADMIN)  # who may read the metrics too
    _make_key(page, "all", *SCOPES)
    lines = page.locator(".uses li:has([data-copy]) pre").all_inner_texts()
    assert len(lines) >= len(SCOPES)
    file: FilePayload = {"name": "a", "mimeType": "text/plain", "buffer": b"a"}
    ids = {}
    for kind in ("file", "dump"):
        answer = page.context.request.post(f"/v1/{kind}s", multipart={"file": file})
        ids[kind] = answer.json()["id"]
    (tmp_path / "photo.jpg").write_bytes(pictures.plain())
    (tmp_path / "crash.dmp").write_bytes(b"MDMP")
    (tmp_path / "hello.txt").write_text("Hello\n")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for line in lines:
        linked = re.search(r'"kind": "(\w+)", "id": "ID"', line)
        if linked and linked[1] not in ids:
            continue  # to a picture, which the tier doesn't allow
        ready = line.replace('"ID"', f'"{ids[linked[1]]}"') if linked else line
        if line.startswith("send()"):
            ready += "; send photo.jpg hello.txt"
        else:
            ready = ready.replace("curl ", "curl --fail-with-body ")
        result = subprocess.run(
            ["bash", "-c", ready],
            cwd=tmp_path,
            check=False,
            env=environment,
            text=True,
            capture_output=True,
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}"


def test_sharex_gets_its_settings(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/account/profile")
    _make_key(page, "screens", "files:write", "pictures:write", "files:read")
    data = {"file": pictures.plain(), "picture": pictures.plain()}
    for kind, content in data.items():
        with page.expect_download() as saved:
            page.get_by_role("link", name=f"Save: ShareX, {kind}s").click()
        assert saved.value.suggested_filename == f"holdall-{kind}s.sxcu"
        asked = json.loads(saved.value.path().read_text())
        values = {
            name: value.replace("{filename}", "a") for name, value in asked["Arguments"].items()
        }
        answer = plain_http.post(
            asked["RequestURL"],
            headers=asked["Headers"],
            data=values,
            files={asked["FileFormName"]: ("a.jpg", content)},
        )
        assert answer.status_code == 201, answer.text
        url = asked["URL"]
        for name, value in answer.json().items():
            url = url.replace(f"{{json:{name}}}", str(value))
        assert page.context.request.get(url).ok


def test_a_line_needs_all_its_scopes(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/account/profile")
    key = _make_key(page, "submits", "dumps:submit", "timelinks:write")
    (line,) = page.locator(".uses pre").all_inner_texts()
    assert f"/v1/dumps/minidump?key={key}" in line


@pytest.mark.parametrize("scripts", [True, False])
def test_deleting_the_account(
    open_page: OpenPage, sign_up: SignUp, watch: Watch, scripts: bool
) -> None:
    page = open_page(java_script_enabled=scripts)
    name = sign_up(page)
    page.on("dialog", lambda dialog: dialog.accept())
    section = _section(page, "Delete the account")
    for password in ("wrong password", PASSWORD):
        page.goto("/account/profile")
        page.get_by_text("Delete it with everything in it").click()
        section.get_by_label("Your password").fill(password)
        section.get_by_role("button").click()
        if password != PASSWORD:
            watch.expect_status(403)
            expect(page.get_by_text("The current password is wrong")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account is deleted")
    expect(page.get_by_text("This can't be undone.")).to_be_visible()
    assert "holdall_session" not in {cookie.get("name") for cookie in page.context.cookies()}
    page.goto("/account/login")
    _log_in(page, name)
    watch.expect_status(401)
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong")


def test_what_is_asked_first_is_not_done_without_consent(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/account/profile")
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="End all").click()
    page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # whatever was sent before
    assert set(methods) == {"GET"}


def test_all_that_the_account_keeps_is_one_download(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page()
    name = sign_up(page)
    page.goto("/account/profile")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download everything").click()
    assert waiting.value.suggested_filename == f"{name}.zip"
    with zipfile.ZipFile(waiting.value.path()) as found:
        assert found.testzip() is None
        assert f'"{name}"'.encode() in found.read("account/accounts.jsonl")
