"""What an account keeps of a flood of dumps: look at it and change it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.identity import Access
from routers.v1.schemas.dumps.policy import DumpPolicy, DumpPolicyChange
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/dumps/policy", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]


@router.get("", operation_id="dumps_get_policy")
async def get(runtime: RuntimeDep, access: Reading) -> DumpPolicy:
    """Get what the account keeps of a flood of dumps.

    All of it, unless the account has said otherwise.
    """
    return DumpPolicy.of(await runtime.dump_policies.find(access))


@router.patch("", operation_id="dumps_update_policy")
async def update(change: DumpPolicyChange, runtime: RuntimeDep, access: Writing) -> DumpPolicy:
    """Change what the account keeps of a flood of dumps.

    It holds for dumps that are read from then on.
    """
    return DumpPolicy.of(await runtime.dump_policies.change(access, change.changes()))
