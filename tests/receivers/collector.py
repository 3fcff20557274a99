"""A collector of OpenTelemetry: takes spans as OTLP over HTTP, and says what came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectedSpan:
    """One span, its ids in hexadecimal digits as collectors show them."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str | int]
    service: str
    seconds: float


class Collector:
    """What came so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[CollectedSpan] = []

    def of_trace(self, trace_id: str) -> list[CollectedSpan]:
        """The trace's spans in the order of their names."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.name)

    def take(self, body: bytes) -> None:
        """Read one request."""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _read_attributes(group.resource.attributes)["service.name"]
            self.spans += [_read(span, str(service)) for scope in group.scope_spans for span in scope.spans]


def _read(span: Any, service: str) -> CollectedSpan:
    return CollectedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_read_attributes(span.attributes),
        service=service,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


def _read_attributes(pairs: Any) -> dict[str, str | int]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector that listens until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
