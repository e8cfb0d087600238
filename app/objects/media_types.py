"""Media types, guessed from file names where the sender doesn't know them."""

from mimetypes import MimeTypes
from typing import Final

UNKNOWN: Final = "application/octet-stream"

_COMPRESSED: Final = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
}
_TYPES: Final = MimeTypes()  # the same on every machine: it reads no file of the system's
for _extension, _type in (
    (".avif", "image/avif"),
    (".webp", "image/webp"),
    (".heic", "image/heic"),
    (".md", "text/markdown"),
    (".log", "text/plain"),
    (".flac", "audio/flac"),
    (".ogg", "audio/ogg"),
    (".m4a", "audio/mp4"),
    (".mkv", "video/x-matroska"),
    (".7z", "application/x-7z-compressed"),
    (".yaml", "application/yaml"),
    (".yml", "application/yaml"),
    (".toml", "application/toml"),
):
    _TYPES.add_type(_type, _extension)


def guess(name: str, sent: str) -> str:
    """Return the media type that was sent, or a guess from the name if that is unknown."""
    if sent != UNKNOWN:
        return sent
    file_name = name.rpartition(":")[2]  # what comes before would be taken for a URL's scheme
    guessed, encoding = _TYPES.guess_type(file_name, strict=False)
    if encoding is not None or guessed is None:  # a .tar.gz is no tar
        return _COMPRESSED.get(encoding or "", UNKNOWN)
    return guessed
