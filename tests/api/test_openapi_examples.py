"""Every body and answer in the OpenAPI document has an example that its schema accepts."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from app.config import Settings
from main import create_app
from routers.web.openapi.examples import NoExampleError, example_of

Content = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document as the command line prints it."""
    settings = Settings(_env_file=None, data_dir=tmp_path_factory.mktemp("data"))
    return create_app(settings).app.openapi()


def _contents(document: dict[str, Any]) -> Iterator[Content]:
    """Yield the content of each body and answer, and where it is."""
    parts = [("components", answer) for answer in document["components"]["responses"].values()]
    for item in document["paths"].values():
        for operation in item.values():
            name = operation["operationId"]
            parts += [(name, operation.get("requestBody", {}))]
            parts += [(f"{name} {s}", answer) for s, answer in operation["responses"].items()]
    for where, part in parts:
        for media_type, content in part.get("content", {}).items():
            yield f"{where} {media_type}", content


def test_every_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    without = [where for where, content in _contents(document) if "example" not in content]
    assert not without, "give these fields examples"


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    for where, content in _contents(document):
        schema = content["schema"] | {"components": document["components"]}
        wrong = [error.message for error in OAS31Validator(schema).iter_errors(content["example"])]
        assert not wrong, where


def test_an_example_of_a_list_is_that_of_its_items(document: dict[str, Any]) -> None:
    answers = document["paths"]["/v1/files"]["get"]["responses"]
    page = answers["200"]["content"]["application/json"]["example"]
    one = document["paths"]["/v1/files/{id}"]["get"]["responses"]["200"]["content"]
    assert page == {"items": [one["application/json"]["example"]], "next_cursor": None}
    assert page["items"][0]["name"] == "photo.jpg"


def test_an_example_of_an_error_is_of_its_kind(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    example = responses["InvalidRequest"]["content"]["application/problem+json"]["example"]
    assert (example["status"], example["type"]) == (422, "urn:holdall:problem:invalid-request")
    assert example["errors"] == [{"loc": ["body", "id"], "msg": "Field required"}]
    example = responses["NotFound"]["content"]["application/problem+json"]["example"]
    assert (example["status"], example["title"]) == (404, "Not found")
    assert "errors" not in example


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string", "examples": ["a", "b"]}, "a"),
        ({"type": "integer", "default": 7}, 7),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        (
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "2026-01-15T09:30:00Z",
        ),
        ({"$ref": "#/components/schemas/Known"}, ["yes"]),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"const": 1}}}, {"b": 1}),
    ],
)
def test_an_example_is_made_of_what_a_schema_says(
    schema: dict[str, Any],
    example: Any,  # noqa: ANN401 - JSON
) -> None:
    known = {"Known": {"type": "array", "items": {"enum": ["yes", "no"]}}}
    assert example_of(schema, known) == example


def test_a_field_that_says_nothing_leaves_no_example() -> None:
    silent = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    with pytest.raises(NoExampleError):
        example_of(silent, {})
