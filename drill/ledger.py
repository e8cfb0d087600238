"""What was written, as far as its writer knows: by this it is judged what the service returns."""

from dataclasses import dataclass, field
from typing import Final

ABSENT: Final = ""
"""What stands for the digest of a thing that was deleted, or never made."""


@dataclass(eq=False)
class Thing:
    """A thing under a path; its states are SHA-256 digests of its bytes, or `ABSENT`."""

    account: str
    path: str
    acknowledged: str = ABSENT
    unknown: set[str] = field(default_factory=set)
    """States from writes without a success: each may have come about, or still come."""
    changes: int = 0

    @property
    def name(self) -> str:
        return f"{self.account}: {self.path}"

    def begin(self, state: str) -> None:
        """Note a write before it is sent: nobody knows if it takes effect, until it succeeds."""
        self.unknown.add(state)
        self.changes += 1

    def acknowledge(self, state: str) -> None:
        """Note that a write has succeeded."""
        self.unknown.discard(state)
        self.acknowledged = state
        self.changes += 1

    def allows(self, state: str) -> bool:
        """Tell whether a reader may find this state."""
        return state == self.acknowledged or state in self.unknown


@dataclass
class Ledger:
    """All things of a drill, and what of them was found to be wrong."""

    things: list[Thing] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)

    def thing(self, account: str, path: str) -> Thing:
        """Enter a thing that is about to be made."""
        self.things.append(Thing(account, path))
        return self.things[-1]

    def made(self, account: str, path: str, digest: str) -> None:
        """Enter a thing whose path came with the acknowledgement."""
        self.things.append(Thing(account, path, digest))

    def judge(self, thing: Thing, found: str) -> None:
        """Compare what a reader found while nothing was written to the thing."""
        if not thing.allows(found):
            (self.lost if found == ABSENT else self.damaged).add(thing.name)
