"""The S3 store: the conformance suite, and what only a server over HTTP can get wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest

from storage.base import ObjectStore, is_key, new_key
from storage.conformance import StoreConformance
from storage.conformance.bodies import chunked, content
from storage.conformance.hooks import CHUNK, MIB, fetch, make
from storage.errors import StorageError, StoreFull, StoreUnavailable
from storage.parts import Part, Parts
from storage.s3.store import S3Store
from storage.s3.upload import part_size
from tests import servers
from tests.deadline import DEADLINE
from tests.proxy import Proxy, proxy_to
from tests.servers import S3Server
from tests.storage.faults import answering, assert_unavailable, killed_put

pytestmark = pytest.mark.anyio


class Oracle:
    """Looks at a bucket by a plain synchronous client."""

    def __init__(self, server: S3Server, bucket: str) -> None:
        self.bucket = bucket
        self.client = servers.s3_client(
            server.endpoint_url, server.access_key, server.secret_key, server.region
        )

    def objects(self) -> list[str]:
        """Return the keys of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        with self.client.get_object(Bucket=self.bucket, Key=key)["Body"] as body:
            data: bytes = body.read()
        return data

    def uploads(self) -> list[tuple[str, str]]:
        """Return key and id of every unfinished upload."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [(one["Key"], one["UploadId"]) for one in found.get("Uploads", ())]

    def begin(self, key: str, *parts: bytes) -> str:
        """Begin an upload, send these parts, and return its id."""
        address = {"Bucket": self.bucket, "Key": key}
        upload_id: str = self.client.create_multipart_upload(**address)["UploadId"]
        for number, part in enumerate(parts, 1):
            self.client.upload_part(**address, UploadId=upload_id, PartNumber=number, Body=part)
        return upload_id

    def clear(self) -> None:
        """Empty the bucket, or make a new one: SeaweedFS keeps empty folders and lists them slowly.

        A new one costs as much as they do when there are few.
        """
        keys = self.objects()
        if len(keys) > 20:
            self.client.delete_bucket(Bucket=self.bucket)
            self.client.create_bucket(Bucket=self.bucket)
            return
        for key in keys:
            self.client.delete_object(Bucket=self.bucket, Key=key)
        for key, upload_id in self.uploads():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)


def settings(server: S3Server, bucket: str, **changes: str) -> dict[str, str]:
    """Return the arguments that open a store on a bucket of the server."""
    return {
        "bucket": bucket,
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "endpoint_url": server.endpoint_url,
        **changes,
    }


@asynccontextmanager
async def opened(arguments: dict[str, str], patience: float = 15.0) -> AsyncIterator[S3Store]:
    """Open a store and close it in the end."""
    store = await S3Store.connect(**arguments, patience=patience)
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture(scope="module")
def oracle(s3_server: S3Server) -> Iterator[Oracle]:
    oracle = Oracle(s3_server, "conformance")
    oracle.client.create_bucket(Bucket=oracle.bucket)
    yield oracle
    oracle.client.close()


def short_pages(params: dict[str, Any], **_: object) -> dict[str, Any]:
    """Ask for pages of 40: a server's own have 1000 keys, which take 5 s to make."""
    return params | {"MaxKeys": 40}


class TestS3Store(StoreConformance):
    many = 110
    stalled = 70  # more than the pool has connections
    cancel_points = 8
    examples = 2

    @pytest.fixture(autouse=True)
    def _bucket(self, s3_server: S3Server, oracle: Oracle) -> Iterator[None]:
        self.server, self.oracle = s3_server, oracle
        yield
        oracle.clear()

    async def connect(self) -> ObjectStore:
        arguments = settings(self.server, self.oracle.bucket)
        store = await S3Store.connect(**arguments, patience=15.0)
        store.bucket.client.meta.events.register(
            "provide-client-params.s3.ListObjectsV2", short_pages
        )
        return store

    async def raw_objects(self) -> dict[str, bytes]:
        return {key: self.oracle.read(key) for key in self.oracle.objects() if is_key(key)}

    async def residue(self) -> list[str]:
        strange = [key for key in self.oracle.objects() if not is_key(key)]
        return [*strange, *(f"upload {key} {name}" for key, name in self.oracle.uploads())]

    async def leave_unfinished(self, key: str) -> None:
        self.oracle.begin(key, b"half" * (5 << 18))


@pytest.fixture
async def store(s3_server: S3Server, oracle: Oracle) -> AsyncIterator[S3Store]:
    async with opened(settings(s3_server, oracle.bucket)) as store:
        yield store
    oracle.clear()


