"""Round trips of the client that openapi-generator makes for Python."""

import os
import sys
from pathlib import Path

import holdall_client as holdall
import httpx
import pytest

url, picture = sys.argv[1:]


def fetched(link: str) -> bytes:
    return httpx.get(f"{link}?download=1").raise_for_status().content


public = holdall.AuthApi(holdall.ApiClient(holdall.Configuration(host=url)))
with pytest.raises(holdall.exceptions.UnauthorizedException) as refused:
    public.auth_token("ada", "wrong")
assert refused.value.data.status == 401
tokens = public.auth_token("ada", "7 grey herons over")
configuration = holdall.Configuration(host=url, access_token=tokens.access_token)
client = holdall.ApiClient(configuration)

data = os.urandom(60_000)
blobs, name = holdall.BlobsApi(client), "python/a é.bin"
blob = blobs.blobs_put_content(name, data, if_none_match="*")
assert (blob.id, blob.size) == (name, len(data)), blob
with pytest.raises(holdall.ApiException) as failed:
    blobs.blobs_put_content(name, data, if_none_match="*")
assert failed.value.data.status == 412
assert blobs.blobs_get_content(name) == data
assert blobs.blobs_get_content(name, range="bytes=10-19") == data[10:20]

file = holdall.FilesApi(client).files_create(("a é.bin", data), expires_in=3600)
assert (file.name, file.size) == ("a é.bin", len(data)), file
assert fetched(file.link) == data

timelink = holdall.TimelinksApi(client).timelinks_create(
    holdall.NewTimelink(kind=holdall.TargetType.BLOB, id=name, time=600)
)
assert fetched(timelink.url) == data

pictures = holdall.PicturesApi(client)
made = pictures.pictures_create("red", ("red.png", Path(picture).read_bytes()))
assert (made.width, made.height) == (600, 400), made
assert pictures.pictures_get_thumbnail(made.id, 200)[:3] == b"\xff\xd8\xff"

dumps = holdall.DumpsApi(client)
dump = dumps.dumps_create(("a.dmp", data), label="acme 1.4")
assert (dump.original_name, dump.label) == ("a.dmp", "acme 1.4"), dump
form = {"_content_type": "multipart/form-data"}  # it would announce JSON
changed = dumps.dumps_update(dump.id, file=("b.dmp", data[1:]), archived=True, **form)
assert (changed.original_name, changed.label) == ("b.dmp", "acme 1.4"), changed
assert changed.archived
assert dumps.dumps_get_content(dump.id) == data[1:]
