"""Thumbnails: the first request beside thumbor, the same again, and the memory of a child."""

import http.client
import json
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from bench import load
from bench.client import WrongAnswer
from bench.process import Tree
from bench.result import HOLDALL, MIB, Figures, Plan, Result, Target, interleave, median, ratio
from bench.servers import Api, Server, holdall, thumbor

EACH = 5
"""First requests of one round; the median of them is its figure."""

NAME = "picture.jpg"
HEIGHT = 200  # px
LARGE, HUGE = (4000, 3000), (8000, 6000)  # 12 and 48 MP
RATE, MEMORY, TIMES = 3000, 100, 1.2


def thumbnails(plan: Plan) -> list[Result]:
    """Measure thumbnails of photographs, and what a child takes for the largest."""
    with holdall() as server:
        _photograph(server.folder / NAME, LARGE)
        data = (server.folder / NAME).read_bytes()
        with thumbor(server.folder) as peer:
            first = interleave(
                plan.rounds, {HOLDALL: _first(server, data), peer.name: _first_of(peer)}
            )
        again, note = _again(server, data, plan)
        memory = _memory(server)
    limit = ratio(first, HOLDALL, peer.name)
    return [
        Result(
            f"thumbnail of 12 MP at {HEIGHT} px, first request",
            "ms",
            first,
            [Target(f"≤ {TIMES}x {peer.name}", limit, TIMES, at_least=False)],
            [f"medians of {EACH} requests, one after the other; both read the file from disk"],
        ),
        Result(
            "the same thumbnail again",
            "/s",
            again,
            [Target(f"≥ {RATE:,}/s", median(again, HOLDALL), RATE)],
            [note],
        ),
        Result(
            "peak memory of a child that decodes 48 MP",
            "MiB",
            {HOLDALL: [memory]},
            [Target(f"≤ {MEMORY} MiB", memory, MEMORY, at_least=False)],
            ["upload and thumbnail of a baseline JPEG; a progressive one is held whole: 170 MiB"],
        ),
    ]


def _photograph(path: Path, size: tuple[int, int]) -> None:
    """Make something like a photograph: soft shapes, and a little grain."""
    shapes = Image.effect_noise((size[0] // 16, size[1] // 16), 80).resize(size)
    grain = Image.blend(shapes, Image.effect_noise(size, 18), 0.25)
    light = Image.linear_gradient("L").resize(size)
    Image.merge("RGB", (shapes, grain, light)).save(path, quality=88)


def _first(server: Server, data: bytes) -> Callable[[], float]:
    def task() -> float:
        targets = [_upload(server, data) for _ in range(EACH)]
        return statistics.median(_milliseconds(server, target) for target in targets)

    return task


def _first_of(peer: Server) -> Callable[[], float]:
    target = peer.api.content.replace("{id}", NAME)
    return lambda: statistics.median(_milliseconds(peer, target) for _ in range(EACH))


def _again(server: Server, data: bytes, plan: Plan) -> tuple[Figures, str]:
    target = _upload(server, data)
    _milliseconds(server, target)
    same = replace(server, api=Api(content="", remove="", read=target))
    done = [load.read(same, "", 1, plan.seconds) for _ in range(plan.rounds + 1)][1:]
    p99, cpu = (statistics.median(getattr(it, what) for it in done) for what in ("p99", "cpu"))
    note = f"p99 {p99:.1f} ms, {cpu:.2f} ms of CPU time a request"
    return {HOLDALL: [it.rate for it in done]}, note


def _memory(server: Server) -> float:
    path = server.folder / "huge.jpg"
    _photograph(path, HUGE)
    children = server.tree.pids()[1:]
    for child in children:
        Tree(child).reset_peak()
    _milliseconds(server, _upload(server, path.read_bytes()))
    return max(Tree(child).peak() for child in children) / MIB


def _upload(server: Server, data: bytes) -> str:
    """Store a picture and return the target of its thumbnail."""
    boundary = secrets.token_hex(16)
    disposition = f"--{boundary}\r\nContent-Disposition: form-data; "
    body = f'{disposition}name="name"\r\n\r\nbench\r\n{disposition}name="img"; filename="{NAME}"'
    form = body.encode() + b"\r\n\r\n" + data + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = _ask(server, "POST", "/v1/pictures", form, server.typed_headers() | kind)
    target: str = json.loads(answer)["urls"][0]
    return target


def _milliseconds(server: Server, target: str) -> float:
    begin = time.perf_counter()
    _ask(server, "GET", target, None, server.typed_headers())
    return (time.perf_counter() - begin) * 1000


def _ask(
    server: Server, method: str, target: str, body: bytes | None, headers: dict[str, str]
) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, target, body, headers)
    with connection.getresponse() as answer:
        data = answer.read()
        if answer.status not in {200, 201}:
            raise WrongAnswer(f"{method} {target}: {answer.status} {data[:500]!r}")
    connection.close()
    return data
