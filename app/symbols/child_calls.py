"""Functions that run in child processes, which alone load the library that reads symbols.

The service passes them to `ChildPool.run` without importing what they need.
"""

from typing import BinaryIO

from app.symbols.entities import FileIdentity, Zipped


def identify(file: BinaryIO) -> list[FileIdentity]:
    """See `reading.identify`."""
    from app.symbols import reading

    return reading.identify(file)


def zip_directory(file: BinaryIO) -> list[Zipped]:
    """See `reading.zip_directory`."""
    from app.symbols import reading

    return reading.zip_directory(file)


def make_cache(file: BinaryIO, number: int, debug_id: str, out: BinaryIO) -> None:
    """See `reading.make_cache`."""
    from app.symbols import reading

    reading.make_cache(file, number, debug_id, out)
