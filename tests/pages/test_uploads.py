"""Uploads from pages go on after whatever interrupts them, and a long queue stays readable."""

import asyncio
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Route, expect

from tests.pages.conftest import LAPTOP, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits
from tests.pages.test_accessibility import AXE, violations
from tests.pages.test_send import choose, file, rows, sent
from tests.proxy import Proxy, proxy_to
from tests.system.processes import Service, wait_for

DATA = random.Random(1).randbytes(2_500_000)
TELL = "() => dispatchEvent(new Event('beforeunload', { cancelable: true }))"
REMEMBERED = "() => Object.keys(localStorage).length"


class Line:
    """A page's network, as the tests want it."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)

    def slow(self, speed: int = 1_000_000) -> None:
        """Let so many bytes through in a second."""
        self._emulate(offline=False, speed=speed)

    def cut(self) -> None:
        self._emulate(offline=True, speed=-1)

    def mend(self) -> None:
        self._emulate(offline=False, speed=-1)

    def _emulate(self, *, offline: bool, speed: int) -> None:
        conditions = {"offline": offline, "latency": 0}
        speeds = {"downloadThroughput": -1, "uploadThroughput": speed}
        self._session.send("Network.emulateNetworkConditions", conditions | speeds)

    def close(self) -> None:
        """Let the page's network be as it is."""
        self._session.detach()


class Network:
    """A proxy between pages and their service, in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy) -> None:
        self._loop = loop
        self.proxy = proxy
        self.url = f"http://127.0.0.1:{proxy.port}"
        self.ended = asyncio.Event()

    def do(self, act: Callable[[], None]) -> None:
        """Do something with the proxy in its thread."""
        self._loop.call_soon_threadsafe(act)


@pytest.fixture
def network(live: Service) -> Iterator[Network]:
    """A network that fails when it is told to."""
    begun: Future[Network] = Future()

    async def serve() -> None:
        async with proxy_to(live.address[1]) as proxy:
            network = Network(asyncio.get_running_loop(), proxy)
            begun.set_result(network)
            await network.ended.wait()

    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(asyncio.run, serve())
        network = begun.result()
        yield network
        network.do(network.ended.set)
        serving.result()


@pytest.fixture
def page(kept_page: Page) -> Page:
    return kept_page


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> str:
    """Somebody on the page for sending, whose files are kept."""
    name = sign_up(page)
    page.goto("/file/load")
    keep(page)
    return name


@pytest.fixture
def line(page: Page) -> Iterator[Line]:
    line = Line(page)
    yield line
    line.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file that takes a while."""
    path = tmp_path / "film.mkv"
    path.write_bytes(DATA)
    return path


def keep(page: Page) -> None:
    page.get_by_label("Expire", exact=True).select_option("0")


def uploads(page: Page) -> Locator:
    return page.get_by_role("region", name="Uploads")


def begin(page: Page, film: Path) -> str:
    """Begin to send a file; returns the path of its upload once some of it has gone."""
    with page.expect_response(lambda answer: answer.request.method == "POST") as created:
        page.get_by_label("Choose files").set_input_files(film)
    expect(uploads(page)).to_contain_text(re.compile(r"KiB of 2\.4 MiB, .*/s, .* left"))
    return created.value.headers["location"]


def content_of(page: Page) -> bytes:
    """Return the bytes of the only file."""
    (made,) = page.request.get("/v1/files").json()["items"]
    return page.request.get(f"/v1/files/{made['id']}/content").body()


def offset_of(page: Page, path: str) -> int:
    """Return how much of an upload the server has; -1 when it has none."""
    answer = page.request.head(path, headers={"Tus-Resumable": "1.0.0"})
    return int(answer.headers["upload-offset"]) if answer.ok else -1


def offsets(page: Page) -> list[int]:
    """Return where each PATCH that is sent from now on goes on."""
    seen: list[int] = []

    def note(request: Any) -> None:  # noqa: ANN401 - a request
        if request.method == "PATCH":
            seen.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return seen


def ignore_lost_connections(watch: Watch) -> None:
    watch.complaints = [
        text for text in watch.complaints if "net::ERR_" not in text or "NAME_NOT" in text
    ]


