"""Policies: what an account may do with its own."""

from collections.abc import Mapping
from typing import Any

from app.accounts.identity import Access
from app.dumps.flood import rows
from app.dumps.flood.entities import Policy


class DumpPolicies:
    """Finds and changes the policy of an account."""

    async def find(self, access: Access) -> Policy:
        """Return the account's policy."""
        return await access.read(rows.find)

    async def change(self, access: Access, changes: Mapping[str, Any]) -> Policy:
        """Change the policy, whichever fields ``changes`` has; it holds for what comes then."""
        return await access.write(rows.change, changes)
