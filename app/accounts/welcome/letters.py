"""What is written to those who get a one-time link."""

from typing import Final

from app import clock
from app.accounts.welcome.entities import Invitation, NewReset

Letter = tuple[str, str]
"""A subject and a text."""

_MOMENT: Final = "%Y-%m-%d %H:%M UTC"


def of_invitation(url: str, invitation: Invitation) -> Letter:
    """Write to somebody who is invited."""
    return "An account at Holdall", (
        f"{invitation.invited_by} invites you to Holdall. Choose a name and a password here:\n\n"
        f"{url}\n\n"
        f"This link works once, until {_until(invitation.expires_at)}.\n"
    )


def of_reset(url: str, username: str, reset: NewReset) -> Letter:
    """Write to somebody who is to set a new password."""
    return "A new password for Holdall", (
        f"Set a new password for the account {username} here:\n\n"
        f"{url}\n\n"
        f"This link works once, until {_until(reset.expires_at)}. Using it ends all sessions and "
        "API keys of the account.\n\n"
        "If you did not ask for this, please tell the people who run the service.\n"
    )


def _until(moment: int) -> str:
    return clock.to_datetime(moment).strftime(_MOMENT)
