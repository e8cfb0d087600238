"""The form of what an account keeps of a flood of dumps: lines of text, which need no scripts."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from app.dumps.flood.entities import Policy
from app.errors import InvalidRequest
from routers.http.forms.reading import check_fields
from routers.v1.schemas.dumps.policy import DumpPolicyChange

_DAY: Final = 86_400  # seconds


class PolicyForm(BaseModel):
    """The form; without the check mark, no bytes are dropped."""

    drops: str | None = None
    kept: str = ""
    retention: str = ""
    """A line each: ``label = days``."""
    refuse: str = ""
    """A line each: ``annotation = value``, or ``annotation = beginning*``."""

    def checked(self) -> DumpPolicyChange:
        """Return the change; raises `RequestValidationError`, and `InvalidRequest` for a line."""
        retention = {
            label: _seconds(number, days) for number, label, days in _pairs(self.retention)
        }
        refuse = [_refusal(name, value) for _, name, value in _pairs(self.refuse)]
        fields = {"kept": self.kept if self.drops else None, "retention": retention}
        return check_fields(DumpPolicyChange, fields | {"refuse": refuse})


def lines_of(policy: Policy) -> tuple[str, str]:
    """Return a policy's retention and refusals as the form has them."""
    retention = [f"{label} = {_days(seconds)}" for label, seconds in policy.retention.items()]
    refuse = [f"{each.name} = {each.value}{'*' * each.is_prefix}" for each in policy.refuse]
    return "\n".join(retention), "\n".join(refuse)


def _pairs(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number of each line that isn't empty, and what is on both sides of its ``=``."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        left, sign, right = (part.strip() for part in line.partition("="))
        if not (left and sign and right):
            raise InvalidRequest(
                f"Line {number}, “{line.strip()}”: write two things with = between them"
            )
        yield number, left, right


def _seconds(number: int, days: str) -> int:
    try:
        seconds = round(float(days.removesuffix("days").removesuffix("d")) * _DAY)
    except (ValueError, OverflowError):
        seconds = 0
    if seconds < 1:
        raise InvalidRequest(f"Line {number}: “{days}” is not a number of days")
    return seconds


def _days(seconds: int) -> str:
    return f"{round(seconds / _DAY, 5):g}"


def _refusal(name: str, value: str) -> dict[str, Any]:
    if value.endswith("*") and value != "*":
        return {"name": name, "prefix": value[:-1]}
    return {"name": name, "value": value}
