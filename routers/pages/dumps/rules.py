"""The page of an account's rules for its dumps: their signatures, and what is kept of a flood."""

from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from app.dumps.rules.entities import Trial
from app.errors import InvalidRequest, ProblemError
from app.runtime import Runtime
from routers.http.forms.reading import check_fields, read_fields
from routers.pages.dumps.policy_form import PolicyForm, lines_of
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.v1.schemas.dumps.rules import SignatureRulesTry
from routers.web.dependencies import RuntimeDep
from routers.web.problems import invalid
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 256 * 1024  # bytes of a form, in which each of 40,000 characters may be three
_SUGGESTED: Final = 50


class RulesForm(BaseModel):
    """The form of the rules, with the button that was pressed."""

    rules: str = ""
    do: Literal["try", "save"] = "try"


@router.get("/dumps/rules")
async def show(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Show the rules and the policy."""
    return await _page(request, visitor, runtime)


@router.post("/dumps/rules")
async def change(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Try the rules of the form, or save them; wrong ones are shown with what is wrong."""
    form = await read_fields(request, RulesForm, _LIMIT)
    try:
        rules = check_fields(SignatureRulesTry, {"rules": form.rules}).rules
        if form.do == "try":
            trial = await runtime.signature_rules.try_out(
                visitor.access, rules, SignatureRulesTry(rules=rules).limit
            )
            return await _page(request, visitor, runtime, text=rules, trial=trial)
        await runtime.signature_rules.save(visitor.access, rules)
    except RequestValidationError as error:
        return await _page(request, visitor, runtime, text=form.rules, wrong=invalid(error))
    except InvalidRequest as error:
        return await _page(request, visitor, runtime, text=form.rules, wrong=error)
    return RedirectResponse(f"{base_path(request)}/dumps/rules", 303)


@router.post("/dumps/policy")
async def change_policy(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Change what is kept of a flood, and lead back; a wrong form is shown with what is wrong."""
    form = await read_fields(request, PolicyForm, _LIMIT)
    try:
        await runtime.dump_policies.change(visitor.access, form.checked().changes())
    except RequestValidationError as error:
        return await _page(request, visitor, runtime, policy_form=form, wrong=invalid(error))
    except InvalidRequest as error:
        return await _page(request, visitor, runtime, policy_form=form, wrong=error)
    return RedirectResponse(f"{base_path(request)}/dumps/rules#flood", 303)


async def _page(
    request: Request,
    visitor: Visitor,
    runtime: Runtime,
    *,
    text: str | None = None,
    trial: Trial | None = None,
    policy_form: PolicyForm | None = None,
    wrong: ProblemError | None = None,
) -> Response:
    """Return the page; ``text`` and ``policy_form`` are what forms have that isn't saved."""
    is_of_policy = policy_form is not None
    saved = await runtime.signature_rules.find(visitor.access)
    policy = await runtime.dump_policies.find(visitor.access)
    if policy_form is None:
        retention, refuse = lines_of(policy)
        policy_form = PolicyForm(
            drops="1" if policy.kept else None,
            kept=str(policy.kept or _SUGGESTED),
            retention=retention,
            refuse=refuse,
        )
    return render_app(
        request,
        "dump_rules.html",
        visitor,
        200 if wrong is None else wrong.status,
        place="dumps",
        saved=saved,
        text=saved.text if text is None else text,
        trial=trial,
        wrong=wrong,
        policy=policy,
        form=policy_form,
        is_of_policy=is_of_policy,
    )
