"""Rules: what an account may do with its own."""

import asyncio
import time
from collections import Counter
from typing import Final

from app import clock
from app.accounts.identity import Access
from app.dumps.rules import naming, rows
from app.dumps.rules.entities import Change, Rules, Trial
from app.dumps.rules.task import ApplyRules
from app.dumps.signatures import own_rules
from app.dumps.signatures.own_rules import WrongRule
from app.errors import FieldError, InvalidRequest
from app.processes.pool import ChildFailed, ChildPool

_SECONDS: Final = 10.0  # of a trial
_LISTED: Final = 200  # changes


class SignatureRules:
    """Finds, tries and changes the rules of an account."""

    def __init__(self, children: ChildPool, applying: ApplyRules) -> None:
        self.applying = applying
        self._children = children

    async def find(self, access: Access) -> Rules:
        """Return the account's rules."""
        return await access.read(rows.find)

    async def save(self, access: Access, text: str) -> Rules:
        """Change the rules; those of dumps that are there follow in the background.

        Raises `InvalidRequest`, which names the line that is wrong.
        """
        text = await _checked(text)
        rules = await access.write(rows.save, text, clock.now())
        self.applying.wake()
        return rules

    async def try_out(self, access: Access, text: str, limit: int) -> Trial:
        """Tell what rules would change of the newest ``limit`` dumps, or as many as time permits.

        Raises `InvalidRequest`.
        """
        text = await _checked(text)
        until = time.monotonic() + _SECONDS
        found: Counter[tuple[str | None, str | None]] = Counter()
        tried, below = 0, None
        while tried < limit and time.monotonic() < until:
            size = min(naming.BATCH, limit - tried)
            batch = await access.read(rows.stored, below, size)
            if not batch:
                break
            try:
                names = await self._children.run(
                    naming.names, text, [dump.report for dump in batch]
                )
            except ChildFailed:
                raise _refused("The rules take too long: simplify the patterns") from None
            found.update(zip((dump.signature for dump in batch), names, strict=True))
            tried, below = tried + len(batch), batch[-1].id
        changed = Counter({pair: count for pair, count in found.items() if pair[0] != pair[1]})
        changes = [Change(now, then, count) for (now, then), count in changed.most_common(_LISTED)]
        return Trial(tried, changed.total(), changes)


async def _checked(text: str) -> str:
    """Return rules without ends of lines that differ; raises `InvalidRequest`."""
    lines = [line.rstrip() for line in text.splitlines()]
    text = "\n".join(lines).rstrip("\n")
    try:
        await asyncio.to_thread(own_rules.read, text)
    except WrongRule as error:
        raise _refused(str(error)) from None
    return text


def _refused(reason: str) -> InvalidRequest:
    wrong = FieldError(loc=["body", "rules"], msg=reason)
    return InvalidRequest(reason, errors=[wrong])
