"""Dumps, their attachments, and the bugs that they are of."""