def test_it_goes_on_when_the_network_is_back(
    network: Network, open_page: OpenPage, sign_up: SignUp, film: Path, watch: Watch
) -> None:
    page = open_page(base_url=network.url)
    sign_up(page)
    page.goto("/file/load")
    keep(page)
    line = Line(page)
    line.slow()
    seen = offsets(page)
    network.do(lambda: network.proxy.cut_after(1_000_000))
    page.get_by_label("Choose files").set_input_files(film)
    expect(uploads(page)).to_contain_text("Waiting for the network")
    assert page.evaluate(TELL) is False, "the browser asks whether to leave"
    line.cut()
    network.do(network.proxy.mend)
    line.mend()
    expect(sent(page, "film.mkv")).to_be_visible()
    expect(uploads(page)).to_be_hidden()
    assert content_of(page) == DATA
    assert seen[0] == 0 < seen[-1]
    assert page.evaluate(TELL) is True
    assert page.evaluate(REMEMBERED) == 0
    watch.expect_status(409)  # browsers send a request again whose connection was reset
    ignore_lost_connections(watch)


@pytest.mark.slow
def test_a_stall_is_told_and_ended(
    network: Network, open_page: OpenPage, sign_up: SignUp, tmp_path: Path, watch: Watch
) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as hole:
        hole.truncate(16_000_000)  # more than the buffers on the way hold
    page = open_page(base_url=network.url)
    sign_up(page)
    page.clock.install()
    page.goto("/file/load")
    keep(page)
    seen = offsets(page)
    network.do(network.proxy.freeze)
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_label("Choose files").set_input_files(large)
    page.clock.run_for(6_000)
    expect(uploads(page)).to_contain_text("Waiting for the network, 0 bytes of")
    network.do(network.proxy.thaw)
    with page.expect_request(lambda request: request.method == "PATCH"):
        pass
    network.do(network.proxy.freeze)
    page.clock.run_for(6_000)
    expect(uploads(page)).to_contain_text("Waiting for the network, ")
    page.clock.run_for(10_000)
    expect(uploads(page)).to_contain_text("Trying again in")
    network.do(network.proxy.thaw)
    expect(sent(page, "large.bin")).to_be_visible()
    assert len(seen) > 1
    ignore_lost_connections(watch)


def test_a_page_that_is_loaded_again_asks_for_the_file(
    page: Page, person: str, line: Line, film: Path, tmp_path: Path
) -> None:
    line.slow()
    upload = begin(page, film)
    page.reload()
    row = uploads(page).get_by_role("listitem")
    expect(row).to_contain_text(
        re.compile(r"Unfinished: choose film.mkv again to continue \(.* of 2")
    )
    other = tmp_path / "other" / "film.mkv"
    other.parent.mkdir()
    other.write_bytes(DATA[::-1])
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose film.mkv").click()
    chooser.value.set_files(other)
    expect(row).to_contain_text("That is another file")
    assert 0 < offset_of(page, upload) < len(DATA)
    seen = offsets(page)
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose film.mkv").click()
    chooser.value.set_files(film)
    expect(sent(page, "film.mkv")).to_contain_text("kept until")
    assert content_of(page) == DATA
    assert seen[0] > 0
    assert page.evaluate(REMEMBERED) == 0


@pytest.mark.slow
def test_another_tab_leaves_it_alone(page: Page, person: str, line: Line, film: Path) -> None:
    line.slow()
    seen = offsets(page)
    begin(page, film)
    other = page.context.new_page()
    other.goto("/file/load")
    expect(sent(page, "film.mkv")).to_be_visible()
    assert seen == [0], "nobody has stopped it"
    expect(uploads(other)).to_be_hidden()


@pytest.mark.slow
def test_what_is_remembered_ends(
    page: Page, person: str, line: Line, film: Path, watch: Watch
) -> None:
    line.slow()
    upload = begin(page, film)
    page.reload()
    expect(uploads(page)).to_contain_text("Unfinished")
    page.goto("/dumps")
    expect(uploads(page)).to_be_hidden()
    assert page.request.delete(upload, headers={"Tus-Resumable": "1.0.0"}).status == 204
    page.goto("/file/load")
    wait_for(lambda: page.evaluate(REMEMBERED) == 0)
    expect(uploads(page)).to_be_hidden()
    watch.expect_status(404)
    keep(page)
    line.slow()
    begin(page, film)
    page.get_by_role("button", name="Pause film.mkv").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("/")
    assert page.evaluate(REMEMBERED) == 0


