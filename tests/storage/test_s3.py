"""The S3 store: the conformance suite, and what only a server over HTTP can get wrong."""

from collections.abc import Iterator

import botocore.session
import pytest

from storage.base import ObjectStore, is_key
from storage.conformance import StoreConformance
from storage.s3 import S3Store
from tests.servers import S3Server


class Oracle:
    """Looks at a bucket by a plain synchronous client."""

    def __init__(self, server: S3Server, bucket: str) -> None:
        self.bucket = bucket
        self.client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name=server.region,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
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
        """Empty the bucket."""
        keys = self.objects()
        for start in range(0, len(keys), 1000):
            batch = [{"Key": key} for key in keys[start : start + 1000]]
            self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch})
        for key, upload_id in self.uploads():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)


async def open_store(server: S3Server, bucket: str, **changes: str) -> S3Store:
    """Open a store on a bucket of the server."""
    settings = {
        "bucket": bucket,
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "endpoint_url": server.endpoint_url,
    }
    return await S3Store.connect(**(settings | changes))


@pytest.fixture(scope="module")
def oracle(s3_server: S3Server) -> Iterator[Oracle]:
    oracle = Oracle(s3_server, "conformance")
    oracle.client.create_bucket(Bucket=oracle.bucket)
    yield oracle
    oracle.client.close()


class TestS3Store(StoreConformance):
    many = 1010  # more than one page of a list
    stalled = 70  # more than the pool has connections
    cancel_points = 12
    examples = 4

    @pytest.fixture(autouse=True)
    def _bucket(self, s3_server: S3Server, oracle: Oracle) -> Iterator[None]:
        self.server, self.oracle = s3_server, oracle
        yield
        oracle.clear()

    async def connect(self) -> ObjectStore:
        return await open_store(self.server, self.oracle.bucket)

    async def raw_objects(self) -> dict[str, bytes]:
        return {key: self.oracle.read(key) for key in self.oracle.objects() if is_key(key)}

    async def residue(self) -> list[str]:
        strange = [key for key in self.oracle.objects() if not is_key(key)]
        return [*strange, *(f"upload {key} {name}" for key, name in self.oracle.uploads())]

    async def leave_unfinished(self, key: str) -> None:
        self.oracle.begin(key, b"half" * (5 << 18))
