"""One-time links: invitations, which make accounts, and password resets."""
