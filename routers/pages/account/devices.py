"""Which browser or program began a session, in a few words, of what it says of itself."""

import re
from typing import Final

# the first that is found counts: most browsers name others that they want to be taken for
_PROGRAMS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_FIRST_PRODUCT: Final = re.compile(r"[^\s(]+")


def device_in_words(user_agent: str) -> str:
    """Return what a User-Agent header says, as people would: ``Firefox on Android``."""
    program = next((name for mark, name in _PROGRAMS if f"{mark}/" in user_agent), None)
    if program is None:
        product = _FIRST_PRODUCT.match(user_agent)
        program = product[0].replace("/", " ") if product else "A program without a name"
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return program if system is None else f"{program} on {system}"
