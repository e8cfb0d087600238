"""Who sends mail. What can't be sent is no error of a request: its answer says so."""

from typing import Protocol

from app.config import Settings


class Mailer(Protocol):
    """Sends mail to people."""

    async def send(self, recipient: str, subject: str, text: str) -> bool:
        """Send a text to an address; returns whether a server has taken it."""


class NoMailer:
    """Sends nothing: there is no server."""

    async def send(self, recipient: str, subject: str, text: str) -> bool:
        del recipient, subject, text
        return False


def mailer_of(settings: Settings) -> Mailer:
    """Return what sends mail by these settings."""
    if settings.smtp_url is None or settings.mail_from is None:
        return NoMailer()
    from app.mail.smtp import SmtpMailer

    return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
