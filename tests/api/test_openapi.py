"""The OpenAPI document is whole: what a generator of clients needs is there on every route."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import validate

from app import VERSION
from app.config import Settings
from main import create_app
from routers import registry
from tests.api.conftest import MakeSettings, Service, running

UNIVERSAL = {"500"}
BEARER: list[dict[str, list[str]]] = [{"password": []}, {"token": []}]
CONTRACTS = {contract.tag.name for contract in registry.CONTRACTS}
PUBLIC = {
    "accounts_create",
    "auth_token",
    "auth_refresh",
    "invitations_open",
    "invitations_accept",
    "service_health",
    "service_readiness",
    "blobs_options_content",
    "buffer_options",
    "dumps_options",
    "bundles_options_items",
    "files_options",
    "files_options_send",
    "pictures_options",
    "uploads_options",
    "uploads_options_of_one",
}
OPTIONAL = {
    "service_metrics", "dumps_submit", "symbols_check", "symbols_begin_upload",
    "symbols_put_upload", "symbols_complete_upload", "symbols_submit",
}  # fmt: skip

Operation = tuple[str, str, dict[str, Any]]


def _settings(folder: Path, **options: Any) -> Settings:  # noqa: ANN401 - any setting
    return Settings(_env_file=None, **({"data_dir": folder} | options))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document as the command line prints it."""
    return create_app(_settings(tmp_path_factory.mktemp("data"))).app.openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of the canonical API, with method and path."""
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if not CONTRACTS & set(operation["tags"])
    ]


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        target: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _mappings(part)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(json.loads(json.dumps(document)))


def test_it_says_what_it_is_and_who_may_use_it(document: dict[str, Any]) -> None:
    info = document["info"]
    assert (info["title"], info["version"]) == ("Holdall", VERSION)
    assert info["license"] == {"name": "MIT", "identifier": "MIT"}
    assert info["contact"]["name"]


def test_every_route_is_in_it_or_a_page(tmp_path: Path, document: dict[str, Any]) -> None:
    paths = document["paths"]
    for route in create_app(_settings(tmp_path)).app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1"):
            if route.path == "/v1/symbols/server/{path:path}":
                continue  # for debuggers: OpenAPI has no parameter of several segments
            assert route.include_in_schema, route.path
            documented = set(paths[route.path_format])
            assert {method.lower() for method in route.methods or ()} <= documented


def test_operation_ids_are_stable_and_name_their_tag(document: dict[str, Any]) -> None:
    ids = []
    for item in document["paths"].values():
        for operation in item.values():
            assert len(operation["tags"]) == 1, operation["operationId"]
            tag = operation["tags"][0].replace("-", "_")
            assert re.fullmatch(rf"{tag}_[a-z][a-z_]*", operation["operationId"])
            ids.append(operation["operationId"])
    assert len(set(ids)) == len(ids)


def test_tags_are_described(document: dict[str, Any]) -> None:
    used = {op["tags"][0] for item in document["paths"].values() for op in item.values()}
    assert {tag["name"] for tag in document["tags"]} == used
    assert all(tag["description"] for tag in document["tags"])


def test_contracts_come_last(document: dict[str, Any]) -> None:
    names = [tag["name"] for tag in document["tags"]]
    assert set(names[-len(CONTRACTS) :]) == CONTRACTS


def test_summaries_are_sentences(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            summary = operation["summary"]
            assert re.fullmatch(r"[A-Z][^\n]*[^.\s]", summary), operation["operationId"]
            assert " " in summary, f"{operation['operationId']} has no docstring"


def test_operations_are_described(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            where = operation["operationId"]
            assert operation.get("description"), f"{where}: a docstring of two sentences, please"
            assert operation["description"].rstrip().endswith("."), where


def test_every_error_is_a_problem(document: dict[str, Any], operations: list[Operation]) -> None:
    for method, _, operation in operations:
        where = operation["operationId"]
        assert set(operation["responses"]) >= UNIVERSAL, where
        for status, declared in operation["responses"].items():
            response = _resolved(document, declared)
            if status < "400" or (where == "service_readiness" and status == "503"):
                continue
            if method == "head":
                assert "content" not in response, f"{where} {status}: HEAD has no body"
                continue
            (media_type, content), *others = response["content"].items()
            assert (media_type, others) == ("application/problem+json", []), f"{where} {status}"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_errors_are_declared_where_they_can_occur(operations: list[Operation]) -> None:
    for method, _, operation in operations:
        where, declared = operation["operationId"], set(operation["responses"])
        needed = {"503"} if where != "service_health" else set()
        if operation.get("security"):
            needed |= {"401", "403"}
        if operation.get("parameters") or "requestBody" in operation:
            needed |= {"422"}
        if "requestBody" in operation:
            needed |= {"413"}
        if any(p.get("in") == "path" for p in operation.get("parameters", [])):
            needed |= {"404"} if method not in {"put", "options"} else set()
        if where in {"accounts_create", "accounts_update_me", "accounts_delete_me", "auth_token"}:
            needed |= {"429"}
        if method in {"post", "put", "patch", "delete"}:
            needed |= {"507"}
        assert declared >= needed, f"{where} lacks {needed - declared}"


def test_headers_that_go_with_an_error_are_declared(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    assert "WWW-Authenticate" in responses["Unauthorized"]["headers"]
    assert "Retry-After" in responses["TooManyRequests"]["headers"]
    assert "Retry-After" in responses["Unavailable"]["headers"]
    assert "Content-Range" in responses["RangeNotSatisfiable"]["headers"]


def test_security_is_declared(document: dict[str, Any], operations: list[Operation]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["token"]["scheme"] == "bearer"
    assert schemes["password"]["flows"]["password"]["tokenUrl"] == "/v1/auth/token"
    assert set(schemes) == {"token", "password"}
    for _, _, operation in operations:
        where = operation["operationId"]
        expected = [] if where in PUBLIC else BEARER
        if where in OPTIONAL:
            expected = [*BEARER, {}]
        assert operation["security"] == expected, where


def test_nothing_of_the_framework_shows(document: dict[str, Any]) -> None:
    assert "ValidationError" not in json.dumps(document)
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", name), name


def test_bodies_are_named(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            body = operation.get("requestBody", {})
            for media_type, content in body.get("content", {}).items():
                if not media_type.endswith("octet-stream"):
                    assert "$ref" in content["schema"], operation["operationId"]
    assert {"NewBlob", "PasswordForm", "Problem"} <= set(document["components"]["schemas"])


def test_every_body_is_required(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            if "requestBody" in operation:
                assert operation["requestBody"]["required"] is True, operation["operationId"]


def test_no_form_says_null(document: dict[str, Any]) -> None:
    """Generated clients send the text ``None`` for it, or the repr of a file."""
    forms = [
        (operation["operationId"], _resolved(document, content["schema"]))
        for item in document["paths"].values()
        for operation in item.values()
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        if "form" in media_type
    ]
    assert len(forms) > 10
    for where, form in forms:
        assert not [m for m in _mappings(form) if m.get("type") == "null"], where
        assert not [m for m in _mappings(form) if m.get("default", "") is None], where
    change = document["components"]["schemas"]["DumpChangeForm"]["properties"]["file"]
    assert (change["type"], change["format"]) == ("string", "binary")


def test_no_schema_is_named_as_the_type_of_bytes_in_a_language(document: dict[str, Any]) -> None:
    """JavaScript has `Blob` and `File`, and so have clients in Python."""
    assert not {"Blob", "File", "Buffer"} & set(document["components"]["schemas"])


def test_a_link_comes_as_text_unless_json_is_asked_for(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/send/{name}"]["put"]["responses"]["201"]["content"]
    assert list(content) == ["text/plain", "application/json"]
    assert content["text/plain"]["schema"]["type"] == "string"
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/StoredFile"}


def test_what_a_buffer_holds_is_said_by_one_schema(document: dict[str, Any]) -> None:
    named = {"$ref": "#/components/schemas/DataType"}
    assert document["components"]["schemas"]["DataType"]["enum"] == ["text", "file"]
    parameters = document["paths"]["/v1/buffer"]["put"]["parameters"]
    header = next(p for p in parameters if p.get("name") == "X-Data-Type")
    assert header["schema"]["$ref"] == named["$ref"]
    assert json.dumps(document).count('["text", "file"]') == 1


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for mapping in _mappings(document):
        if isinstance(mapping.get("$ref"), str):
            assert _resolved(document, mapping)


def test_parameters_are_described(document: dict[str, Any], operations: list[Operation]) -> None:
    for _, path, operation in operations:
        found = [_resolved(document, p) for p in operation.get("parameters", [])]
        assert len({(p["in"], p["name"]) for p in found}) == len(found)
        assert {p["name"] for p in found if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        for parameter in found:
            assert parameter.get("description"), f"{operation['operationId']} {parameter['name']}"


ARCHIVES = {"accounts_get_takeout"}


def test_bytes_are_binary(document: dict[str, Any], operations: list[Operation]) -> None:
    schema = {"type": "string", "format": "binary"}
    binary = {"application/octet-stream": {"schema": schema, "example": "Hello, world!\n"}}
    put = document["paths"]["/v1/blobs/{id}/content"]["put"]
    assert put["requestBody"] == {"required": True, "content": binary}
    downloads = [op for method, _, op in operations if method == "get" and "206" in op["responses"]]
    assert downloads
    for operation in downloads:
        for status in ("200", "206"):
            response = operation["responses"][status]
            assert response["content"] == binary, operation["operationId"]
            assert {"ETag", "Content-Length"} <= set(response["headers"])
            # the digest of an archive would need all of its bytes
            is_archive = operation["operationId"] in ARCHIVES
            assert ("Repr-Digest" in response["headers"]) != is_archive
        assert "Content-Range" in operation["responses"]["206"]["headers"]
        assert "content" not in operation["responses"]["304"]
    for mapping in _mappings(document):
        if "contentMediaType" in mapping:
            assert mapping["format"] == "binary"


def test_downloads_answer_head_with_the_same_headers(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    for method, path, operation in operations:
        if method != "get" or "206" not in operation["responses"]:
            continue
        head = document["paths"][path]["head"]
        assert head["operationId"] != operation["operationId"]
        assert head["responses"]["200"]["headers"] == operation["responses"]["200"]["headers"]
        names = {_resolved(document, p)["name"] for p in head["parameters"]}
        assert names >= {"If-None-Match", "If-Modified-Since"}
        assert not names & {"Range", "If-Range"}


def test_the_document_is_the_same_for_every_deployment(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    scaled = _settings(
        tmp_path,
        database_url="postgresql://user:password@localhost/holdall",
        redis_url="redis://localhost",
        signing_key="a-signing-key-for-tests-of-32-characters",
        active_storage="s3",
        s3_access_key_id="key",
        s3_secret_access_key="secret",
        s3_bucket_name="bucket",
        host="0.0.0.0",  # noqa: S104 - nobody listens there
    )
    # the order counts too: it is what a file of it under version control would show
    assert json.dumps(create_app(scaled).app.openapi()) == json.dumps(document)


@pytest.mark.slow("scaled")
@pytest.mark.anyio
async def test_it_is_served_as_it_is_printed(service: Service, document: dict[str, Any]) -> None:
    served = await service.client.get("/openapi.json")
    assert served.headers["content-type"] == "application/json"
    assert served.json() == document
    assert served.json()["servers"] == [{"url": "/"}]


@pytest.mark.slow("scaled")
@pytest.mark.anyio
async def test_it_is_made_outside_the_event_loop(make_settings: MakeSettings) -> None:
    async with running(make_settings()) as service:
        whole, here = time.process_time(), time.thread_time()
        await service.client.get("/openapi.json")
        whole, here = time.process_time() - whole, time.thread_time() - here
    assert here < whole / 2


@pytest.mark.slow("scaled")
@pytest.mark.anyio
async def test_a_path_prefix_is_where_the_server_and_the_token_are(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(public_url="https://example.org/holdall")) as service:
        for url in ("/openapi.json", "/holdall/openapi.json"):
            served = (await service.client.get(url)).json()
            assert served["servers"] == [{"url": "/holdall"}]
            flow = served["components"]["securitySchemes"]["password"]["flows"]["password"]
            assert flow["tokenUrl"] == "/holdall/v1/auth/token"
            assert served["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.slow("scaled")
@pytest.mark.anyio
async def test_security_is_what_it_says(service: Service, operations: list[Operation]) -> None:
    """Without a credential, protected operations answer 401 as declared, and no others do."""
    for method, path, operation in operations:
        url = path.replace("{id}", str(uuid.uuid4()))
        where = operation["operationId"]
        # a body that no route accepts, so that nothing happens where anybody may
        answer = await service.client.request(method, url, content=b"{}", headers=_JSON)
        assert str(answer.status_code) in operation["responses"], where
        if where in OPTIONAL:
            continue
        refused = answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert refused == bool(operation["security"]), where


_JSON = {"Content-Type": "application/json"}


@pytest.mark.slow("scaled")
@pytest.mark.anyio
async def test_no_boolean_is_a_number(
    document: dict[str, Any], make_settings: MakeSettings
) -> None:
    """In Python true is 1, and pydantic takes it for that."""
    asked = [
        (method, path, name)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for name in _numbers(document, operation)
        if path.startswith("/v1/")
    ]
    assert len(asked) > 30
    async with running(make_settings(registration=None)) as service:
        _, admin = await service.sign_up("root")  # the first one administrates
        for method, path, name in asked:
            url = re.sub("{.*?}", "0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90", path)
            answer = await service.client.request(method, url, json={name: True}, headers=admin)
            assert answer.status_code == 422, (method, path, name)
            assert ["body", name] in [error["loc"][:2] for error in answer.json()["errors"]]


def _numbers(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    """The names of the numbers in an operation's JSON body."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return [
        name
        for name, field in schema.get("properties", {}).items()
        if "integer" in [one.get("type") for one in (field, *field.get("anyOf", []))]
    ]
