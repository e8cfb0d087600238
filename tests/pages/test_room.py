"""The bound of files that expire, on the pages: nothing goes unless somebody lets it go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.pages.conftest import OpenPage, SignUp, Watch, from_menu
from tests.pages.test_send import choose, file, rows, sent
from tests.system import processes
from tests.system.processes import Service

pytestmark = pytest.mark.slow

MOST = 5


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose accounts have few files that expire."""
    folder = tmp_path_factory.mktemp("live")
    settings = {
        "DATA_DIR": str(folder / "data"),
        "RATE_LIMITS": "off",
        "REGISTRATION": "open",
        "MAX_FILES": str(MOST),
    }
    service = processes.spawn(settings, folder, "service")
    service.wait_until_ready()
    yield service
    service.kill()


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> Page:
    """A page of somebody who has just signed up."""
    sign_up(page)
    return page


def fill(page: Page, count: int) -> list[Any]:
    """Send files from elsewhere, of which the first expires first."""
    made = []
    for number in range(count):
        answer = page.request.post(
            "/v1/files",
            multipart={"file": file(f"old{number}.txt"), "expires_in": str(3600 + number)},
        )
        assert answer.ok, answer.text()
        made.append(answer.json())
    return made


def begin(page: Page) -> None:
    """Open the page for sending, which gives each file a link."""
    page.goto("/file/load")
    page.get_by_label("Several files get one link").uncheck()


def names(page: Page) -> set[str]:
    return {item["name"] for item in page.request.get("/v1/files").json()["items"]}


