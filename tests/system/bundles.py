"""Bundles of a service that is killed while it makes or ends them."""

from dataclasses import dataclass, field

import httpx

from tests.system import tus

_FIRST = ("large", "small")  # they come in one form


@dataclass
class Bundles:
    """What a client makes: one bundle at a time, of a form with two files, and an upload."""

    client: httpx.Client
    sent: dict[str, bytes] = field(default_factory=dict)

    def fill(self, large: bytes, small: bytes) -> str:
        """Make a bundle, fill and close it; returns its path."""
        self.sent |= {"large": large, "small": small, "uploaded": large[::-1]}
        made = self.client.post("/v1/bundles", json={"expires_in": 3600})
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        form = [("file", (name, self.sent[name])) for name in _FIRST]
        added = self.client.post(f"{path}/items", files=form)
        assert added.status_code == 201, added.text
        bundle = path.rpartition("/")[2]
        about = {"kind": "file", "filename": "uploaded", "bundle": bundle}
        tus.upload(self.client, "/v1/uploads", self.sent["uploaded"], **about)
        closed = self.client.patch(path, json={"is_open": False})
        assert closed.status_code == 200, closed.text
        assert self._members(path) == self.sent
        return str(path)

    def delete(self, path: str) -> None:
        """Delete a bundle."""
        gone = self.client.delete(path)
        assert gone.status_code == 204, gone.text

    def find_and_delete(self) -> None:
        """See that what is left of a bundle is whole; then delete it."""
        for bundle in self._listed():
            path = f"/v1/bundles/{bundle['id']}"
            held = self._members(path)
            assert held == {name: self.sent[name] for name in held}
            assert set(held) in ({}.keys(), {*_FIRST}, {*self.sent}), "a form comes whole"
            assert bundle["is_open"] or len(held) == len(self.sent)
            self.delete(path)
        assert self._listed() == []

    def _listed(self) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.client.get("/v1/bundles").json()["items"]
        return listed

    def _members(self, path: str) -> dict[str, bytes]:
        items = self.client.get(f"{path}/items").json()["items"]
        return {
            item["name"]: self.client.get(f"{path}/items/{item['id']}/content").content
            for item in items
        }
