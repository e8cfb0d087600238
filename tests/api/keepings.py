"""All that an account can keep, something of each kind: for tests that must miss none of it."""

import random
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, Table, select

from app import clock
from app.accounts.welcome.entities import DAY
from app.database import Database
from app.security.credentials import OwnWork
from tests.api.conftest import PASSWORD, Service
from tests.api.crash_forms import FILE, form, make_key, submit
from tests.api.otp_device import enable
from tests.api.tus_client import VERSION, append, create, head
from tests.minidump_files import Minidump
from tests.pictures import encoded, quarters
from tests.symbol_files import NAMED, breakpad

SEGMENT: Final = 64 * 1024
LARGE: Final = random.Random(5).randbytes(100_000)
"""Too much for a row."""
DUMP: Final = Minidump(modules=[NAMED]).write()

Headers = dict[str, str]
Row = tuple[Any, ...]


class Keeper:
    """An account with something of each kind, and what its clients know of it.

    Its tier allows links: the service has `DEFAULT_TIER` Enterprise.
    """

    def __init__(self, service: Service, name: str) -> None:
        self.name = name
        self.headers: Headers = {}
        self.account: dict[str, Any] = {}
        self.upload = ""
        """The URL of an upload that is not finished."""
        self.link = ""
        """The URL of a link without a password."""
        self.key = ""
        self.recovery_codes: list[str] = []
        self._service = service

    async def keep_all(self) -> None:
        """Fill the account."""
        self.account, self.headers = await self._service.sign_up(self.name)
        self.key = await make_key(self._service, self.headers, "blobs:read", "dumps:submit")
        await self._keep_one_time_links()
        self.recovery_codes = (await enable(self._service, self.headers)).recovery_codes
        await self._keep_objects()
        await self._keep_symbols()
        await self._keep_bundles()
        await self._keep_uploads()
        await self._keep_links()
        await self._keep_webhook()
        await self._keep_inbox()

    async def _keep_one_time_links(self) -> None:
        """Keep an invitation, as if it administrated, and a password reset."""
        runtime = self._service.runtime
        access = runtime.access(OwnWork(self.account["id"]), None)
        await runtime.welcome.invite(
            access, tier=None, is_admin=False, email="b@example.org", expires_in=DAY, url_of=str
        )
        await runtime.welcome.offer_reset(
            access, self.account["id"], DAY, ends_second_factor=True, url_of=str
        )

    async def _keep_objects(self) -> None:
        for name, data in (("small", b"small"), ("empty", b""), ("large", LARGE)):
            await self._ask("PUT", f"/v1/blobs/{name}/content", content=data)
        await self._ask("PUT", "/v1/blobs/large/content", content=LARGE[::-1])  # buries the first
        await self._ask("POST", "/v1/files", files={"file": ("ä.txt", LARGE)})
        text = self.headers | {"X-Data-Type": "text"}
        await self._ask("PUT", "/v1/buffer", content=LARGE, headers=text)  # goes into its history
        await self._ask("PUT", "/v1/buffer", content="a text, ⚓", headers=text)
        picture = encoded(quarters(), "png")
        made = await self._ask(
            "POST", "/v1/pictures", data={"name": "A picture"}, files={"img": picture}
        )
        await self._ask("GET", f"/v1/pictures/{made['id']}/thumbnails/200")
        attached = ("log", "log.txt", LARGE)
        await submit(self._service, self.key, form(attached, (FILE, "a.dmp", DUMP)))

    async def _keep_symbols(self) -> None:
        await self._ask("PUT", "/v1/symbols/upload/app.sym", content=breakpad())
        await self._ask("PUT", "/v1/dumps/rules", json={"rules": "[ignore]\nacme::log"})
        policy = {"kept": 50, "refuse": [{"name": "channel", "value": "dev"}]}
        await self._ask("PATCH", "/v1/dumps/policy", json=policy)
        runtime = self._service.runtime
        for task in (runtime.symbols.caches, runtime.dumps.reports):
            while await task.run_once(clock.now()):
                pass

    async def _keep_bundles(self) -> None:
        """Keep a bundle that owns files and points to a blob."""
        bundle = await self._ask("POST", "/v1/bundles", json={"name": "A bundle"})
        items = f"/v1/bundles/{bundle['id']}/items"
        sent = [("file", ("d/ä.txt", LARGE)), ("file", ("b", b"small"))]
        await self._ask("POST", items, files=sent)
        await self._ask("POST", items, json={"kind": "blob", "id": "large"})

    async def _keep_uploads(self) -> None:
        """Keep a blob that came in segments, and an upload that is to go on."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("app.objects.intake.append.SEGMENT", SEGMENT)
            for blob, count in (("whole", 2), ("begun", 1)):
                about = {"kind": "blob", "id": blob}
                begun = await create(self._service, self.headers, 2 * len(LARGE), **about)
                self.upload = begun.headers["location"]
                for number in range(count):
                    offset = number * len(LARGE)
                    sent = await append(self._service, self.headers, self.upload, offset, LARGE)
                    assert sent.status_code == 204, sent.text

    async def _keep_links(self) -> None:
        body = {"kind": "blob", "id": "large", "time": 3000}
        made = await self._ask("POST", "/v1/timelinks", json=body)
        self.link = made["url"]
        guarded = body | {"password": PASSWORD, "max_downloads": 3}
        await self._ask("POST", "/v1/timelinks", json=guarded)
        limited = await self._ask("POST", "/v1/timelinks", json=body | {"max_downloads": 2})
        claimed = await self._service.client.get(f"{limited['url']}?download=1")
        assert claimed.status_code == 303, claimed.text

    async def _keep_webhook(self) -> None:
        """Keep a webhook that is to be told of what comes."""
        body = {"url": "https://hooks.invalid/holdall", "events": ["file.received"]}
        await self._ask("POST", "/v1/webhooks", json=body)

    async def _keep_inbox(self) -> None:
        """Keep an inbox, what has come by it, and what a stranger has begun to send."""
        made = await self._ask("POST", "/v1/inboxes", json={"title": "An inbox", "password": "x"})
        path = urlsplit(made["url"]).path
        client, auth = self._service.client, ("", "x")
        given = await client.put(f"{path}/large", content=LARGE, auth=auth)
        assert given.status_code == 201, given.text
        form = [("file", ("a", b"small")), ("file", ("b", LARGE))]
        assert (await client.post(path, files=form, auth=auth)).status_code == 201
        begun = VERSION | {"Upload-Length": "10"}
        created = await client.post(f"{path}/uploads", headers=begun, auth=auth)
        assert created.status_code == 201, created.text

    async def seen_through(self, service: Service) -> dict[str, Any]:
        """Return what the account's clients see of it in a service, to the last byte."""
        client, seen = service.client, {}
        for what in (
            "blobs", "files", "bundles", "pictures", "dumps", "symbols", "timelinks", "inboxes",
            "webhooks", "dumps/rules", "dumps/policy", "accounts/me",
        ):  # fmt: skip
            seen[what] = (await client.get(f"/v1/{what}", headers=self.headers)).json()
        for link in (*seen["timelinks"]["items"], *seen["inboxes"]["items"]):
            del link["time_left"]
        for what in ("accounts/me/keys", "buffer"):
            seen[what] = (await client.get(f"/v1/{what}", headers=self.headers)).content
        paths = [f"/v1/blobs/{item['id']}/content" for item in seen["blobs"]["items"]]
        paths += [f"/v1/files/{item['id']}/content" for item in seen["files"]["items"]]
        for item in seen["bundles"]["items"]:
            items = f"/v1/bundles/{item['id']}/items"
            seen[items] = (await client.get(items, headers=self.headers)).json()
            paths += [f"{items}/{member['id']}/content" for member in seen[items]["items"]]
        for item in seen["pictures"]["items"]:
            paths += [f"/v1/pictures/{item['id']}/{of}" for of in ("original", "thumbnails/200")]
        paths += [f"/v1/symbols/{item['id']}/content" for item in seen["symbols"]["items"]]
        for item in seen["dumps"]["items"]:
            url = f"/v1/dumps/{item['id']}"
            dump = (await client.get(url, headers=self.headers)).json()
            paths.append(f"{url}/content")
            paths += [f"{url}/attachments/{a['id']}/content" for a in dump["attachments"]]
        for path in paths:
            answer = await client.get(path, headers=self.headers)
            assert answer.status_code == 200, (path, answer.text)
            seen[path] = answer.content, answer.headers["etag"]
        seen["link"] = (await client.head(self.link)).headers["etag"]  # counts no download
        seen["upload"] = (await head(service, self.headers, self.upload)).headers["upload-offset"]
        return seen

    async def _ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        options.setdefault("headers", self.headers)
        answer = await self._service.client.request(method, path, **options)
        assert answer.is_success, (path, answer.text)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json else None


async def rows_of(database: Database, table: Table) -> list[Row]:
    """Return all rows of a table, by its primary key."""

    def read(connection: Connection) -> list[Row]:
        rows = connection.execute(select(table).order_by(*table.primary_key))
        return [tuple(row) for row in rows]

    return await database.read(read)
