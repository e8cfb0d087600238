"""Rules for user names, email addresses and passwords."""

import re
from typing import Final

from app.errors import FieldError, InvalidRequest
from app.security.passwords import Passwords

USERNAME_FORM: Final = re.compile(r"[A-Za-z0-9_.-]{3,64}", re.ASCII)

# as browsers have it (HTML, `<input type=email>`); whether it works, only an email can tell
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL_FORM: Final = re.compile(
    rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*", re.ASCII
)
EMAIL_MAX: Final = 254


async def check(passwords: Passwords, username: str, email: str | None, password: str) -> None:
    """Raise `InvalidRequest` unless all are valid."""
    errors: list[FieldError] = []
    if USERNAME_FORM.fullmatch(username) is None:
        message = "A user name has 3 to 64 letters, digits, dots, dashes or underscores"
        errors.append({"loc": ["body", "username"], "msg": message})
    if email is not None and (len(email) > EMAIL_MAX or EMAIL_FORM.fullmatch(email) is None):
        errors.append({"loc": ["body", "email"], "msg": "This is not an email address"})
    refusal = await passwords.refusal(password, names_of(username, email))
    if refusal is not None:
        errors.append({"loc": ["body", "password"], "msg": refusal})
    if errors:
        raise InvalidRequest(". ".join(error["msg"] for error in errors), errors=errors)


def names_of(username: str, email: str | None) -> tuple[str, ...]:
    """Return the names of an account, which its password must not be."""
    return (username,) if email is None else (username, email, email.rpartition("@")[0])
