"""The Django peer's API: JSON blobs, and raw uploads streamed to files."""

import base64
import binascii
from typing import Any

from django.db import IntegrityError, transaction
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf.models import Blob
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.parsers import FileUploadParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Conflict(APIException):
    """The id is in use."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This id is in use."


class Base64Field(serializers.Field):
    """Bytes as base64 text."""

    def to_internal_value(self, data: str) -> bytes:
        """Decode, strictly."""
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise serializers.ValidationError("This is not base64.") from error

    def to_representation(self, value: bytes) -> str:
        """Encode."""
        return base64.b64encode(value).decode()


class BlobSerializer(serializers.ModelSerializer):
    """A blob as JSON."""

    id = serializers.CharField(source="name", max_length=255)
    data = Base64Field()

    class Meta:
        model = Blob
        fields = ("id", "data", "size", "created_at")
        read_only_fields = ("size", "created_at")

    def create(self, validated_data: dict[str, Any]) -> Blob:
        """Store the blob of the request's user; an id in use is a 409."""
        owner = self.context["request"].user
        try:
            with transaction.atomic():
                return Blob.objects.create(
                    owner=owner, size=len(validated_data["data"]), **validated_data
                )
        except IntegrityError as error:
            raise Conflict from error


class RawBodyParser(FileUploadParser):
    """DRF's parser of raw bodies; it streams into a temporary file through Django's handlers."""

    def get_filename(self, *_request: object) -> str:
        """Name the upload after the URL, as the client sends no Content-Disposition."""
        return "upload"


class BlobList(APIView):
    """``/blobs``."""

    def post(self, request: Request) -> Response:
        """Store a JSON blob."""
        serializer = BlobSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response({"message": "stored"}, status=status.HTTP_201_CREATED)


class BlobDetail(APIView):
    """``/blobs/<name>``."""

    def get(self, request: Request, name: str) -> Response:
        """Answer a JSON blob."""
        blob = get_object_or_404(Blob, owner=request.user, name=name)
        return Response(BlobSerializer(blob).data)

    def delete(self, request: Request, name: str) -> Response:
        """Delete a blob and its file."""
        blob = get_object_or_404(Blob, owner=request.user, name=name)
        file = blob.file
        blob.delete()
        if file:
            file.delete(save=False)
        return Response(status=status.HTTP_204_NO_CONTENT)


class BlobContent(APIView):
    """``/blobs/<name>/content``."""

    parser_classes = (RawBodyParser,)

    def put(self, request: Request, name: str) -> Response:
        """Store the raw body as a file."""
        file = request.data["file"]
        Blob.objects.update_or_create(
            owner=request.user, name=name, defaults={"file": file, "size": file.size}
        )
        return Response(status=status.HTTP_201_CREATED)

    def get(self, request: Request, name: str) -> FileResponse:
        """Answer the file; gunicorn sends it with sendfile."""
        blob = get_object_or_404(Blob, owner=request.user, name=name)
        return FileResponse(blob.file.open(), content_type="application/octet-stream")
