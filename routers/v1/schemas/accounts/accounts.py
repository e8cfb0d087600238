"""Bodies of the account routes."""

import re
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from app import clock
from app.accounts import entities
from app.accounts import fields as account_fields
from app.accounts.otp.codes import MAX_LENGTH
from app.security import guessable
from app.security.characters import refuse_bidi
from routers.v1.schemas.fields import Id, Text
from routers.v1.schemas.lists import ListOf

_NAME: Final = re.compile(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")


def _password(value: str) -> str:
    if "\0" in value:
        raise ValueError("a password can't contain a null character")
    return value


def _email(value: str) -> str:
    if account_fields.EMAIL_FORM.fullmatch(value) is None:
        raise ValueError("this is not an email address")
    return value


def _display_name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("a name is one line that is not blank")
    return refuse_bidi(value).strip()


Username = Annotated[
    str,
    Field(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$", examples=["ada"]),
]
Email = Annotated[
    str,
    Field(max_length=account_fields.EMAIL_MAX, json_schema_extra={"format": "email"}),
    AfterValidator(_email),
]
NewPassword = Annotated[
    str,
    Field(
        min_length=guessable.MIN_LENGTH,
        max_length=guessable.MAX_LENGTH,
        json_schema_extra={"format": "password", "pattern": r"^[^\u0000]*$"},
    ),
    AfterValidator(_password),
]
SourceUrl = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r'^https?://[^\s<>"]*\{file\}[^\s<>"]*$',
        description="URL of source lines: `{file}` and `{line}` stand for a file's path and "
        "a line's number. The pages of crashes link their stacks by it; null: they don't.",
        examples=["https://git.example.org/app/blob/main/{file}#L{line}"],
    ),
]
DisplayName = Annotated[
    Text,
    Field(
        max_length=80,
        description="What visitors of the account's links and inboxes see that it is called; "
        "null: they see no name.",
        json_schema_extra={"pattern": _NAME.pattern},
        examples=["Ada"],
    ),
    AfterValidator(_display_name),
]
GivenPassword = Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]
Otp = Annotated[str, Field(max_length=MAX_LENGTH, examples=["492039"])]
OTP_NEEDED = "A code of the second factor, or a recovery code; needed where the account has one."


class AccountCreate(BaseModel):
    """What it takes to sign up. Names and addresses that differ in case only are the same."""

    username: Username
    email: Email | None = None
    password: NewPassword


class AccountChange(BaseModel):
    """What to change about oneself; what is absent stays. A null address is taken away."""

    current_password: GivenPassword | None = Field(
        default=None, description="Needed for a new address or password."
    )
    otp: Otp | None = Field(default=None, description=OTP_NEEDED)
    email: Email | None = None
    password: NewPassword | None = None
    source_url: SourceUrl | None = None
    display_name: DisplayName | None = None


class AccountDeletion(BaseModel):
    """The account's password, again."""

    password: GivenPassword
    otp: Otp | None = Field(default=None, description=OTP_NEEDED)


class Usage(BaseModel):
    """What an account keeps, and how much it may; a limit of null is none."""

    bytes: int = Field(examples=[1_048_576])
    objects: int = Field(examples=[3])
    max_bytes: int | None = Field(examples=[107_374_182_400])
    max_objects: int | None = Field(examples=[1000])


class Account(BaseModel):
    """An account."""

    id: Id
    username: str = Field(examples=["ada"])
    email: str | None = Field(examples=["ada@example.org"])
    tier: str = Field(examples=["Basic"])
    is_admin: bool
    created_at: datetime
    usage: Usage
    source_url: SourceUrl | None
    has_second_factor: bool
    display_name: DisplayName | None

    @classmethod
    def of(cls, account: entities.Account) -> Self:
        """Make the body that answers for an account."""
        return cls.model_validate(
            {
                "id": account.uuid,
                "username": account.username,
                "email": account.email,
                "tier": account.tier,
                "is_admin": account.is_admin,
                "is_active": account.is_active,
                "created_at": clock.to_datetime(account.created_at),
                "source_url": account.source_url,
                "has_second_factor": account.has_second_factor,
                "display_name": account.display_name,
                "usage": Usage(
                    bytes=account.used_bytes,
                    objects=account.used_objects,
                    max_bytes=account.max_bytes,
                    max_objects=account.max_objects,
                ),
            }
        )


class AdministeredAccount(Account):
    """An account as administrators see it."""

    is_active: bool


class AccountAdministration(BaseModel):
    """What an administrator changes about an account; what is absent or null stays."""

    tier: Annotated[str, Field(max_length=64, description="The name of a tier.")] | None = Field(
        default=None, examples=["Premium"]
    )
    is_active: StrictBool | None = None
    is_admin: StrictBool | None = None


class AccountList(ListOf[AdministeredAccount]):
    """A page of the accounts, newest first."""
