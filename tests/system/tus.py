"""Resumable uploads by tus, as a client does them step by step."""

import base64

import httpx

HEADERS = {"Tus-Resumable": "1.0.0"}


def begin(client: httpx.Client, place: str, size: int, **metadata: str) -> str:
    """Begin an upload at a place; returns its address."""
    pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in metadata.items())
    about = {"Upload-Length": str(size), "Upload-Metadata": ",".join(pairs)}
    begun = client.post(place, headers=HEADERS | about)
    assert begun.status_code == 201, begun.text
    return begun.headers["location"]


def append(client: httpx.Client, url: str, offset: int, data: bytes) -> None:
    """Send the next bytes of an upload, of which there are ``offset`` already."""
    piece = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    answer = client.patch(url, headers=HEADERS | piece, content=data)
    assert answer.status_code == 204, answer.text


def upload(client: httpx.Client, place: str, data: bytes, **metadata: str) -> None:
    """Upload something in two pieces."""
    url = begin(client, place, len(data), **metadata)
    half = len(data) // 2
    append(client, url, 0, data[:half])
    append(client, url, half, data[half:])
