"""What pages say of errors: in their own words, and at the fields that these are about."""

from typing import Annotated, Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from app.errors import InvalidRequest, Unauthorized
from routers.http.forms.reading import check_fields
from routers.pages.rendering.wrong import Complaint, Wrong, mark, wrong_with
from routers.v1.schemas.fields import Text


class Sent(BaseModel):
    """A form with a field of each sort."""

    max_downloads: Annotated[int, Field(ge=1, le=100)] = 1
    note: Annotated[Text, Field(min_length=1, max_length=20)] = "x"
    kind: Annotated[str, Field(pattern="^(file|dump)$")] = "file"
    scopes: Annotated[set[str], Field(min_length=1, max_length=2)] = {"x"}
    title: str = "x"
    otherwise: Annotated[float, Field(gt=0)] = 1


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"max_downloads": 0}, "Downloads: at least 1"),
        ({"max_downloads": 101}, "Downloads: at most 100"),
        ({"max_downloads": "many"}, "Downloads: a whole number is needed"),
        ({"max_downloads": 1.5}, "Downloads: a whole number is needed"),
        ({"max_downloads": "9" * 5000}, "Downloads: a whole number is needed"),
        ({"note": ""}, "Note: this is missing"),
        ({"note": "x" * 21}, "Note: at most 20 characters"),
        ({"note": "\a"}, "Note: this has a character that can't be used"),
        ({"kind": "what"}, "Kind: this can't be used"),
        ({"scopes": []}, "What it may do: choose at least one"),
        ({"scopes": ["a", "b", "c"]}, "What it may do: at most 2 of them"),
        ({"title": None}, "Title: this can't be used"),
        ({"otherwise": "much"}, "A number is needed"),
        ({"otherwise": 0}, "More than 0"),
        ({"kind": 1, "note": ""}, "Note: this is missing. Kind: this can't be used"),
    ],
)
def test_words(sent: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestValidationError) as error:
        check_fields(Sent, sent)
    assert str(wrong_with(error.value)) == words


def test_words_of_our_own_stay() -> None:
    errors = [{"loc": ["body", "password"], "msg": "this is guessed first"}]
    error = InvalidRequest("Not valid", errors=errors)  # type: ignore[arg-type]
    words = "This is guessed first"
    assert wrong_with(error) == Wrong(words, [Complaint("password", words, words)])
    assert str(wrong_with(InvalidRequest("Not valid"))) == "Not valid"
    said = str(wrong_with(Unauthorized("Invalid credentials")))
    assert said == "The user name or the password is wrong"


def test_marks() -> None:
    page = (
        '<input name="id" autofocus><input type="hidden" name="note">'
        '<textarea name="note" aria-describedby="hint">note</textarea><input name="title" value="">'
    )
    wrong = [Complaint(field, "At most <9>", "") for field in ("note", "elsewhere", "title")]
    assert mark(page, Wrong("", wrong)) == (
        '<input name="id"><input type="hidden" name="note">'
        '<textarea name="note" aria-describedby="wrong-note hint" aria-invalid="true" autofocus>'
        'note</textarea><small class="complaint" id="wrong-note">At most &lt;9&gt;</small>'
        '<input name="title" value="" aria-describedby="wrong-title" aria-invalid="true">'
        '<small class="complaint" id="wrong-title">At most &lt;9&gt;</small>'
    )
    assert mark(page, Wrong("", wrong[1:2])) == page
