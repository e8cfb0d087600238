"""A Python client that openapi-python-client makes of the served document does what it should."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pictures, plain_http
from tests.system import processes
from tests.system.processes import Service

pytestmark = pytest.mark.slow

CONFIG = """
project_name_override: holdall-client
package_name_override: holdall_client
post_hooks: []
content_type_overrides:
  application/offset+octet-stream: application/octet-stream
"""

PROGRAM = """
import io
import os
import sys
from base64 import b64encode

from holdall_client import AuthenticatedClient, Client
from holdall_client import types
from holdall_client.api.accounts import accounts_create, accounts_read_me
from holdall_client.api.auth import auth_token
from holdall_client.api.blobs import (
    blobs_delete, blobs_get, blobs_get_content, blobs_head_content, blobs_list,
    blobs_put_content, blobs_store,
)
from holdall_client.api.buffer import buffer_delete, buffer_get, buffer_head, buffer_put
from holdall_client.api.keys import keys_create
from holdall_client.api.service import service_readiness
from holdall_client import models

url = sys.argv[1]
public = Client(base_url=url, raise_on_unexpected_status=True)
created = accounts_create.sync(
    client=public, body=models.AccountCreate(username="ada", password="correct horse")
)
assert isinstance(created, models.Account), created
assert created.usage.bytes_ == 0 and created.created_at.tzinfo is not None

again = accounts_create.sync_detailed(
    client=public, body=models.AccountCreate(username="ADA", password="correct horse")
)
assert again.status_code == 409 and isinstance(again.parsed, models.Problem), again

wrong = auth_token.sync(client=public, body=models.PasswordForm(username="ada", password="wrong"))
assert isinstance(wrong, models.Problem) and wrong.status == 401, wrong
pair = auth_token.sync(
    client=public, body=models.PasswordForm(username="ada", password="correct horse")
)
assert isinstance(pair, models.TokenPair), pair

client = AuthenticatedClient(
    base_url=url, token=pair.access_token, raise_on_unexpected_status=True
)
assert accounts_read_me.sync(client=client) == created

data = os.urandom(300_000)
name = "photos/a b\\u00e9.bin"
put = blobs_put_content.sync_detailed(
    name, client=client, body=types.File(payload=io.BytesIO(data)), if_none_match="*"
)
assert put.status_code == 201 and isinstance(put.parsed, models.StoredBlob), put
assert (put.parsed.id, put.parsed.size) == (name, len(data))
refused = blobs_put_content.sync_detailed(
    name, client=client, body=types.File(payload=io.BytesIO(b"x")), if_none_match="*"
)
assert refused.status_code == 412 and isinstance(refused.parsed, models.Problem), refused

got = blobs_get_content.sync(name, client=client)
assert isinstance(got, types.File) and got.payload.read() == data
part = blobs_get_content.sync_detailed(name, client=client, range_="bytes=10-19")
assert part.status_code == 206 and part.parsed.payload.read() == data[10:20]
head = blobs_head_content.sync_detailed(name, client=client)
assert head.status_code == 200 and head.headers["content-length"] == str(len(data))
none = blobs_head_content.sync_detailed("no-such", client=client)
assert none.status_code == 404, none

stored = blobs_store.sync(
    client=client, body=models.NewBlob(id="json", data=b64encode(b"hello").decode())
)
assert isinstance(stored, models.BlobReceipt) and stored.message == "Blob stored successfully"
blob = blobs_get.sync("json", client=client)
assert isinstance(blob, models.JsonBlob) and blob.size == 5

page = blobs_list.sync(client=client, limit=1)
assert isinstance(page, models.BlobList) and [item.id for item in page.items] == ["json"]
rest = blobs_list.sync(client=client, cursor=page.next_cursor)
assert [item.id for item in rest.items] == [name] and rest.next_cursor is None

missing = blobs_get.sync("no-such", client=client)
assert isinstance(missing, models.Problem), missing
assert (missing.status, missing.detail) == (404, "Blob not found")
invalid = keys_create.sync(
    client=client, body=models.ApiKeyCreate(name="", scopes=[models.Scope.BLOBSREAD])
)
assert isinstance(invalid, models.Problem) and invalid.errors[0].loc == ["body", "name"], invalid

