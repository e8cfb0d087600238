"""Signatures: what crashes of the same bug have in common, whatever the build."""
