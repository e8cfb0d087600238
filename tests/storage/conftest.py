"""Lets pytest explain the conformance suite's failures as it does those of other tests."""

import pytest

pytest.register_assert_rewrite("storage.conformance")
