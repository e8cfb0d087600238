"""Accounts of a service, as a client makes them."""

import httpx

_PASSWORD = "correct horse battery"


def sign_up(client: httpx.Client, username: str = "ada") -> None:
    """Make an account, and let the client send its token from now on."""
    account = {"username": username, "password": _PASSWORD}
    assert client.post("/v1/accounts", json=account).status_code == 201
    token = client.post("/v1/auth/token", data=account).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"


def make_key(client: httpx.Client, *scopes: str) -> str:
    """Make an API key of the client's account, which may do no more than this."""
    wanted = {"name": "a program", "scopes": scopes}
    return str(client.post("/v1/accounts/me/keys", json=wanted).json()["key"])
