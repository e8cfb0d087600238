"""Problems, as tests expect them of answers."""

from typing import Any

import httpx


def assert_problem(
    answer: httpx.Response, status: int, kind: str | None = None, *, said: str = ""
) -> dict[str, Any]:
    """Assert that an answer is a problem (RFC 9457), and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance"} <= problem.keys()
    assert kind is None or problem["type"] == f"urn:holdall:problem:{kind}"
    assert said in problem["detail"]
    return problem
