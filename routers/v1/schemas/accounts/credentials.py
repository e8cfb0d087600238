"""Bodies of the routes for tokens, sessions and API keys."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from app import clock
from app.accounts import entities
from app.accounts.entities import MAX_KEY_LIFETIME
from app.features import SCOPES
from routers.v1.schemas.accounts.accounts import OTP_NEEDED, GivenPassword, Otp
from routers.v1.schemas.fields import NOT_BOOLEAN, Id
from routers.v1.schemas.lists import ListOf

Scope = StrEnum("Scope", [(scope.replace(":", "_"), scope) for scope in sorted(SCOPES)])  # type: ignore[misc]


class PasswordForm(BaseModel):
    """The form of OAuth2's password grant (RFC 6749 §4.3.2); other fields are ignored."""

    grant_type: Literal["password"] | None = None
    username: Annotated[str, Field(max_length=1024)] = Field(examples=["ada"])
    password: GivenPassword
    otp: Otp | None = Field(default=None, description=OTP_NEEDED)


class RefreshRequest(BaseModel):
    """A refresh token to be traded in."""

    refresh_token: Annotated[str, Field(max_length=1024)] = Field(
        examples=["hr_0199a8b07f6e7b1c.7.n2Xw"]
    )


class TokenPair(BaseModel):
    """What a session is used by."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dGhpcyBpcyBub25l"])
    refresh_token: str = Field(examples=["hr_0199a8b07f6e7b1c.7.n2Xw"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - not a secret
    expires_in: int = Field(
        description="Seconds that the access token is good for.", examples=[1200]
    )

    @classmethod
    def of(cls, tokens: entities.Tokens) -> Self:
        """Make the body that hands out tokens."""
        return cls(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
        )


class Session(BaseModel):
    """A login."""

    id: Id
    created_at: datetime
    expires_at: datetime
    user_agent: str = Field(
        description="What the client that began it says of itself.", examples=["Mozilla/5.0"]
    )
    current: bool = Field(description="Whether it is the one that asks.")
    last_used_at: datetime | None = Field(
        description="When a request last came by it, to within some minutes; null: not lately."
    )
    last_address: str | None = Field(
        description="Where that request came from.", examples=["192.0.2.7"]
    )
    last_user_agent: str | None = Field(
        description="What its client says of itself.", examples=["Mozilla/5.0"]
    )

    @classmethod
    def of(cls, session: entities.Session) -> Self:
        """Make the body that answers for a session."""
        return cls(
            id=session.uuid,
            created_at=clock.to_datetime(session.created_at),
            expires_at=clock.to_datetime(session.expires_at),
            user_agent=session.user_agent,
            current=session.current,
            last_used_at=None
            if session.last_used_at is None
            else clock.to_datetime(session.last_used_at),
            last_address=session.last_address,
            last_user_agent=session.last_user_agent,
        )


class SessionList(ListOf[Session]):
    """A page of an account's sessions, newest first."""


def _lenient(schema: dict[str, Any]) -> None:
    """Let a schema say that a scope may be named twice."""
    del schema["uniqueItems"]


class ApiKeyCreate(BaseModel):
    """What a new key is called, and what it permits."""

    name: Annotated[
        str,
        Field(
            min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+$"
        ),
    ] = Field(examples=["crash uploader"])
    scopes: Annotated[
        set[Scope],
        Field(
            min_length=1,
            description="`dumps:submit` permits the upload of minidumps alone, `symbols:submit` "
            "that of symbols; "
            "`timelinks:write` needs the `read` of what is linked to, too; `metrics:read` is for "
            "administrators.",
            json_schema_extra=_lenient,
        ),
    ] = Field(examples=[["dumps:submit"]])
    expires_in: (
        Annotated[int, Field(ge=1, le=MAX_KEY_LIFETIME, description="Seconds."), NOT_BOOLEAN] | None
    ) = Field(default=None, examples=[31_536_000])


class ApiKey(BaseModel):
    """An API key, without its secret."""

    id: Id
    name: str = Field(examples=["crash uploader"])
    scopes: list[str] = Field(examples=[["dumps:submit"]])
    hint: str = Field(
        description="The key's first characters, to know it by.", examples=["hk_4fT9"]
    )
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, record: entities.ApiKeyRecord, **also: str) -> Self:
        """Make the body that answers for a record."""
        return cls(
            id=record.uuid,
            name=record.name,
            scopes=list(record.scopes),
            hint=record.hint,
            created_at=clock.to_datetime(record.created_at),
            expires_at=None if record.expires_at is None else clock.to_datetime(record.expires_at),
            **also,
        )


class CreatedApiKey(ApiKey):
    """A new API key."""

    key: str = Field(description="The key itself, shown this once.", examples=["hk_4fT9…"])


class ApiKeyList(ListOf[ApiKey]):
    """A page of an account's keys, newest first."""
