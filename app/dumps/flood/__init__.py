"""Keeping the flood small: what an account keeps of crashes that come very often."""
