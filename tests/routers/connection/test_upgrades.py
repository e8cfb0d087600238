"""Requests that offer an upgrade are answered as if they hadn't (RFC 9110 §7.8)."""

import json
import logging

import pytest

from tests.routers.connection.wire import Client, Echo, Server

OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "websocket": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "several": b"UPGRADE: foo/2\r\nconnection: upgrade\r\nUpgrade: TLS/1.0, bar\r\n",
}
BODY = b"DELETE /v1/blobs/x HTTP/1.1\r\nHost: a\r\n\r\n"
BODIES = {
    "length": (b"Content-Length: %d\r\n\r\n" % len(BODY), BODY),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"%x\r\n%b\r\n0\r\nUpgrade: trailer\r\n\r\n" % (len(BODY), BODY),
    ),
}


def put(offer: str, framing: str) -> tuple[bytes, bytes]:
    head, body = BODIES[framing]
    return b"PUT /a?b=c HTTP/1.1\r\nHost: test\r\n" + OFFERS[offer] + head, body


GET = b"GET /next HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.mark.parametrize("cut", ["nowhere", "before the body", "everywhere"])
@pytest.mark.parametrize("framing", BODIES)
@pytest.mark.parametrize("offer", OFFERS)
def test_its_body_is_its_body_wherever_segments_end(
    server: Server, echo: Echo, offer: str, framing: str, cut: str
) -> None:
    head, body = put(offer, framing)
    client = server.connect()
    if cut == "nowhere":
        client.send(head + body + GET)
    elif cut == "before the body":
        client.send(head)
        server.expect(len(head))
        client.send(body + GET)
    else:
        for number, byte in enumerate(head + body + GET, start=1):
            client.send(bytes([byte]))
            server.expect(number)
    assert echoed(client) == ["PUT", "/a?b=c", BODY.decode()]
    assert echoed(client) == ["GET", "/next", ""]
    names = [name for name, _ in echo.seen[0].headers]
    assert b"upgrade" not in names
    assert (names.count(b"host"), names.count(b"connection")) == (1, 1)
    client.send(head + body)  # the connection goes on
    assert echoed(client)[0] == "PUT"


def echoed(client: Client) -> list[str]:
    answer = client.answer()
    assert answer.status == 200
    return [str(part) for part in json.loads(answer.body)]


def test_many_in_one_segment_are_answered_in_turn(server: Server) -> None:
    client = server.connect()
    head, body = put("h2c", "length")
    client.send(b"".join((head.replace(b"/a", b"/%d" % n) + body) for n in range(200)))
    assert [echoed(client)[1] for _ in range(200)] == [f"/{n}?b=c" for n in range(200)]


def test_none_with_an_offer_is_a_request_without_a_body(server: Server) -> None:
    client = server.connect()
    client.send(b"GET /a HTTP/1.1\r\nHost: test\r\n" + OFFERS["websocket"] + b"\r\n" + GET)
    assert [echoed(client)[1] for _ in range(2)] == ["/a", "/next"]


def test_a_wish_to_close_is_heard_beside_an_offer(server: Server) -> None:
    client = server.connect()
    client.send(
        b"GET /a HTTP/1.1\r\nHost: test\r\nConnection: close, Upgrade\r\nUpgrade: x\r\n\r\n"
    )
    assert client.answer().headers["connection"] == "close"
    assert client.rest() == b""


def test_it_is_no_news_for_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    client = server.connect()
    with caplog.at_level(logging.WARNING):
        client.send(b"".join(put("websocket", "length")))
        echoed(client)
    assert not caplog.records


def test_a_tunnel_is_refused_and_what_follows_is_no_request(server: Server, echo: Echo) -> None:
    client = server.connect()
    client.send(b"CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n" + GET)
    refused = client.answer()
    assert (refused.status, refused.headers["connection"]) == (405, "close")
    assert "GET" in refused.headers["allow"]
    client.end()
    assert client.rest() == b""
    assert not echo.seen
