"""What a request's head may be, and how much of it there may be (RFC 9112)."""

import contextlib
import json

import pytest

from routers.connection import heads
from routers.connection.refusals import Refusal
from tests.routers.connection.wire import Answer, Client, Echo, Server, wait_for

LIMIT = 64 * 1024
MIB = 1024 * 1024


def head(*lines: bytes, request: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([request, *lines, b"", b""])


HOST = b"Host: test"
CHUNKED = head(HOST, b"Transfer-Encoding: chunked", request=b"PUT / HTTP/1.1")


def of_size(size: int, before: bytes = head(HOST)[:-2]) -> bytes:
    """Return a head of so many bytes, most of them in one field."""
    return before + b"X: " + b"x" * (size - len(before) - 7) + b"\r\n\r\n"


def refused(client: Client, status: int) -> Answer:
    """Read a refusal, which ends the connection."""
    answer = client.answer()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == status
    client.end()
    assert client.rest() == b""
    return answer


def test_a_head_may_have_64_kib(server: Server) -> None:
    client = server.connect()
    for _ in range(2):  # counted from each message's begin
        client.send(of_size(LIMIT))
        assert client.answer().status == 200
    client.send(of_size(LIMIT + 1))
    refused(client, 431)


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET /", b"GET / HTTP/1.1\r\nX", b"GET / HTTP/1.1\r\nX: ", b"GET /?", b"\r\n"],
    ids=["empty lines", "path", "name", "value", "query", "one empty line"],
)
def test_a_line_without_an_end_is_cut_off_at_64_kib(
    server: Server, echo: Echo, begin: bytes
) -> None:
    client = server.connect()
    endless = b"\r\n" * (MIB // 2) if begin == b"" else b"x" * MIB
    client.send(begin)
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.send(endless)
    assert client.answer().status == (400 if begin == b"\r\n" else 431)
    assert not echo.seen


def test_endless_fields_are_cut_off(server: Server, echo: Echo) -> None:
    client = server.connect()
    client.send(head(HOST)[:-2])
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.send((b"X: " + b"x" * 10_000 + b"\r\n") * 100)
    assert client.answer().status == 431
    assert not echo.seen


def test_a_head_may_have_100_fields(server: Server) -> None:
    client = server.connect()
    for _ in range(2):
        client.send(head(HOST, *[b"X: y"] * 99))
        assert client.answer().status == 200
    client.send(head(HOST, *[b"X: y"] * 100))
    refused(client, 431)


def test_trailers_may_have_100_fields_and_are_none_of_the_head(server: Server, echo: Echo) -> None:
    client = server.connect()
    trailers = [b"Authorization: none"] * 100
    client.send(CHUNKED + b"1\r\nx\r\n0\r\n" + head(*trailers, request=b"X: y")[len(b"X: y\r\n") :])
    assert client.answer().status == 200
    assert b"authorization" not in dict(echo.seen[0].headers)
    client.send(CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 101 + b"\r\n")
    refused(client, 431)
    wait_for(lambda: [request.ended for request in echo.seen] == [True, False])


@pytest.mark.parametrize(
    "begin", [b"0\r\nX: ", b"0\r\nX", b"1;x=", b"1\r\nx\r\n0;", b"1\r\nx\r\n0\r\nX: y\r\nX: "]
)
def test_what_comes_within_a_body_without_being_of_it_is_bounded_too(
    server: Server, echo: Echo, begin: bytes
) -> None:
    client = server.connect()
    client.send(CHUNKED + begin)
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.send(b"x" * MIB)
    assert client.answer().status == 431
    assert not echo.seen[0].ended


def test_small_chunks_are_no_such_thing(server: Server) -> None:
    client = server.connect()
    body = b"".join(b"1;extension=%d\r\nx\r\n" % n for n in range(50_000)) + b"0\r\n\r\n"
    client.send(CHUNKED + body)
    assert json.loads(client.answer().body)[2] == "x" * 50_000


@pytest.mark.parametrize(
    "host", ["a", "a.b-c_d:80", "[::1]:8000", "[2001:db8::1]", "1.2.3.4:", "%41"]
)
def test_a_host_is_a_host(host: str) -> None:
    heads.check("1.1", b"GET", [(b"host", host.encode())])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["a", "a"],
        [""],
        ["["],
        ["a b"],
        ["a/b"],
        ["u@a"],
        ["a:b"],
        ["a,b:1:2"],
        ["::1"],
        ["%zz"],
    ],
    ids=str,
)
def test_no_host_or_two_or_none_that_is_one_is_refused(server: Server, hosts: list[str]) -> None:
    client = server.connect()
    client.send(head(*[b"Host: " + host.encode() for host in hosts]))
    refused(client, 400)