key = keys_create.sync(
    client=client, body=models.ApiKeyCreate(name="reader", scopes=[models.Scope.BLOBSREAD])
)
reader = AuthenticatedClient(base_url=url, token=key.key, raise_on_unexpected_status=True)
assert blobs_get.sync("json", client=reader) == blob
forbidden = blobs_delete.sync("json", client=reader)
assert isinstance(forbidden, models.Problem) and forbidden.status == 403, forbidden
assert blobs_delete.sync_detailed("json", client=client).status_code == 204

sent = buffer_put.sync_detailed(
    client=client, body=types.File(payload=io.BytesIO("h\u00e9llo".encode())),
    x_data_type=models.DataType.TEXT,
)
assert sent.status_code == 201 and isinstance(sent.parsed, models.BufferContent), sent
assert (sent.parsed.version, sent.parsed.name, sent.parsed.size) == (1, None, 6)
sent = buffer_put.sync(
    client=client, body=types.File(payload=io.BytesIO(data)),
    x_data_type=models.DataType.FILE, x_file_name="a%20b.bin",
)
assert isinstance(sent, models.BufferContent) and (sent.version, sent.name) == (2, "a b.bin"), sent
nameless = buffer_put.sync(
    client=client, body=types.File(payload=io.BytesIO(b"x")), x_data_type=models.DataType.FILE
)
assert isinstance(nameless, models.Problem) and nameless.status == 422, nameless
got = buffer_get.sync(client=client)
assert isinstance(got, types.File) and got.payload.read() == data
head = buffer_head.sync_detailed(client=client)
assert head.headers["x-data-type"] == "file", head
assert buffer_delete.sync_detailed(client=client).status_code == 204
empty = buffer_get.sync(client=client)
assert isinstance(empty, models.Problem) and empty.status == 404, empty

ready = service_readiness.sync(client=public)
assert isinstance(ready, models.Readiness) and ready.checks["database"].ms >= 0, ready
print("done")
"""

BY_FORM = """
import importlib
import io
import os
import pathlib
import pkgutil
import sys

import holdall_client
from holdall_client import AuthenticatedClient, Client, models, types
from holdall_client.api.accounts import accounts_create
from holdall_client.api.auth import auth_token
from holdall_client.api.dumps import (
    dumps_create, dumps_get, dumps_get_content, dumps_replace, dumps_submit, dumps_update,
)
from holdall_client.api.files import files_create, files_get_content, files_list, files_send
from holdall_client.api.pictures import (
    pictures_create, pictures_get_thumbnail, pictures_list,
)
from holdall_client.api.timelinks import timelinks_create, timelinks_get_qr

for module in pkgutil.walk_packages(holdall_client.__path__, "holdall_client."):
    importlib.import_module(module.name)

url, picture = sys.argv[1], pathlib.Path(sys.argv[2]).read_bytes()
public = Client(base_url=url, raise_on_unexpected_status=True)
who = {"username": "grace", "password": "7 grey herons over"}
accounts_create.sync(client=public, body=models.AccountCreate(**who))
pair = auth_token.sync(client=public, body=models.PasswordForm(**who))
client = AuthenticatedClient(
    base_url=url, token=pair.access_token, raise_on_unexpected_status=True
)


def upload(data, name, mime_type=None):
    return types.File(payload=io.BytesIO(data), file_name=name, mime_type=mime_type)


data = os.urandom(200_000)
file = files_create.sync(
    client=client, body=models.FileForm(file=upload(data, "a b\u00e9.bin"), expires_in=3600)
)
assert isinstance(file, models.StoredFile), file
assert (file.name, file.size) == ("a b\u00e9.bin", len(data)) and file.link, file
assert files_get_content.sync(file.id, client=client).payload.read() == data
kept = files_create.sync(client=client, body=models.FileForm(file=upload(b"x", "x"), expires_in=0))
assert (kept.link, kept.expires_at) == (None, None), kept
default = files_create.sync(client=client, body=models.FileForm(file=upload(b"x", "x")))
assert default.expires_at is not None, default
assert [item.id for item in files_list.sync(client=client).items] == [
    default.id, kept.id, file.id
]
line = files_send.sync("a.txt", client=client, body=types.File(payload=io.BytesIO(b"hello")))
assert line.startswith("http") and line.endswith("\\n"), line

