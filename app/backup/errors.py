"""Errors of backups, each reported in one line."""


class BackupError(Exception):
    """A backup can't be made, read or restored, for a reason that an operator can mend."""


class TargetBusy(BackupError):
    """Somebody else is writing to the target."""


class LeaseLost(BackupError):
    """A lease ended though it was to be renewed."""
