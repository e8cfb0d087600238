"""An account's own rules for the signatures of crashes: look at, try and change them."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.identity import Access
from routers.v1.schemas.dumps.rules import (
    SignatureRules,
    SignatureRulesChange,
    SignatureRulesTrial,
    SignatureRulesTry,
)
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/dumps/rules", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]


@router.get("", operation_id="dumps_get_rules")
async def get(runtime: RuntimeDep, access: Reading) -> SignatureRules:
    """Get the account's own rules for signatures.

    They come before the built-in ones.
    """
    return SignatureRules.of(await runtime.signature_rules.find(access))


@router.put("", operation_id="dumps_set_rules")
async def put(change: SignatureRulesChange, runtime: RuntimeDep, access: Writing) -> SignatureRules:
    """Change the account's own rules for signatures.

    Dumps that are there get signatures by them in the background, which alarms nobody.
    """
    return SignatureRules.of(await runtime.signature_rules.save(access, change.rules))


@router.post("/try", operation_id="dumps_try_rules")
async def try_out(
    trial: SignatureRulesTry, runtime: RuntimeDep, access: Reading
) -> SignatureRulesTrial:
    """Try rules: tell which of the newest dumps they would change.

    Signatures are made of the dumps' reports, and nothing is changed.
    """
    return SignatureRulesTrial.of(
        await runtime.signature_rules.try_out(access, trial.rules, trial.limit)
    )
