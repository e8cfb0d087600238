"""The second factor of one's own account: codes of a device beside the password."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.identity import Access
from routers.http.qr import qr_text
from routers.v1.schemas.accounts.second_factor import (
    RecoveryCodes,
    SecondFactor,
    SecondFactorChange,
    SecondFactorConfirmation,
    SecondFactorSecret,
    SecondFactorStart,
)
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(
    prefix="/v1/accounts/me/second-factor", tags=["accounts"], route_class=HoldallRoute
)

OwnAccess = Annotated[Access, Depends(Requires("account"))]


@router.get("", operation_id="accounts_read_second_factor")
async def read(access: OwnAccess, runtime: RuntimeDep) -> SecondFactor:
    """Return whether the caller's account has a second factor.

    It is a device that makes codes by the time (TOTP, RFC 6238).
    """
    return SecondFactor.of(await runtime.second_factor.state(access))


@router.post("", operation_id="accounts_begin_second_factor", responses=problems(409, 429))
async def begin(
    body: SecondFactorStart, access: OwnAccess, runtime: RuntimeDep
) -> SecondFactorSecret:
    """Get a secret from which a device makes codes.

    Nothing changes until one of these is sent to `confirm`.
    """
    enrolment = await runtime.second_factor.begin(access, body.current_password)
    return SecondFactorSecret.of(enrolment, await qr_text(enrolment.uri))


@router.post(
    "/confirm", operation_id="accounts_confirm_second_factor", responses=problems(404, 409)
)
async def confirm(
    body: SecondFactorConfirmation, access: OwnAccess, runtime: RuntimeDep
) -> RecoveryCodes:
    """Turn the second factor on by a code of the device. Logins need one from now on.

    Sessions and API keys go on. Keep the recovery codes apart from the device.
    """
    return RecoveryCodes(recovery_codes=[*await runtime.second_factor.confirm(access, body.otp)])


@router.post(
    "/recovery-codes", operation_id="accounts_renew_recovery_codes", responses=problems(404, 429)
)
async def renew_codes(
    body: SecondFactorChange, access: OwnAccess, runtime: RuntimeDep
) -> RecoveryCodes:
    """Get new recovery codes. The old ones don't work any more."""
    made = await runtime.second_factor.renew_codes(access, body.current_password, body.otp)
    return RecoveryCodes(recovery_codes=[*made])


@router.post(
    "/delete",
    status_code=204,
    operation_id="accounts_delete_second_factor",
    responses=problems(404, 429),
)
async def delete(body: SecondFactorChange, access: OwnAccess, runtime: RuntimeDep) -> None:
    """Turn the second factor off. Password and code are asked for, as a DELETE couldn't do.

    A code that is missing or wrong is a 403 of the type
    `urn:holdall:problem:second-factor-needed`.
    """
    await runtime.second_factor.end(access, body.current_password, body.otp)
