"""Swagger UI in a real browser: it works without a network."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import plain_http
from tests.deadline import DEADLINE
from tests.system import processes
from tests.system.processes import Service

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"DATA_DIR": str(folder / "data"), "REGISTRATION": "open"}
    with processes.running(settings, folder) as service:
        yield service


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is to be reached below a path."""
    folder = tmp_path_factory.mktemp("prefixed")
    settings = {"DATA_DIR": str(folder / "data"), "PUBLIC_URL": "http://localhost/holdall"}
    with processes.running(settings, folder) as service:
        yield service


class Watched:
    """A page, all that it asked for, and all that it complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} or "Content Security Policy" in text:
            self.complaints.append(text)

    def assert_clean(self) -> None:
        """Assert that it stayed on this host, and that no script or policy complained."""
        elsewhere = {urlsplit(u).hostname for u in self.requests if not u.startswith("data:")}
        assert elsewhere == {"127.0.0.1"}
        assert self.complaints == []


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(DEADLINE * 1000)
    yield Watched(page)
    page.close()


def _sign_up(url: str, username: str) -> None:
    body = {"username": username, "password": PASSWORD}
    assert plain_http.post(f"{url}/v1/accounts", json=body).status_code == 201


def _try_me(page: Page) -> None:
    page.locator("#operations-tag-accounts").click()
    operation = page.locator("#operations-accounts-accounts_read_me")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table tbody")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"username": "')


def test_swagger_ui_lists_every_operation(service: Service, watched: Watched) -> None:
    watched.page.goto(service.url)
    watched.page.get_by_role("link", name="Try the API here").click()
    document = plain_http.get(f"{service.url}/openapi.json").json()
    names = [tag["name"] for tag in document["tags"]]
    tags = watched.page.locator(".opblock-tag")
    expect(tags).to_have_count(len(names))
    assert [tag.get_attribute("data-tag") for tag in tags.all()] == names
    expect(watched.page.locator(".opblock")).to_have_count(0)  # folded, each by a click
    operations = [each for item in document["paths"].values() for each in item.values()]
    for tag, name in zip(tags.all(), names, strict=True):
        tag.click()
        count = sum(name in each["tags"] for each in operations)
        expect(watched.page.locator(".opblock")).to_have_count(count)
        tag.click()  # of very many, Swagger UI shows those alone that are in sight
        expect(watched.page.locator(".opblock")).to_have_count(0)
    assert {tag for each in operations for tag in each["tags"]} == set(names)
    watched.assert_clean()


def test_a_guide_is_on_top(service: Service, watched: Watched) -> None:
    watched.page.goto(f"{service.url}/docs")
    guide = watched.page.locator(".info .description")
    expect(guide.locator("pre")).to_contain_text("$URL/v1/auth/token")
    expect(guide.locator("li").first).to_contain_text("Authorization: Bearer")
    watched.assert_clean()


@pytest.mark.parametrize("path", ["", pytest.param("/holdall", marks=pytest.mark.slow)])
def test_authorize_takes_user_name_and_password(
    request: pytest.FixtureRequest, watched: Watched, path: str
) -> None:
    service: Service = request.getfixturevalue("prefixed" if path else "service")
    _sign_up(service.url, "by-password")
    page = watched.page
    page.goto(f"{service.url}{path}/docs")
    page.get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container", has_text="OAuth2, password")
    form.locator("#oauth_username").fill("by-password")
    form.locator("#oauth_password").fill(PASSWORD)
    form.get_by_role("button", name="Apply given OAuth2 credentials").click()
    expect(form.get_by_text("Logout")).to_be_visible()
    page.get_by_role("button", name="Close").last.click()
    _try_me(page)
    assert f"{service.url}{path}/v1/accounts/me" in watched.requests
    watched.assert_clean()


def test_authorize_takes_a_pasted_token(service: Service, watched: Watched) -> None:
    _sign_up(service.url, "by-token")
    form = {"username": "by-token", "password": PASSWORD}
    token = plain_http.post(f"{service.url}/v1/auth/token", data=form).json()["access_token"]
    page = watched.page
    page.goto(f"{service.url}/docs")
    page.get_by_role("button", name="Authorize").first.click()
    box = page.locator(".auth-container", has_text="(http, Bearer)")
    box.locator("input").fill(token)
    box.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()
    _try_me(page)
    watched.assert_clean()
