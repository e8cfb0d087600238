"""What the Django peer keeps: small blobs in the row, uploaded ones as files."""

import uuid

from django.conf import settings
from django.db import models


def fresh_name(_blob: models.Model, _filename: str) -> str:
    """Return a new name for an uploaded file; the client's own never reaches the disk."""
    name = uuid.uuid4().hex
    return f"{name[:1]}/{name[1:2]}/{name}"


class Blob(models.Model):
    """One blob of one owner, its bytes either in ``data`` or in ``file``."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=255)
    data = models.BinaryField(null=True)
    file = models.FileField(upload_to=fresh_name, null=True)
    size = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint("owner", "name", name="one_blob_per_name"),)
