"""The app's manifest below a path prefix: all it names lies there."""

import pytest

from tests.api.conftest import MakeSettings, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]


async def test_all_that_it_names_lies_below_the_prefix(make_settings: MakeSettings) -> None:
    settings = make_settings(public_url="https://files.example.org/h", registration="open")
    async with running(settings) as service:
        page = await service.client.get("/h/", headers={"Accept": "text/html"})
        assert '<link rel="manifest" href="/h/manifest.webmanifest">' in page.text
        answer = await service.client.get("/h/manifest.webmanifest")
        assert answer.headers["content-type"] == "application/manifest+json"
        manifest = answer.json()
        assert manifest["start_url"] == manifest["scope"] == manifest["id"] == "/h/"
        assert all(shortcut["url"].startswith("/h/") for shortcut in manifest["shortcuts"])
        for icon in manifest["icons"]:
            assert icon["src"].startswith("/h/static/")
            assert (await service.client.get(icon["src"])).status_code == 200
        target = manifest["share_target"]["action"]
        assert target == "/h/share"
        _, headers = await service.sign_up("ada")
        shared = await service.client.post(target, files={"text": (None, "x")}, headers=headers)
        assert (shared.status_code, shared.headers["location"]) == (303, "/h/file/buffer")
