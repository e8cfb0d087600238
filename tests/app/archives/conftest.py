"""Fixtures of the tests of archives."""

from tests.app.objects.conftest import access

__all__ = ["access"]
