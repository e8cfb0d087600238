"""Mail to people, where `SMTP_URL` names a server."""
