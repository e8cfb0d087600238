"""Files in a ZIP of symbols, unpacked one by one; what its directory says isn't trusted."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import aiofiles

from app.errors import InvalidRequest
from app.symbols.entities import Zipped

_CHUNK: Final = 256 * 1024
_LOCAL_HEADER: Final = 30  # bytes
_MAGIC: Final = b"PK\x03\x04"


async def unpack(path: Path, entry: Zipped) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file in an archive, which can be very many: limit them."""
    broken = InvalidRequest(f"{entry.name} in the ZIP is broken")
    async with aiofiles.open(path, "rb") as file:
        await file.seek(entry.place)
        header = await file.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or not header.startswith(_MAGIC):
            raise broken
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        await file.seek(entry.place + _LOCAL_HEADER + names)
        left, inflated = entry.compressed, zlib.decompressobj(-zlib.MAX_WBITS)
        while left:
            data = await file.read(min(left, _CHUNK))
            if not data:
                raise broken
            left -= len(data)
            if not entry.is_deflated:
                yield data
                continue
            try:
                while data:
                    yield await asyncio.to_thread(inflated.decompress, data, _CHUNK)
                    data = inflated.unconsumed_tail
            except zlib.error:
                raise broken from None
        if entry.is_deflated and not inflated.eof:
            raise broken
