"""Metrics of requests, under OpenTelemetry's names for HTTP servers.

Series are made by what was asked for: of a route that nobody asks for there are none, and whoever
invents methods and paths makes none.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.metrics.families import Counters, Distribution, Gauges, Histograms, Value

_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_METHOD: Final = ("http_request_method",)
_ROUTE: Final = (*_METHOD, "http_route")
_MINUTE: Final = 60
_HOUR: Final = 3600
_KIB: Final = 1024

_active: Final = Gauges("http_server_active_requests", "Requests that are being served", _METHOD)
_duration: Final = Histograms(
    "http_server_request_duration_seconds",
    "Time from a request's head to its answer's end",
    (*_ROUTE, "http_response_status_code"),
    bounds=(
        *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        *(_MINUTE, 10 * _MINUTE, _HOUR, 4 * _HOUR),
    ),
)
_first_byte: Final = Histograms(
    "holdall_http_time_to_first_byte_seconds",
    "Time from a request's head, its body included, to its answer's head",
    _ROUTE,
    bounds=(0.005, 0.025, 0.1, 0.5, 2.5, 10, _MINUTE, _HOUR),
)
_SIZES: Final = tuple(_KIB * 32**power for power in range(6))  # 1 KiB to 32 GiB
_request_size: Final = Histograms(
    "http_server_request_body_size_bytes", "Bytes read of requests' bodies", _ROUTE, bounds=_SIZES
)
_response_size: Final = Histograms(
    "http_server_response_body_size_bytes", "Bytes sent of answers' bodies", _ROUTE, bounds=_SIZES
)
_aborted: Final = Counters(
    "holdall_http_aborted_requests", "Requests that ended before their answer did", _ROUTE
)
received_bytes: Final = Counters(
    "holdall_received_bytes", "Bytes of bodies received so far, those under way included"
).labels()
sent_bytes: Final = Counters(
    "holdall_sent_bytes", "Bytes of bodies sent so far, those under way included"
).labels()


@dataclass(frozen=True, slots=True)
class _Series:
    """What a request with some method, route and status is counted by."""

    duration: Distribution
    first_byte: Distribution
    response_size: Distribution


def active_of(method: str) -> Value:
    """Return the number of requests under way with a method, for the caller to keep up."""
    return _active.labels(_known(method))


def count_request(
    method: str,
    route: str | None,
    status: int | None,
    *,
    seconds: float,
    first_byte: float | None,
    received: int,
    sent: int,
    aborted: bool,
) -> None:
    """Count a request that has ended.

    ``route`` is a template such as ``/v1/blobs/{id}``, None where there is none; ``status`` and
    ``first_byte`` are None where no answer began. ``received`` and ``sent`` are bytes of bodies.
    """
    method, route = _known(method), route or ""
    series = _series(method, route, "" if status is None else str(status))
    series.duration.observe(seconds)
    series.response_size.observe(sent)
    if first_byte is not None:
        series.first_byte.observe(first_byte)
    if received:
        _request_size.labels(method, route).observe(received)
    if aborted:
        _aborted.labels(method, route).value += 1


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: str) -> _Series:
    return _Series(
        _duration.labels(method, route, status),
        _first_byte.labels(method, route),
        _response_size.labels(method, route),
    )


def _known(method: str) -> str:
    return method if method in _METHODS else "_OTHER"