def test_it_pauses_and_goes_on_and_is_cancelled(
    page: Page, person: str, line: Line, film: Path, watch: Watch
) -> None:
    line.slow()
    upload = begin(page, film)
    page.get_by_role("button", name="Pause film.mkv").press("Enter")
    expect(uploads(page)).to_contain_text(re.compile(r"Paused, .* KiB of 2\.4 MiB"))
    expect(page.get_by_role("button", name="Resume film.mkv")).to_be_focused()
    assert page.evaluate(TELL) is True
    assert 0 < offset_of(page, upload) < len(DATA)
    line.mend()
    page.keyboard.press("Enter")
    expect(sent(page, "film.mkv")).to_be_visible()
    assert content_of(page) == DATA
    expect(uploads(page)).to_be_hidden()
    line.slow(300_000)  # it must not arrive before it is cancelled
    upload = begin(page, film)
    page.get_by_role("button", name="Cancel film.mkv").click()
    expect(uploads(page)).to_be_hidden()
    line.mend()
    wait_for(lambda: offset_of(page, upload) == -1)
    assert len(page.request.get("/v1/files").json()["items"]) == 1
    wait_for(lambda: page.evaluate(REMEMBERED) == 0)


@pytest.mark.slow
def test_all_pause_and_go_on(page: Page, person: str, line: Line) -> None:
    line.slow(300_000)
    choose(page, *(file(f"{n}.bin", b"x" * 400_000) for n in range(5)))
    expect(uploads(page)).to_contain_text(re.compile(r"0 of 5 files.*of 1.9 MiB, .*/s", re.DOTALL))
    page.get_by_role("button", name="Pause all").click()
    expect(uploads(page).get_by_text(re.compile("^Paused"))).to_have_count(5)
    expect(uploads(page)).to_contain_text(re.compile(r"of 1.9 MiB, paused"))
    line.mend()
    page.get_by_role("button", name="Resume 4.bin").click()
    expect(uploads(page)).to_contain_text("1 of 5 files")
    page.get_by_role("button", name="Resume all").click()
    expect(uploads(page)).to_contain_text("5 files done")
    expect(page.locator("#said")).to_have_text("5 files are sent")
    expect(rows(page)).to_have_count(5)
    page.get_by_role("button", name="Clear").click()
    expect(uploads(page)).to_be_hidden()


def test_a_session_that_ends_asks_for_the_password(
    page: Page, person: str, line: Line, film: Path, watch: Watch
) -> None:
    line.cut()
    page.get_by_label("Choose files").set_input_files([film])
    choose(page, *(file(f"{n}.txt") for n in range(3)))
    expect(uploads(page)).to_contain_text("0 of 4 files")
    page.context.clear_cookies()
    line.mend()
    dialog = page.get_by_role("dialog", name="Your session has ended")
    expect(dialog).to_contain_text(f"as {person}")
    dialog.get_by_label("Password").fill("a wrong password")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    dialog.get_by_role("button", name="Not now").click()
    expect(uploads(page)).to_contain_text("paused")
    page.get_by_role("button", name="Resume all").click()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Password").press("Enter")
    expect(uploads(page)).to_contain_text("4 files done")
    names = {item["name"] for item in page.request.get("/v1/files").json()["items"]}
    assert names == {"film.mkv", "0.txt", "1.txt", "2.txt"}
    watch.expect_status(401)
    ignore_lost_connections(watch)


def test_a_session_that_has_ended_is_noticed_before_anything_is_sent(
    page: Page, person: str, watch: Watch
) -> None:
    page.get_by_label("Expire", exact=True).select_option("after 1 hour")
    page.context.clear_cookies()
    choose(page, file("one.txt"))
    dialog = page.get_by_role("dialog", name="Your session has ended")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Password").press("Enter")
    expect(sent(page, "one.txt")).to_contain_text("expires in 1 h")
    watch.expect_status(401)


@pytest.mark.slow
def test_what_passes_is_tried_again(page: Page, person: str, film: Path, watch: Watch) -> None:
    answers: list[int] = []

    def refuse_some(route: Route) -> None:
        answers.append(len(answers))
        match len(answers):
            case 1:
                problem = {"detail": "The service can't do this right now"}
                route.fulfill(status=503, json=problem, headers={"Retry-After": "1"})
            case 2:
                route.fulfill(status=429, json={"detail": "Too many"}, headers={"Retry-After": "0"})
            case _:
                route.continue_()

    page.route("**/v1/uploads", refuse_some)
    page.get_by_label("Choose files").set_input_files(film)
    expect(uploads(page)).to_contain_text("can't do this right now. Trying again in")
    expect(sent(page, "film.mkv")).to_be_visible()
    assert len(answers) == 3
    watch.expect_status(503)
    watch.expect_status(429)


