"""Mail by an SMTP server."""

import asyncio
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Final

import aiosmtplib
import structlog

from app import clock
from app.config.smtp import parse_smtp_url

TIMEOUT: Final = 10.0
"""Seconds that sending may take, in which somebody waits for an answer."""

log = structlog.get_logger(__name__)


class SmtpMailer:
    """Sends mail by an SMTP server, over a connection of its own each time."""

    def __init__(self, url: str, sender: str) -> None:
        """``url`` is that of the server, ``sender`` as in ``Holdall <holdall@example.org>``."""
        self._server = parse_smtp_url(url)
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)

    async def send(self, recipient: str, subject: str, text: str) -> bool:
        """Send a text to an address; returns whether the server has taken it."""
        server = self._server
        try:
            async with asyncio.timeout(TIMEOUT):
                await aiosmtplib.send(
                    self._message(recipient, subject, text),
                    sender=self._sender.addr_spec,
                    recipients=[recipient],
                    hostname=server.host,
                    port=server.port,
                    username=server.username,
                    password=server.password,
                    use_tls=server.is_tls,
                    start_tls=server.starttls,
                    local_hostname=self._sender.domain,  # else the resolver is asked for ours
                    timeout=TIMEOUT,
                )
        except (aiosmtplib.SMTPException, OSError, ValueError, TimeoutError) as error:
            log.warning("mail could not be sent", server=server.host, error=repr(error))
            return False
        return True

    def _message(self, recipient: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = recipient  # dots that RFC 5322 has nowhere are in some addresses
        message["Subject"] = subject
        message["Date"] = format_datetime(clock.to_datetime(clock.now()))
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is away from it
        message.set_content(text)
        return message
