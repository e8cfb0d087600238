"""Takes the pictures of the pages that ``docs/`` shows: ``python -m tests.pages.screenshots``.

A service of its own is filled with things of every kind, and shown by a browser.
"""

import io
import random
import tempfile
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Page,
    ViewportSize,
)

from tests.browsers import chromium
from tests.minidump_files import APP, LIBC, Minidump, Module
from tests.system import processes
from tests.system.processes import wait_for

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screenshots"
PASSWORD: Final = "correct horse battery"
LAPTOP: Final[ViewportSize] = {"width": 1100, "height": 720}
PHONE: Final[ViewportSize] = {"width": 375, "height": 720}
NAMES: Final = (
    "Harbour",
    "Dunes",
    "First snow",
    "Market",
    "Lighthouse",
    "Orchard",
    "Ferry",
    "Tram",
)

_DUMP: Final = "upload_file_minidump"

SHOTS: Final = {
    "home": ("/", LAPTOP, "light"),
    "send": ("/file/load", PHONE, "light"),
    "buffer": ("/file/buffer", PHONE, "dark"),
    "pictures": ("/pictures", LAPTOP, "dark"),
    "dumps": ("/dumps?state=all&sort=count", LAPTOP, "light"),
    "signature": ("/dumps/signatures/{signature}", LAPTOP, "dark"),
    "links": ("/links", LAPTOP, "light"),
    "link": ("{link}", PHONE, "light"),
    "admin": ("/admin", LAPTOP, "dark"),
}


def main() -> None:
    """Fill a service, and save a picture of each page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        settings = {
            "DATA_DIR": f"{folder}/data",
            "ADMIN_USERNAME": "ada",
            "ADMIN_PASSWORD": PASSWORD,
            "DEFAULT_TIER": "Enterprise",
        }
        with processes.running(settings, Path(folder)) as service:
            _shoot(browser, service.url)


def _shoot(browser: Browser, url: str) -> None:
    owner = browser.new_context(base_url=url)
    signed_in = owner.request.post("/account/login", form={"username": "ada", "password": PASSWORD})
    assert signed_in.ok
    places = _fill(owner)
    for name, (path, viewport, scheme) in SHOTS.items():
        page = owner.new_page()
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(path.format(**places))
        _save(page, FOLDER / f"{name}.png")
        page.close()


def _save(page: Page, path: Path) -> None:
    # the buffer's page keeps a stream open, so there is no silence to wait for
    page.wait_for_load_state("load")
    wait_for(lambda: page.evaluate("[...document.images].every(image => image.complete)"))
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)


def _fill(owner: BrowserContext) -> dict[str, str]:
    """Keep something of every kind; returns what paths name."""
    randomly = random.Random(7)
    ask = owner.request

    def post(path: str, **form: str | FilePayload) -> Any:  # noqa: ANN401 - JSON
        answer = ask.post(path, multipart={**form})
        assert answer.ok, answer.text()
        return answer.json()

    for name in NAMES:
        post("/v1/pictures", name=name, img=_payload("a.jpg", "image/jpeg", _landscape(randomly)))
    for name in ("minutes.pdf", "holiday.zip", "slides.odp"):
        data = randomly.randbytes(randomly.randrange(100_000, 3_000_000))
        file = post("/v1/files", file=_payload(name, "application/octet-stream", data))
    text = "https://example.org/the-article\nsee section 3"
    assert ask.put("/v1/buffer", data=text, headers={"X-Data-Type": "text"}).ok
    for _ in range(40):
        version = f"1.{randomly.randrange(8, 12)}"
        sent = ask.post(
            "/v1/dumps/minidump", multipart={"prod": "App", "ver": version, _DUMP: _dump(randomly)}
        )
        assert sent.ok, sent.text()
    wait_for(lambda: all(dump["report_state"] == "read" for dump in _dumps(owner)))
    signatures = ask.get("/v1/dumps/signatures?sort=count").json()["items"]
    fates = ({"note": "A race in the parser"}, {"state": "ignored"}, {"state": "resolved"})
    for signature, fate in zip(signatures, fates, strict=False):
        assert ask.patch(f"/v1/dumps/signatures/{signature['id']}", data=fate).ok
    dump = _dumps(owner)[0]["id"]
    for kind, identity, count in (("file", file["id"], 3), ("dump", dump, 1)):
        body = {"kind": kind, "id": identity, "time": 3600, "max_downloads": count}
        assert ask.post("/v1/timelinks", data=body).ok
    picture = ask.get("/v1/pictures").json()["items"][0]["id"]
    link = ask.post("/v1/timelinks", data={"kind": "picture", "id": picture, "time": 7200})
    return {"dump": dump, "link": link.json()["url"], "signature": signatures[0]["id"]}


def _dumps(owner: BrowserContext) -> Any:  # noqa: ANN401 - JSON
    return owner.request.get("/v1/dumps").json()["items"]


def _dump(randomly: random.Random) -> FilePayload:
    modules = [APP, LIBC, Module("/usr/lib/libcodec.so.4", 0x7F1000000000, 0x80000)]
    pointer = 0x400000 + 16 * int(randomly.expovariate(0.4))
    data = Minidump(pointer=pointer, modules=modules, code=randomly.choice([11, 11, 6])).write()
    return _payload(f"{randomly.randbytes(4).hex()}.dmp", "application/octet-stream", data)


def _payload(name: str, kind: str, data: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType=kind, buffer=data)


def _landscape(randomly: random.Random) -> bytes:
    """Paint hills below a sky."""
    width, height = 900, 600
    sky = [randomly.randrange(120, 220) for _ in range(3)]
    picture = Image.new("RGB", (width, height), tuple(sky))
    draw = ImageDraw.Draw(picture)
    x, y = randomly.randrange(100, 800), randomly.randrange(60, 200)
    draw.ellipse((x - 50, y - 50, x + 50, y + 50), fill=(250, 240, 210))
    for layer in range(4):
        shade = tuple(max(0, part - 35 * (layer + 1)) for part in sky)
        line = [(0, height)]
        top = 260 + 80 * layer
        steps = range(0, width + 60, 60)
        line += [(step, top + randomly.randrange(-40, 40)) for step in steps]
        draw.polygon([*line, (width, height)], fill=shade)
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=85)
    return out.getvalue()


if __name__ == "__main__":
    main()
