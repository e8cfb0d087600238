"""Logins: passwords and codes that are checked, and the sessions that begin with them."""