def answer_with(page: Page, *, accept: bool) -> list[str]:
    """Answer every question of a page, and collect them."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if accept:
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", answer)
    return asked


def test_a_batch_that_is_too_large_is_refused_whole(person: Page) -> None:
    begin(person)
    asked = answer_with(person, accept=True)
    choose(person, *(file(f"{n}.txt") for n in range(MOST + 3)))
    refused = person.get_by_role("alert")
    expect(refused).to_contain_text(f"{MOST} files that expire can be here at once. Send fewer")
    assert names(person) == set()
    person.get_by_label("Expire", exact=True).select_option("0")
    choose(person, *(file(f"{n}.txt") for n in range(MOST + 3)))
    expect(person.locator(".sent")).to_have_count(MOST + 3)
    expect(refused).to_be_hidden()
    assert asked == []


def test_who_sends_more_is_asked_which_may_go(person: Page) -> None:
    fill(person, 4)
    begin(person)
    asked = answer_with(person, accept=False)
    choose(person, *(file(f"new{n}.txt") for n in range(3)))
    expect(person.locator("#refused")).to_be_hidden()
    expect(person.locator("#uploads")).to_be_hidden()
    choose(person, file("one.txt"))  # for which there is room
    expect(sent(person, "one.txt")).to_be_visible()
    assert len(asked) == 1
    assert "old0.txt" in asked[0]
    assert "old1.txt" in asked[0]
    assert "old2.txt" not in asked[0]
    assert names(person) == {"old0.txt", "old1.txt", "old2.txt", "old3.txt", "one.txt"}


@pytest.mark.parametrize("expires", ["after 10 minutes", "after 7 days"])
def test_what_may_go_makes_room_and_nothing_of_the_batch_goes(person: Page, expires: str) -> None:
    """Though it be the first to expire."""
    fill(person, 4)
    begin(person)
    person.get_by_label("Expire", exact=True).select_option(expires)
    asked = answer_with(person, accept=True)
    choose(person, *(file(f"new{n}.txt") for n in range(4)))
    expect(person.locator(".sent")).to_have_count(4)
    new = {f"new{n}.txt" for n in range(4)}
    assert names(person) == new | {"old3.txt"}
    assert len(asked) == 1
    for card in person.locator(".sent").all():
        link = card.get_by_role("link").get_attribute("href")
        assert link is not None
        assert person.request.get(link).status == 200
    expect(person.locator(".ended")).to_have_count(0)
    expect(rows(person)).to_have_count(MOST)


def test_an_upload_that_fails_ends_nothing(person: Page, watch: Watch) -> None:
    fill(person, MOST)
    begin(person)
    answer_with(person, accept=True)
    limit = {"detail": "The account's quota does not allow this"}
    person.route("**/v1/uploads", lambda route: route.fulfill(status=413, json=limit))
    choose(person, file("new.txt"))
    expect(person.get_by_text(limit["detail"], exact=True)).to_be_visible()
    watch.expect_status(413)
    person.unroute("**/v1/uploads")
    assert names(person) == {f"old{n}.txt" for n in range(MOST)}
    choose(person, file("new.txt"))
    expect(sent(person, "new.txt")).to_be_visible()
    assert names(person) == {"new.txt"} | {f"old{n}.txt" for n in range(1, MOST)}


def test_two_batches_at_once_share_the_room(person: Page) -> None:
    fill(person, 3)
    begin(person)
    asked = answer_with(person, accept=True)
    choose(person, file("a.txt"), file("b.txt"))
    choose(person, file("c.txt"), file("d.txt"))
    expect(person.locator(".sent")).to_have_count(4)
    assert names(person) == {"a.txt", "b.txt", "c.txt", "d.txt", "old2.txt"}
    assert len(asked) == 1


def test_a_card_whose_link_has_died_says_so(person: Page, open_page: OpenPage) -> None:
    person.clock.install()
    begin(person)
    choose(person, file("a.txt"), file("b.txt"), file("c.txt"))
    expect(person.locator(".sent")).to_have_count(3)
    by_name = {f["name"]: f["id"] for f in person.request.get("/v1/files").json()["items"]}
    assert person.request.delete(f"/v1/files/{by_name['a.txt']}").ok
    person.clock.run_for(16_000)
    expect(sent(person, "a.txt")).to_contain_text("This link has ended.")
    expect(sent(person, "a.txt").get_by_role("link")).to_have_count(0)
    expect(sent(person, "a.txt").get_by_role("button")).to_have_count(0)
    expect(sent(person, "b.txt").get_by_role("link")).to_have_count(1)
    person.once("dialog", lambda question: question.accept())
    from_menu(person.locator("#files"), "Delete b.txt", "b.txt").click()
    expect(sent(person, "b.txt")).to_contain_text("Deleted. Its links have ended.")
    expect(sent(person, "b.txt").get_by_role("link")).to_have_count(0)
    expect(sent(person, "c.txt").get_by_role("link")).to_have_count(1)


def test_without_scripts_one_is_let_go_by_name(
    open_page: OpenPage, sign_up: SignUp, tmp_path: Path, watch: Watch
) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    fill(page, MOST - 1)
    page.goto("/file/load")
    expect(page.get_by_role("radio")).to_have_count(0)
    page.get_by_label("Choose files").set_input_files(file("new.txt"))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="new.txt is sent")).to_be_visible()

    page.goto("/file/load")
    page.get_by_label("Choose files").set_input_files(file("more.txt"))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading")).to_have_text("Too many files that expire")
    watch.expect_status(409)
    page.goto("/file/load")
    page.get_by_label("Replace old0.txt").check()
    page.get_by_label("Choose files").set_input_files(file("more.txt"))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="more.txt is sent")).to_be_visible()
    assert names(page) == {"old1.txt", "old2.txt", "old3.txt", "new.txt", "more.txt"}


def test_what_a_device_shares_evicts_nothing(person: Page) -> None:
    fill(person, MOST - 1)
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\nA\r\n' % n
        for n in range(2)
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = person.request.post("/share", data=parts + b"--x--\r\n", headers=headers)
    assert refused.status == 409
    assert names(person) == {f"old{n}.txt" for n in range(MOST - 1)}