@pytest.mark.slow
def test_an_answer_that_is_lost_makes_nothing_twice(
    page: Page, person: str, film: Path, watch: Watch
) -> None:
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if route.request.method in lost or route.request.method not in {"POST", "PATCH"}:
            route.continue_()
            return
        lost.append(route.request.method)
        assert route.fetch().ok
        route.abort()

    page.route("**/v1/uploads**", lose_first)
    choose(page, file("small.txt"))
    expect(sent(page, "small.txt")).to_be_visible()
    page.get_by_label("Choose files").set_input_files(film)
    expect(sent(page, "film.mkv")).to_be_visible()
    names = [item["name"] for item in page.request.get("/v1/files").json()["items"]]
    assert names == ["film.mkv", "small.txt"]
    assert lost == ["POST", "PATCH"]
    ignore_lost_connections(watch)


@pytest.mark.parametrize("how", ["chosen", "dropped"])
def test_a_folder_is_sent_with_all_in_it(page: Page, person: str, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "Holiday"
    (folder / "empty").mkdir(parents=True)
    paths = ["a.txt", "day 1/b.txt", "day 1/deep/c.txt"]
    if how == "dropped":
        paths += [f"many/{n}.txt" for n in range(101)]  # browsers list a hundred at once
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    if how == "chosen":
        page.get_by_label("Choose a folder").set_input_files(folder)
    else:
        drop(page, folder)
    expect(uploads(page)).to_contain_text(f"{len(paths)} files done")
    items = page.request.get("/v1/files?limit=1000").json()["items"]
    assert {item["name"] for item in items} == {
        f"Holiday - {path.replace('/', ' - ')}" for path in paths
    }


def drop(page: Page, path: Path) -> None:
    """Drop a file or a folder on a page, as a person does."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 200, "y": 200, "data": data}
        devtools.send("Input.dispatchDragEvent", event)


@pytest.mark.slow
def test_a_queue_is_accessible(page: Page, person: str, line: Line, watch: Watch) -> None:
    problem = {"detail": "The account's quota does not allow this"}
    page.route("**/v1/uploads", lambda route: route.fulfill(status=413, json=problem))
    choose(page, file("fails.txt"))
    expect(uploads(page)).to_contain_text(problem["detail"])
    page.unroute("**/v1/uploads")
    line.cut()
    choose(page, *(file(f"{n}.bin", b"x" * 300_000) for n in range(5)))
    page.get_by_role("button", name="Pause 1.bin").click()
    expect(uploads(page)).to_contain_text("Waiting for the network")
    page.evaluate(AXE)
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        assert fits(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == []
    page.context.clear_cookies()
    line.mend()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    watch.expect_status(413)
    watch.expect_status(401)
    ignore_lost_connections(watch)


def test_a_long_queue_is_readable(page: Page, person: str, line: Line, watch: Watch) -> None:
    line.cut()
    choose(page, *(file(f"{n}.txt") for n in range(500)))
    expect(uploads(page)).to_contain_text("0 of 500 files")
    expect(uploads(page)).to_contain_text("waiting for the network")
    expect(uploads(page).get_by_role("listitem")).to_have_count(6)
    page.get_by_role("button", name="Show the 494 that wait").press("Enter")
    expect(uploads(page).get_by_role("listitem")).to_have_count(36)
    page.get_by_role("button", name="Cancel 7.txt").press("Enter")
    expect(page.get_by_role("button", name="Cancel 8.txt")).to_be_focused()
    expect(uploads(page)).to_contain_text("0 of 499 files")
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Cancel all").click()
    expect(uploads(page)).to_be_hidden()
    ignore_lost_connections(watch)


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_many_small_files_arrive(page: Page, person: str, count: int) -> None:
    page.evaluate("""() => {
        window.most = 0;
        const count = () => { most = Math.max(most, document.querySelectorAll("main *").length); };
        new MutationObserver(count).observe(document.body, { childList: true, subtree: true });
    }""")
    choose(page, *(file(f"{n}.txt", str(n).encode()) for n in range(count)))
    expect(uploads(page)).to_contain_text(f"{count} files done")
    expect(page.locator(".sent")).to_have_count(20)
    assert page.request.get("/v1/accounts/me").json()["usage"]["objects"] == count
    assert page.evaluate("most") < 1500 + 40 * count, "of each it shows a row, and no more"
