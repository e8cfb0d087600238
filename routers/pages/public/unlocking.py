"""Visitors who know the password of a link: its pages stay open to them, by a cookie."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.links.entities import Protected, PublicLink
from app.runtime import Runtime
from routers.pages.public import leases
from routers.web.urls import base_path, base_url

_PROOF: Final = "holdall_unlocked"


def unlocked(
    request: Request, runtime: Runtime, token: str, link: PublicLink, name: str
) -> Response:
    """Lead a visitor who knows the password to the page, which a cookie opens from now on."""
    response = leases.see_other(leases.path_of(request, token, link, name))
    remember(response, request, runtime, token, link)
    return response


def remember(
    response: Response, request: Request, runtime: Runtime, token: str, link: Protected
) -> None:
    """Let a visitor who knows the password, if there is one, in from now on."""
    if link.password_hash is not None:
        response.set_cookie(
            _PROOF,
            runtime.links.proof_of(link),
            path=f"{base_path(request)}/t/{token}",
            secure=base_url(request, runtime).startswith("https://"),
            httponly=True,
            samesite="lax",
        )


def is_unlocked(request: Request, runtime: Runtime, link: Protected) -> bool:
    """Tell whether a visitor has been at `unlocked`, since when the password is the same."""
    proof = request.cookies.get(_PROOF)
    return proof is not None and runtime.links.is_proof(link, proof)
