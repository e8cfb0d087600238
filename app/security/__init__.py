"""Secrets: the signing key and what is derived from it, passwords, API keys."""
