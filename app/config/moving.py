"""Settings of a move: where objects were before, under the former settings' names."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr

from app.config.section import Section

PREVIOUS: Final = "previous_"
FORMER: Final = (
    "local_storage_path",
    "dumps_base_dir",
    "s3_access_key_id",
    "s3_secret_access_key",
    "s3_bucket_name",
    "s3_region_name",
    "s3_endpoint_url",
)
"""Settings of the store that a previous one has as well, with `PREVIOUS` before their names."""


class Moving(Section):
    """Moving objects to another storage, see docs/operating.md."""

    previous_storage: Literal["local", "s3", "database"] | None = None
    """Where objects were before: local, s3 or database, from where they are copied while the
    service runs; unset: nowhere else."""
    previous_local_storage_path: Path | None = None
    """What LOCAL_STORAGE_PATH was; unset: objects/ in DATA_DIR."""
    previous_dumps_base_dir: Path | None = None
    """What DUMPS_BASE_DIR was."""
    previous_s3_access_key_id: str | None = None
    """Needed for PREVIOUS_STORAGE=s3."""
    previous_s3_secret_access_key: SecretStr | None = None
    """Needed for PREVIOUS_STORAGE=s3."""
    previous_s3_bucket_name: str | None = None
    """Needed for PREVIOUS_STORAGE=s3."""
    previous_s3_region_name: str = "us-east-1"
    """What S3_REGION_NAME was."""
    previous_s3_endpoint_url: str | None = None
    """What S3_ENDPOINT_URL was."""
    move_rate: int | None = Field(None, ge=1024)
    """Bytes a second that are copied at most; unset: as many as can be."""