def test_http_1_0_needs_no_host(server: Server) -> None:
    client = server.connect()
    client.send(head(request=b"GET / HTTP/1.0"))
    assert client.answer().status == 200
    assert client.rest() == b""


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        (["chunked"], 200),
        (["Chunked "], 200),
        (["gzip, chunked"], 501),
        (["gzip", "chunked"], 501),
        (["chunked, gzip"], 501),
        (["chunked", "chunked"], 501),
        (["gzip"], 501),
        (["identity"], 501),
        (["xchunked"], 501),
        ([""], 400),
    ],
    ids=str,
)
def test_chunked_is_the_only_transfer_coding(
    server: Server, codings: list[str], status: int
) -> None:
    client = server.connect()
    lines = [b"Transfer-Encoding: " + coding.encode() for coding in codings]
    client.send(head(HOST, *lines, request=b"PUT / HTTP/1.1") + b"1\r\nx\r\n0\r\n\r\n")
    if status == 200:
        assert json.loads(client.answer().body) == ["PUT", "/", "x"]
    else:
        refused(client, status)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length : 5"],
        [b"X: a\r\n b"],
    ],
    ids=str,
)
def test_a_request_whose_end_is_uncertain_is_refused(
    server: Server, echo: Echo, lines: list[bytes]
) -> None:
    client = server.connect()
    client.send(head(HOST, *lines, request=b"PUT / HTTP/1.1") + b"0\r\n\r\n" + head(HOST))
    refused(client, 400)
    assert not echo.seen


def test_a_transfer_coding_of_http_1_0_is_refused(server: Server) -> None:
    client = server.connect()
    client.send(head(b"Transfer-Encoding: chunked", request=b"PUT / HTTP/1.0") + b"0\r\n\r\n")
    refused(client, 400)


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_other_versions_are_refused(server: Server, version: bytes) -> None:
    client = server.connect()
    client.send(head(HOST, request=b"GET / HTTP/" + version))
    refused(client, 505)


def test_a_refusal_of_head_has_no_body(server: Server) -> None:
    client = server.connect()
    client.send(head(request=b"HEAD / HTTP/1.1"))
    answer = client.answer(to="HEAD")
    client.end()
    assert (answer.status, client.rest()) == (400, b"")


def test_a_refusal_comes_after_the_answers_that_are_due(server: Server) -> None:
    client = server.connect()
    client.send(head(HOST) * 3 + head() + head(HOST))
    assert [client.answer().status for _ in range(3)] == [200] * 3
    refused(client, 400)


@pytest.mark.parametrize(
    ("target", "seen", "host"),
    [
        (b"http://other:81/a?b", "/a?b", b"other:81"),
        (b"HTTPS://other", "/", b"other"),
        (b"http://other?b", "/?b", b"other"),
        (b"//a", "//a", b"test"),
    ],
)
def test_a_target_may_be_absolute(
    server: Server, echo: Echo, target: bytes, seen: str, host: bytes
) -> None:
    client = server.connect()
    client.send(head(HOST, request=b"GET " + target + b" HTTP/1.1"))
    assert client.answer().status == 200
    assert echo.seen[0].target == seen
    assert [value for name, value in echo.seen[0].headers if name == b"host"] == [host]


@pytest.mark.parametrize("target", [b"*", b"http://u@other/", b"ftp://a/", b"/\xc3\xa9", b"a"])
def test_other_targets_are_refused(target: bytes) -> None:
    with pytest.raises(Refusal):
        heads.target(b"GET", target, [])


def test_the_whole_server_has_options(server: Server, echo: Echo) -> None:
    client = server.connect()
    client.send(head(HOST, request=b"OPTIONS * HTTP/1.1"))
    assert client.answer().status == 200
    assert echo.seen[0].target == "*"
