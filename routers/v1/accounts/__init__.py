"""Accounts: how they are made, what lets one in, and what they may keep."""
