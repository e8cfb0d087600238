"""The upstream contracts, a thin module each: the same services under the paths of others."""

from typing import Final

from starlette.convertors import IntegerConvertor, register_url_convertor

_DIGITS: Final = 19
_LARGEST: Final = 10 ** (_DIGITS - 1)  # which names nothing


class _Number(IntegerConvertor):
    """A whole number in a path; one that no database has room for is cut down to `_LARGEST`."""

    def convert(self, value: str) -> int:
        return int(value) if len(value) < _DIGITS else _LARGEST


NO_CREDENTIAL: Final = "Authentication credentials were not provided."
"""What services made with Django's REST framework say where no credential came."""

register_url_convertor("number", _Number())
