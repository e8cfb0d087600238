"""Takeout: all that an account keeps, in one archive."""
