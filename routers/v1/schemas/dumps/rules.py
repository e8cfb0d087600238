"""Schemas of an account's own rules for signatures."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field

from app import clock
from app.dumps.rules import entities
from app.dumps.rules.entities import MAX_TEXT, MAX_TRIED
from routers.v1.schemas.fields import NOT_BOOLEAN, Text, values_of

_RULES: Final = "[ignore]\nacme::log::.*\n[group]\nacme::(read|write)_\\w+ => acme I/O"

RulesText = Annotated[
    Text,
    Field(
        max_length=MAX_TEXT,
        description="Up to 200 lines: sections, in which each line is a regular expression for the "
        "name of a function; a group's ends with ` => ` and its name.",
        examples=[_RULES],
    ),
]


class SignatureRulesChange(BaseModel):
    """New rules, in place of those that there are."""

    rules: RulesText


class SignatureRules(BaseModel):
    """An account's own rules for signatures."""

    rules: str = Field(description="Empty: there are none.", examples=[_RULES])
    is_off: bool = Field(
        description="Whether the service stopped using them, because they took too long. They are "
        "used again once they are saved."
    )
    is_applying: bool = Field(
        description="Whether dumps that are there are yet to get signatures by them."
    )
    modified_at: datetime | None

    @classmethod
    def of(cls, rules: entities.Rules) -> Self:
        """Make the schema of rules."""
        changed = None if rules.modified_at is None else clock.to_datetime(rules.modified_at)
        return cls(
            rules=rules.text,
            is_off=rules.is_off,
            is_applying=rules.is_applying,
            modified_at=changed,
        )


class SignatureRulesTry(BaseModel):
    """Rules to be tried."""

    rules: RulesText
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_TRIED, description="How many of the newest dumps to try them with."),
        NOT_BOOLEAN,
    ] = MAX_TRIED


class SignatureChange(BaseModel):
    """Dumps that have one signature, and would have another."""

    now: str | None = Field(examples=["acme::read_file"])
    then: str | None = Field(examples=["acme I/O"])
    dumps: int = Field(examples=[12])

    @classmethod
    def of(cls, change: entities.Change) -> Self:
        """Make the schema of a change."""
        return cls(**values_of(change, cls))


class SignatureRulesTrial(BaseModel):
    """What rules would change of the newest dumps."""

    tried: int = Field(
        description="How many dumps were looked at; fewer than asked for, where there are no more, "
        "or no time.",
        examples=[500],
    )
    changed: int = Field(description="Of these.", examples=[12])
    changes: list[SignatureChange] = Field(description="The 200 most frequent, these first.")

    @classmethod
    def of(cls, trial: entities.Trial) -> Self:
        """Make the schema of a trial."""
        return cls(
            tried=trial.tried,
            changed=trial.changed,
            changes=[SignatureChange.of(change) for change in trial.changes],
        )