async def test_stores_with_prefixes_of_their_own_share_a_bucket(
    s3_server: S3Server, oracle: Oracle, store: S3Store
) -> None:
    """One prefix begins as the other does, and a third store has none."""
    key = new_key("blobs")[:-1] + "0"
    bodies = {"one/": b"one", "one/two/": content(9 * MIB), "": b"none"}
    async with AsyncExitStack() as stack:
        stores = {"": store}
        for prefix in ("one/", "one/two/"):
            arguments = settings(s3_server, oracle.bucket, prefix=prefix)
            stores[prefix] = await S3Store.connect(**arguments, patience=15.0)
            stack.push_async_callback(stores[prefix].aclose)
        for prefix, data in bodies.items():
            await stores[prefix].put(key, chunked(data, CHUNK), size=len(data))
            oracle.begin(f"{prefix}{key[:-1]}f", b"half")
        assert {oracle.read(prefix + key) for prefix in bodies} == {*bodies.values()}
        for prefix, data in bodies.items():
            found = [(info.key, info.size) async for info in stores[prefix].list("blobs/")]
            assert found == [(key, len(data))]
            begun = [info.key async for info in stores[prefix].unfinished()]
            assert begun == [key[:-1] + "f"]
            assert (await stores[prefix].stat(key)).size == len(data)
            assert await fetch(stores[prefix], key) == data
        await stores["one/"].delete([key, key[:-1] + "f", new_key("blobs")])
        assert sorted(oracle.objects()) == sorted([key, f"one/two/{key}"])
        assert sorted(name for name, _ in oracle.uploads()) == sorted(
            [key[:-1] + "f", f"one/two/{key[:-1]}f"]
        )


@pytest.mark.slow
async def test_a_list_goes_on_behind_a_page_of_the_servers_own_size(store: S3Store) -> None:
    made = [await make(store, 1) for _ in range(1010)]
    listed = [info.key async for info in store.list()]
    assert sorted(listed) == sorted(key for key, _ in made)


@pytest.mark.parametrize("size", [None, 1, 100 * MIB, 78 * 1024 * MIB, 5 * 1024 * 1024 * MIB])
def test_ten_thousand_parts_are_enough(size: int | None) -> None:
    sizes = [part_size(number, size) for number in range(1, 10_001)]
    assert sum(sizes) >= (size or 5 * 1024 * 1024 * MIB)
    assert all(5 * MIB <= one <= 5 * 1024 * MIB for one in sizes)


async def test_parts_of_many_sizes_make_up_the_body() -> None:
    data = content(42 * MIB)
    sizes = [MIB, 2 * MIB, 17 * MIB]  # the last is kept in a file
    parts = Parts(chunked(data, CHUNK), None, lambda number: sizes[number % 3])
    got: dict[int, bytes] = {}

    async def send(part: Part) -> None:
        await asyncio.sleep(0)
        got[part.number] = bytes(part.view)

    await parts.send_all(await parts.next(), send, 8 * MIB)
    assert b"".join(got[number] for number in sorted(got)) == data
    assert [len(got[number]) for number in (1, 2, 3)] == [2 * MIB, 17 * MIB, MIB]


async def test_a_killed_put_leaves_only_what_delete_takes(
    s3_server: S3Server, oracle: Oracle, store: S3Store
) -> None:
    key = new_key("blobs")
    await killed_put("s3", settings(s3_server, oracle.bucket), key)
    assert [left for left, _ in oracle.uploads()] == [key]
    assert oracle.objects() == []
    await store.delete([key])
    assert oracle.uploads() == []


async def test_delete_leaves_the_uploads_of_others(oracle: Oracle, store: S3Store) -> None:
    keys = [new_key("blobs") for _ in range(5)]
    uploads = {key: oracle.begin(key, b"part") for key in keys}
    await store.delete(keys[:4])
    assert oracle.uploads() == [(keys[4], uploads[keys[4]])]


async def test_a_replaced_object_is_never_mixed_with_the_old_one(
    oracle: Oracle, store: S3Store
) -> None:
    key, data = await make(store, 9 * MIB)
    async with store.open(key) as reader:
        chunks = aiter(reader)
        got = [await anext(chunks)]
        oracle.client.put_object(Bucket=oracle.bucket, Key=key, Body=b"x" * 9 * MIB)

        async def read_on() -> None:
            async for chunk in chunks:
                got.append(chunk)  # noqa: PERF401 (what comes before the error counts)

        with pytest.raises(StorageError):
            await read_on()
    assert data.startswith(b"".join(got))


