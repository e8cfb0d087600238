"""The disks of this host that can run full, as the system tells of them."""

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from app.config import Settings

log = structlog.get_logger(__name__)


def folders_of(settings: Settings) -> dict[str, Path]:
    """Return the folders whose disks can run full, by what they hold."""
    folders = {"temporary files": settings.data_dir}
    if not settings.uses_postgres:
        folders["database"] = settings.sqlite_path.parent
    if settings.active_storage == "local":
        folders["objects"] = settings.objects_path
        if settings.dumps_base_dir is not None:
            folders["dumps"] = settings.dumps_base_dir
    return folders


def look_at(folders: Mapping[str, Path]) -> dict[str, os.statvfs_result]:
    """Look at the disks of folders, those that are there."""
    found = {}
    for name, folder in folders.items():
        try:
            found[name] = os.statvfs(folder)
        except OSError as error:
            log.warning("a disk can't be looked at", folder=str(folder), error=repr(error))
    return found
