"""Bodies of the routes for the second factor."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from app import clock
from app.accounts.otp.entities import Enrolment, State
from routers.v1.schemas.accounts.accounts import OTP_NEEDED, GivenPassword, Otp

RecoveryCode = Annotated[str, Field(examples=["b6kz-7q2m-xr4w-dh5e"])]


class SecondFactor(BaseModel):
    """The second factor of an account."""

    enabled_at: datetime | None = Field(description="Since when it is on; null: it is off.")
    recovery_codes_left: int = Field(examples=[10])

    @classmethod
    def of(cls, state: State) -> Self:
        """Make the body that answers for it."""
        enabled_at = None if state.enabled_at is None else clock.to_datetime(state.enabled_at)
        return cls(enabled_at=enabled_at, recovery_codes_left=state.recovery_codes_left)


class SecondFactorStart(BaseModel):
    """The account's password, again."""

    current_password: GivenPassword


class SecondFactorChange(SecondFactorStart):
    """The account's password, and a code."""

    otp: Otp | None = Field(default=None, description=OTP_NEEDED)


class SecondFactorSecret(BaseModel):
    """A new secret, shown this once; nothing changes until a code confirms it."""

    secret: str = Field(description="In base32.", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(
        description="What devices take it from.",
        examples=["otpauth://totp/Holdall:ada?secret=JBSWY3DPEHPK3PXP&issuer=Holdall"],
    )
    qr: str = Field(description="The URI's QR code, as SVG.", examples=["<svg …></svg>"])

    @classmethod
    def of(cls, enrolment: Enrolment, qr: str) -> Self:
        """Make the body that hands out a secret."""
        return cls(secret=enrolment.secret, uri=enrolment.uri, qr=qr)


class SecondFactorConfirmation(BaseModel):
    """A code that a device has made of the secret."""

    otp: Otp


class RecoveryCodes(BaseModel):
    """Recovery codes, shown this once: each takes the place of a device's code, once."""

    recovery_codes: list[RecoveryCode] = Field(min_length=1)