link = timelinks_create.sync(
    client=client,
    body=models.NewTimelink(
        kind=models.TargetType.FILE, id=kept.id, time=3600, max_downloads=2, password="heron"
    ),
)
assert isinstance(link, models.Timelink) and link.has_password and link.max_downloads == 2, link
code = timelinks_get_qr.sync(link.id, client=client)
assert b"<svg" in code.payload.read()

made = pictures_create.sync(
    client=client, body=models.PictureForm(name="harbour", img=upload(picture, "p.png"))
)
assert isinstance(made, models.Picture) and made.name == "harbour", made
thumbnail = pictures_get_thumbnail.sync(made.id, 200, client=client)
assert thumbnail.payload.read(3) == b"\\xff\\xd8\\xff"
assert [item.id for item in pictures_list.sync(client=client).items] == [made.id]

dump = dumps_create.sync(
    client=client, body=models.DumpForm(file=upload(data, "a.dmp"), label="acme 1.4")
)
assert isinstance(dump, models.Dump), dump
assert (dump.original_name, dump.label, dump.expires_at) == ("a.dmp", "acme 1.4", None), dump
unlabelled = dumps_create.sync(client=client, body=models.DumpForm(file=upload(b"x", "x.dmp")))
assert unlabelled.label is None, unlabelled
changed = dumps_update.sync(
    dump.id,
    client=client,
    body=models.DumpChangeForm(file=upload(data[::-1], "b.dmp"), description="again"),
)
assert isinstance(changed, models.Dump), changed
assert (changed.original_name, changed.label) == ("b.dmp", "acme 1.4"), changed
assert changed.description == "again" and not changed.archived
assert dumps_get_content.sync(dump.id, client=client).payload.read() == data[::-1]
described = dumps_update.sync(
    dump.id, client=client, body=models.DumpChangeForm(description="by form, without a file")
)
assert described.description == "by form, without a file", described
assert dumps_get_content.sync(dump.id, client=client).payload.read() == data[::-1]
archived = dumps_update.sync(
    dump.id, client=client, body=models.DumpChange(archived=True, label=None)
)
assert archived.archived and archived.label is None, archived
replaced = dumps_replace.sync(
    dump.id, client=client, body=models.DumpReplacementForm(file=upload(b"new", "c.dmp"))
)
assert (replaced.original_name, replaced.size, replaced.label) == ("c.dmp", 3, None), replaced
sent = dumps_submit.sync(
    client=client,
    body=models.MinidumpForm(
        upload_file_minidump=upload(data, "m.dmp"), product="acme", version="1.5"
    ),
)
details = dumps_get.sync(sent, client=client)
assert isinstance(details, models.DumpDetails) and details.label == "acme 1.5", details
print("done")
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with processes.running(
        {"DATA_DIR": str(folder / "data"), "REGISTRATION": "open"}, folder
    ) as service:
        yield service


@pytest.fixture(scope="module")
def package(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the generated package."""
    folder = tmp_path_factory.mktemp("client")
    document, config = folder / "openapi.json", folder / "config.yaml"
    document.write_bytes(plain_http.get(f"{service.url}/openapi.json").content)
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(document), "--config", str(config), "--fail-on-warning"]
    command += ["--output-path", str(folder / "holdall_client")]
    result = subprocess.run(command, check=False, text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.mark.parametrize("source", [PROGRAM, BY_FORM], ids=["raw", "by form"])
def test_a_generated_client_works(service: Service, package: Path, source: str) -> None:
    program, picture = package / "program.py", package / "picture.png"
    program.write_text(source)
    picture.write_bytes(pictures.plain())
    environment = os.environ | {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, str(program), service.url, str(picture)],
        check=False,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert (result.stdout, result.returncode) == ("done\n", 0), result.stderr


def test_every_operation_has_become_a_function(service: Service, package: Path) -> None:
    document = plain_http.get(f"{service.url}/openapi.json").json()
    expected = {
        f"{operation['tags'][0].replace('-', '_')}/{operation['operationId']}"
        for item in document["paths"].values()
        for operation in item.values()
    }
    folder = package / "holdall_client" / "api"
    made = {str(p.relative_to(folder).with_suffix("")) for p in folder.glob("*/*_*.py")}
    assert {name for name in made if not name.endswith("__init__")} == expected
