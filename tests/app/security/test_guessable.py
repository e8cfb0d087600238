"""Passwords that are guessed first: nobody may have them."""

import pytest

from app.security.guessable import refusal

NAMES = ("Ada.Lovelace", "ada.king@example.org", "ada.king")


@pytest.mark.parametrize(
    "password",
    ["password", "PassWord", "qwertyuiop", "iloveyou", "1234567890", "trustno1", "baseball"],
)
def test_common_ones_are_refused_in_any_case(password: str) -> None:
    assert "most common" in (refusal(password, NAMES) or "")


@pytest.mark.parametrize(
    "password", ["Ada.Lovelace", "ada.lovelace", "ADA.KING", "Ada.King@Example.Org"]
)
def test_what_the_account_goes_by_is_refused(password: str) -> None:
    assert "user name or the email address" in (refusal(password, NAMES) or "")


@pytest.mark.parametrize(
    "password", ["", "short", "1234567", "x" * 129, "with a \0 in it", "\0" * 10]
)
def test_its_length_is_bounded(password: str) -> None:
    assert "8 to 128 characters" in (refusal(password, NAMES) or "")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "password!?password", "ada.lovelace!", "king.ada", "\ud800" * 8],
)
def test_others_are_fine(password: str) -> None:
    assert refusal(password, NAMES) is None
