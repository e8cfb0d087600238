"""Bodies of the routes for invitations, password resets, and those who receive them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StrictBool

from app import clock
from app.accounts.welcome import entities
from app.accounts.welcome.entities import (
    INVITATION_LIFETIME,
    MAX_INVITATION_LIFETIME,
    MAX_RESET_LIFETIME,
    MIN_LIFETIME,
    RESET_LIFETIME,
)
from routers.v1.schemas.accounts.accounts import Email, NewPassword, Username
from routers.v1.schemas.fields import NOT_BOOLEAN, Id
from routers.v1.schemas.lists import ListOf

Url = Annotated[
    str,
    Field(
        description="The link, shown this once.",
        examples=["https://example.org/welcome/n2XwqJ0wXeKx4fT9vC7yRmZkq3LdH8sBtUaPzE5oGiQ"],
    ),
]
QrCode = Annotated[
    str,
    Field(description="The link's QR code, as SVG.", examples=["<svg …></svg>"]),
]
Mailed = Annotated[
    bool,
    Field(
        description="Whether a mail server has taken the link for the address. If not, pass it on."
    ),
]


class InvitationCreate(BaseModel):
    """What the account will be that an invitation makes."""

    tier: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="The name of a tier; null: that of all new accounts.",
        examples=["Premium"],
    )
    is_admin: StrictBool = False
    email: Email | None = Field(
        default=None, description="Whom it is for: the account gets this address, or another."
    )
    expires_in: Annotated[
        int, Field(ge=MIN_LIFETIME, le=MAX_INVITATION_LIFETIME, description="Seconds."), NOT_BOOLEAN
    ] = INVITATION_LIFETIME


class Invitation(BaseModel):
    """An invitation, without its link."""

    id: Id
    tier: str = Field(examples=["Basic"])
    is_admin: bool
    email: str | None = Field(examples=["ada@example.org"])
    invited_by: str = Field(description="The administrator's user name.", examples=["root"])
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, invitation: entities.Invitation, **also: Any) -> Self:  # noqa: ANN401
        """Make the body that answers for an invitation."""
        return cls(
            id=invitation.uuid,
            tier=invitation.tier,
            is_admin=invitation.is_admin,
            email=invitation.email,
            invited_by=invitation.invited_by,
            created_at=clock.to_datetime(invitation.created_at),
            expires_at=clock.to_datetime(invitation.expires_at),
            **also,
        )


class CreatedInvitation(Invitation):
    """A new invitation, with its link."""

    url: Url
    qr: QrCode
    mailed: Mailed


class InvitationList(ListOf[Invitation]):
    """A page of the invitations that can be accepted, newest first."""


class PasswordResetCreate(BaseModel):
    """How long a new password can be set, and what else that does."""

    expires_in: Annotated[
        int, Field(ge=MIN_LIFETIME, le=MAX_RESET_LIFETIME, description="Seconds."), NOT_BOOLEAN
    ] = RESET_LIFETIME
    ends_second_factor: StrictBool = Field(
        default=False, description="Whether it turns the second factor off: the device is lost."
    )


class PasswordReset(BaseModel):
    """A link by which an account's owner sets a new password, once."""

    username: str = Field(examples=["ada"])
    expires_at: datetime
    url: Url
    qr: QrCode
    mailed: Mailed


class OfferKind(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind


class Offer(BaseModel):
    """What a one-time link offers."""

    kind: OfferKind
    username: str | None = Field(
        description="Whose password it sets; null: its receiver chooses a name.", examples=["ada"]
    )
    email: str | None = Field(examples=["ada@example.org"])
    tier: str = Field(examples=["Basic"])
    ends_second_factor: bool
    expires_at: datetime

    @classmethod
    def of(cls, offer: entities.Offer) -> Self:
        """Make the body that answers for an offer."""
        return cls(
            kind=OfferKind.INVITATION if offer.is_invitation else OfferKind.PASSWORD_RESET,
            username=offer.username,
            email=offer.email,
            tier=offer.tier,
            ends_second_factor=offer.ends_second_factor,
            expires_at=clock.to_datetime(offer.expires_at),
        )


class OfferAcceptance(BaseModel):
    """The new password; for an invitation the new account's name, too."""

    username: Username | None = Field(default=None, description="Needed for an invitation.")
    email: Email | None = Field(
        default=None, description="Where it is absent, an invitation's own address is taken."
    )
    password: NewPassword

    @property
    def given(self) -> dict[str, Any]:
        """What was said of the new account."""
        return self.model_dump(include={"username", "email"}, exclude_unset=True)
