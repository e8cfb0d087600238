"""Inboxes of a service that is killed while strangers give to them."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.system import tus

_TOGETHER = ("form-large", "form-small")
_MOST = 4  # files: what is given, and no more


@dataclass
class Inboxes:
    """What an owner and a stranger do with one inbox at a time, in all the ways there are."""

    client: httpx.Client
    sent: dict[str, bytes] = field(default_factory=dict)

    def fill(self, large: bytes, small: bytes) -> None:
        """Make an inbox, and give it all that it takes."""
        self.sent |= {"alone": large, "form-large": large[::-1], "form-small": small}
        self.sent["uploaded"] = large[1:]
        made = self.client.post("/v1/inboxes", json={"title": "Inbox", "max_files": _MOST})
        assert made.status_code == 201, made.text
        path = urlsplit(made.json()["url"]).path
        given = self.client.put(f"{path}/alone", content=self.sent["alone"])
        assert given.status_code == 201, given.text
        form = [("file", (name, self.sent[name])) for name in _TOGETHER]
        given = self.client.post(path, files=form)
        assert given.status_code == 201, given.text
        tus.upload(self.client, f"{path}/uploads", self.sent["uploaded"], filename="uploaded")
        (inbox,) = self._list("/v1/inboxes")
        assert self._came(inbox) == self.sent

    def find_and_delete(self) -> None:
        """See that what has come is whole, and counted; then delete all."""
        for inbox in self._list("/v1/inboxes"):
            came = self._came(inbox)
            assert came == {name: self.sent[name] for name in came}
            assert len(came.keys() & {*_TOGETHER}) in {0, len(_TOGETHER)}, "a form comes whole"
            size = sum(map(len, came.values()))
            is_counted = (inbox["files"], inbox["bytes"]) == (len(came), size)
            assert is_counted or inbox["files"] == _MOST  # of which some are deleted already
        for kind in ("files", "bundles", "inboxes"):
            for item in self._list(f"/v1/{kind}"):
                gone = self.client.delete(f"/v1/{kind}/{item['id']}")
                assert gone.status_code == 204, gone.text

    def _came(self, inbox: dict[str, Any]) -> dict[str, bytes]:
        came = {}
        for item in self._list(f"/v1/inboxes/{inbox['id']}"):
            if item["kind"] == "file":
                came[item["name"]] = self._read(f"/v1/files/{item['id']}/content")
                continue
            members = f"/v1/bundles/{item['id']}/items"
            for member in self._list(members):
                came[member["name"]] = self._read(f"{members}/{member['id']}/content")
        return came

    def _list(self, path: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.client.get(path).raise_for_status().json()["items"]
        return listed

    def _read(self, path: str) -> bytes:
        return self.client.get(path).raise_for_status().content
