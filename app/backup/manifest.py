"""Manifests: what a snapshot consists of. A snapshot is there as soon as its manifest is.

The format is told in docs/adr/0011. Whatever changes here must still read the manifests of before.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from app.backup.errors import BackupError

FORMAT: Final = 1

MISSING, DAMAGED = "missing", "damaged"


@dataclass(frozen=True, slots=True)
class Stored:
    """Something in the target: its key, its size in bytes, and its SHA-256 in hexadecimal."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of a table: JSON lines, gzipped, by the primary key."""

    name: str
    rows: int
    last_id: int | None
    """The highest id that it has ever given; None: it gives none."""
    stored: Stored


@dataclass(frozen=True, slots=True)
class ObjectList:
    """What the rows name in the store: lines of `Stored`, gzipped, by object."""

    objects: int
    bytes: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class Absent:
    """An object that the store didn't have as its row says, so that the snapshot lacks it."""

    key: str
    why: str
    """missing, or damaged."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot consists of, and when and of what it was taken."""

    taken_at: str
    """When the rows were read: RFC 3339, in UTC, which sorts."""
    version: str
    """Of Holdall."""
    revision: str
    """Of the database's schema."""
    instance: str
    tables: tuple[TableRows, ...]
    """In an order in which references lead backwards."""
    objects: ObjectList
    absent: tuple[Absent, ...]
    signing_key_ids: tuple[str, ...]
    """What tells whether signing keys are those that links and tokens were made with."""
    signing_keys: tuple[str, ...] | None
    """In hexadecimal; None: they were not to go along."""

    def encode(self) -> bytes:
        """Return it as JSON that carries its own SHA-256."""
        body = {"format": FORMAT, **asdict(self)}
        return json.dumps(body | {"sha256": _digest(body)}, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` has made; raises `BackupError`."""
        try:
            body = json.loads(data)
            digest, number = body.pop("sha256"), body.pop("format")
        except (ValueError, KeyError, AttributeError):
            raise BackupError("is no manifest, or cut off") from None
        if number != FORMAT:
            raise BackupError(
                f"is of format {number}, and this version of Holdall reads format {FORMAT}"
            )
        if digest != _digest({"format": number, **body}):
            raise BackupError("is damaged")
        return cls(
            **body
            | {
                "tables": tuple(_table(table) for table in body["tables"]),
                "objects": ObjectList(**_with_stored(body["objects"])),
                "absent": tuple(Absent(**absent) for absent in body["absent"]),
                "signing_key_ids": tuple(body["signing_key_ids"]),
                "signing_keys": body["signing_keys"] and tuple(body["signing_keys"]),
            }
        )


def _table(body: dict[str, Any]) -> TableRows:
    return TableRows(**_with_stored(body))


def _with_stored(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"stored": Stored(**body["stored"])}


def _digest(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
