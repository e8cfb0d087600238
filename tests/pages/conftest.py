"""Fixtures of the tests of pages: a live service, a real browser, and people who sign up."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final, Literal, Protocol

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.deadline import DEADLINE
from tests.system import processes
from tests.system.processes import Service

PASSWORD: Final = "correct horse battery"
ADMIN: Final = "root"
"""Who administrates the service of `live`, with `PASSWORD`."""

LINKS: Final = ("Details", "Download", "Make a link", "Open", "Files and")
"""How those entries of menus begin that are links."""

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
LAPTOP: Final[ViewportSize] = {"width": 1280, "height": 800}

_names = itertools.count(1)

expect.set_options(timeout=DEADLINE * 1000)


class OpenPage(Protocol):
    """Opens a page in a browser of its own, as on another device; ``options`` are a context's."""

    def __call__(self, **options: Any) -> Page: ...  # noqa: ANN401 - whatever a context takes


class SignUp(Protocol):
    """Makes an account and signs a page's browser in; returns the user name."""

    def __call__(self, page: Page, username: str | None = None) -> str: ...


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service process for the tests of one module."""
    folder = tmp_path_factory.mktemp("live")
    settings = {
        "DATA_DIR": str(folder / "data"),
        "REGISTRATION": "open",
        "RATE_LIMITS": "off",
        "WEBHOOK_PRIVATE_ADDRESSES": "allow",
        "ADMIN_USERNAME": ADMIN,
        "ADMIN_PASSWORD": PASSWORD,
    }
    with processes.running(settings, folder) as service:
        yield service


class Watch:
    """All that the pages of a test complained about, as of a host that is not this one."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._expected: list[str] = []

    def over(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} or "Content Security Policy" in text:
            self.complaints.append(text)

    def expect_status(self, status: int) -> None:
        """Take it that a browser complains about an answer's status."""
        self._expected.append(f"with a status of {status} ")

    def assert_clean(self) -> None:
        """Assert that all stayed on this host, and that no script or policy complained.

        The browser finds no other host. To hear of each request would cost a page a quarter more.
        """
        expected = tuple(self._expected)
        assert [text for text in self.complaints if not any(e in text for e in expected)] == []


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What watches every page of the test, which fails by what they complain about."""
    watch = Watch()
    yield watch
    watch.assert_clean()


@pytest.fixture(scope="module")
def open_kept_page(live: Service, browser: Browser) -> Iterator[OpenPage]:
    """Open pages for all tests of a module: one that is used again costs a third of a new one."""
    with ExitStack() as stack:

        def open_kept_page(**options: Any) -> Page:  # noqa: ANN401 - whatever a context takes
            return _new_page(stack, browser, live, options)

        yield open_kept_page


@pytest.fixture
def open_page(live: Service, browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Open pages whose paths are those of `live`."""
    with ExitStack() as stack:

        def open_page(**options: Any) -> Page:  # noqa: ANN401 - whatever a context takes
            page = _new_page(stack, browser, live, options)
            watch.over(page)
            return page

        yield open_page


def _new_page(stack: ExitStack, browser: Browser, live: Service, options: dict[str, Any]) -> Page:
    context = browser.new_context(**{"viewport": LAPTOP, "base_url": live.url} | options)
    stack.callback(context.close)
    page = context.new_page()
    page.set_default_timeout(DEADLINE * 1000)
    return page


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page at the width of a laptop; ``page.goto("/pictures")`` leads to `live`."""
    return open_page()


@pytest.fixture(scope="module")
def _kept_page(open_kept_page: OpenPage) -> Page:
    return open_kept_page()


@pytest.fixture
def kept_page(_kept_page: Page, watch: Watch) -> Iterator[Page]:
    """The page that tests of a module use in turn; each finds nothing of another's."""
    watch.over(_kept_page)
    yield _kept_page
    _kept_page.unroute_all()
    _kept_page.goto("/healthz")  # what still runs, ends
    _kept_page.evaluate("localStorage.clear()")
    _kept_page.context.clear_cookies()
    _kept_page.set_viewport_size(LAPTOP)
    for other in _kept_page.context.pages:
        if other != _kept_page:
            other.close()


@pytest.fixture(scope="module")
def sign_up(live: Service) -> SignUp:
    """Make accounts, each with `PASSWORD`."""

    def sign_up(page: Page, username: str | None = None) -> str:
        name = username or f"person{next(_names)}"
        form: dict[str, str | float | bool] = {"username": name, "password": PASSWORD}
        answer = page.context.request.post("/account/register", form=form)
        assert answer.ok, answer.text()
        return name

    return sign_up


def from_menu(row: Page | Locator, label: str, name: str) -> Locator:
    """Open the menu of the row of a thing, and return one of its entries: a link or a button."""
    row.get_by_role("button", name=f"More for {name}", exact=True).click()
    role: Literal["button", "link"] = "link" if label.startswith(LINKS) else "button"
    return row.get_by_role(role, name=label)


def fits(page: Page) -> bool:
    """Tell whether a page needs no scrolling sideways."""
    return bool(page.locator("html").evaluate("e => e.scrollWidth <= e.clientWidth"))
