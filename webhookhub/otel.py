"""How do spans come to OpenTelemetry? In batches, from a thread of this process, to where OTEL_EXPORTER_OTLP_ENDPOINT says.

Imported by its name alone, and only where events are traced: the packages are not installed everywhere (requirements-otel.txt).
"""

from __future__ import annotations

import os
import random
import threading
from typing import NamedTuple
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from webhookhub.tracing import Span

_NANOSECONDS = 1_000_000_000
_SPAN_MASK = (1 << 64) - 1
_SCOPE = InstrumentationScope("webhookhub")


class _Open(NamedTuple):
    """What one process sends through."""

    processor: BatchSpanProcessor
    resource: Resource
    pid: int


_lock = threading.Lock()
_open: _Open | None = None


def begin() -> None:
    """Open this process's way out. Raises ValueError where the SDK makes nothing of a variable of its own."""
    _opened()


def send(span: Span) -> None:
    """Hand it to the thread that sends; where too many wait already, it is dropped."""
    first = _context(span.event_id, span.event_id.int & _SPAN_MASK)
    context = first if span.is_first else _context(span.event_id, random.getrandbits(64) or 1)
    opened = _opened()
    opened.processor.on_end(
        ReadableSpan(
            span.name,
            context=context,
            parent=None if span.is_first else first,
            resource=opened.resource,
            attributes=span.attributes,
            kind=SpanKind.PRODUCER if span.is_first else SpanKind.CONSUMER,
            status=Status(StatusCode.ERROR if span.has_failed else StatusCode.UNSET),
            start_time=int(span.began * _NANOSECONDS),
            end_time=int(span.ended * _NANOSECONDS),
            instrumentation_scope=_SCOPE,
        )
    )


def close() -> None:
    """Send what waits, and end the thread."""
    global _open
    with _lock:
        opened, _open = _open, None
    if opened is not None and opened.pid == os.getpid():
        opened.processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own lack


def _opened() -> _Open:
    """This process's way out, made at the first span: the thread of it does not survive a fork."""
    global _open  # noqa: PLW0603 - one for the whole process
    with _lock:
        if _open is None or _open.pid != os.getpid():
            # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before the hub's own name.
            resource = Resource.create({"service.name": "webhookhub"}).merge(OTELResourceDetector().detect())
            _open = _Open(BatchSpanProcessor(OTLPSpanExporter()), resource, os.getpid())
        return _open


def _context(event_id: UUID, span_id: int) -> SpanContext:
    return SpanContext(event_id.int, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
