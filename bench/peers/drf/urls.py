"""The Django peer's routes."""

from django.http import HttpResponse
from django.urls import path
from drf import views

urlpatterns = [
    path("healthz", lambda _request: HttpResponse("ok")),
    path("blobs", views.BlobList.as_view()),
    path("blobs/<str:name>", views.BlobDetail.as_view()),
    path("blobs/<str:name>/content", views.BlobContent.as_view()),
]
