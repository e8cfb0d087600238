"""Limiting a flood of dumps: what an account keeps of crashes that come very often."""