async def test_s3_refuses_bytes_that_changed_on_the_way(
    oracle: Oracle, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What S3 gets is not what the checksum was made of.
    monkeypatch.setattr("storage.s3.upload.crc32", lambda _: 12345)
    for size in (1000, 9 * MIB):
        with pytest.raises(StoreUnavailable):
            await make(store, size)
    assert (oracle.objects(), oracle.uploads()) == ([], [])


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1"])
@pytest.mark.parametrize("bucket", ["my-bucket", "my.bucket"])
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9", "https://s3.test/base/"])
async def test_bytes_go_where_all_other_requests_go(
    region: str, bucket: str, endpoint: str | None
) -> None:
    place = {"bucket": bucket, "region": region, "access_key": "a", "secret_key": "b"}
    if endpoint is not None:
        place["endpoint_url"] = endpoint
    async with opened(place) as store:
        asked: list[str] = []

        def refuse(request: AWSPreparedRequest, **_: object) -> None:
            asked.append(request.url)
            raise OSError

        store.bucket.client.meta.events.register("before-send.s3", refuse)
        with pytest.raises(StoreUnavailable):
            await store.stat("blobs/0/0/key")
    assert asked[0] == f"{store.bucket.direct.url}blobs/0/0/key"


async def test_the_server_goes_and_comes_back() -> None:
    with servers.s3_server() as server:
        async with opened(settings(server, server.bucket)) as store:
            key, data = await make(store, 9 * MIB)
            server.process.stop()
            async with asyncio.timeout(DEADLINE):
                await assert_unavailable(store, key)
            server.process.start()
            assert await fetch(store, key) == data
            await make(store, 9 * MIB)


async def test_a_bucket_or_key_that_is_wrong_is_unavailable(
    s3_server: S3Server, oracle: Oracle
) -> None:
    for wrong in ({"bucket": "no-such-bucket"}, {"secret_key": "wrong"}, {"access_key": "wrong"}):
        async with opened(settings(s3_server, oracle.bucket) | wrong) as store:
            with pytest.raises(StoreUnavailable) as caught:
                await store.ping()
            assert caught.value.__cause__ is not None


async def test_a_server_that_is_full_is_told_from_one_that_is_gone(s3_server: S3Server) -> None:
    answer = b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"
    async with answering(507, answer) as port:
        endpoint = f"http://127.0.0.1:{port}"
        async with opened(settings(s3_server, "any", endpoint_url=endpoint)) as store:
            for size in (1000, 9 * MIB):
                with pytest.raises(StoreFull):
                    await make(store, size)


@pytest.fixture
async def proxied(
    s3_server: S3Server, oracle: Oracle, store: S3Store
) -> AsyncIterator[tuple[Proxy, S3Store]]:
    async with proxy_to(int(s3_server.endpoint_url.rpartition(":")[2])) as proxy:
        endpoint = f"http://127.0.0.1:{proxy.port}"
        arguments = settings(s3_server, oracle.bucket, endpoint_url=endpoint)
        async with opened(arguments, patience=1.0) as proxied:
            yield proxy, proxied


async def test_a_server_that_falls_silent_is_given_up(proxied: tuple[Proxy, S3Store]) -> None:
    proxy, store = proxied
    key, data = await make(store, 3 * MIB)
    proxy.freeze()
    async with asyncio.timeout(DEADLINE):
        await assert_unavailable(store, key)
    proxy.thaw()
    assert await fetch(store, key) == data


async def test_lost_connections_cost_nothing(proxied: tuple[Proxy, S3Store]) -> None:
    proxy, store = proxied
    data, reset_at = content(33 * MIB), 10 * MIB

    async def body() -> AsyncIterator[bytes]:
        async for chunk in chunked(data, CHUNK):
            yield chunk
            if proxy.passed > reset_at and not resets:
                resets.append(proxy.passed)
                proxy.reset()

    resets: list[int] = []
    key = new_key("blobs")
    await store.put(key, body(), size=None)
    assert resets
    proxy.reset()
    assert await fetch(store, key) == data


async def test_a_put_whose_server_falls_silent_leaves_nothing(
    proxied: tuple[Proxy, S3Store], oracle: Oracle, store: S3Store
) -> None:
    proxy, slow = proxied
    key = new_key("blobs")

    async def body() -> AsyncIterator[bytes]:
        yield content(9 * MIB)
        proxy.freeze()
        yield b"and a byte"

    with pytest.raises(StoreUnavailable):
        await slow.put(key, body(), size=None)
    # Not even an abort came through, so this is left to the sweep.
    await store.delete([key])
    assert (oracle.objects(), oracle.uploads()) == ([], [])
