"""tus-js-client, which Uppy uploads with: what it uploads goes on after its end, and a break."""

import asyncio
import json
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.clients.conftest import HERE, NODE_BINARIES, Require
from tests.deadline import DEADLINE
from tests.pictures import encoded
from tests.proxy import Proxy, proxy_to
from tests.system.processes import SERVICE_TOKEN, Service

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MIB = 1024 * 1024
DATA = random.Random(3).randbytes(3 * MIB + 17)
NOISE = encoded(Image.frombytes("RGB", (1024, 1024), DATA[: 3 * MIB]), "png")


@dataclass
class Client:
    """A program that uploads ``path`` through a proxy."""

    proxy: Proxy
    path: Path
    metadata: dict[str, str]

    async def run(self, *, piece: int | float, dies_after: int = 0) -> list[dict[str, Any]]:
        """Upload in requests of ``piece`` bytes; returns the answers to them.

        It dies after the given number of answers; 0: it lives until the upload is complete.
        """
        program = str(HERE / "round_trips" / "tus_js.mjs")
        url = f"http://127.0.0.1:{self.proxy.port}/v1/uploads"
        size = "Infinity" if piece == float("inf") else str(piece)
        arguments = (url, SERVICE_TOKEN, str(self.path), json.dumps(self.metadata), size)
        node = await asyncio.create_subprocess_exec(
            *("node", program, *arguments, str(dies_after)), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(DEADLINE):
            printed, _ = await node.communicate()
        assert node.returncode == (-signal.SIGKILL if dies_after else 0), printed
        return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.parametrize(
    ("metadata", "data", "content"),
    [
        ({"filename": "a.bin"}, DATA, "{}/content"),
        ({"kind": "blob", "id": "a/b"}, DATA, "{}"),
        ({"kind": "dump", "filename": "a.dmp", "label": "acme"}, DATA, "{}/content"),
        ({"kind": "picture", "name": "Noise"}, NOISE, "{}/original"),
        ({"kind": "buffer", "filename": "a.bin"}, DATA, "{}"),
    ],
    ids=["file", "blob", "dump", "picture", "buffer"],
)
async def test_an_upload_goes_on_after_its_client_died_and_its_connection_broke(
    service: Service,
    require: Require,
    tmp_path: Path,
    metadata: dict[str, str],
    data: bytes,
    content: str,
) -> None:
    require("node")
    if not (NODE_BINARIES.parent / "tus-js-client").is_dir():
        pytest.skip("not installed: tus-js-client (make test-clients installs it)")
    path = tmp_path / "body"
    path.write_bytes(data)
    async with proxy_to(service.address[1]) as proxy:
        client = Client(proxy, path, metadata)
        created, first = await client.run(piece=MIB, dies_after=2)
        assert (created["method"], created["status"]) == ("POST", 201)
        assert (first["method"], first["status"], first["offset"]) == ("PATCH", 204, MIB)
        proxy.break_after(MIB)
        again, *_, resumed, last = await client.run(piece=float("inf"))
    assert (again["method"], again["offset"]) == ("HEAD", MIB)
    assert resumed["method"] == "HEAD"
    assert MIB < resumed["offset"] < len(data)
    assert (last["method"], last["status"], last["offset"]) == ("PATCH", 204, len(data))
    headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
    made = await asyncio.to_thread(
        httpx.get, service.url + content.format(last["made"]), headers=headers, timeout=DEADLINE
    )
    assert made.content == data
