"""Resumable uploads of everything that accounts keep."""
