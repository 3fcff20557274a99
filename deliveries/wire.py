"""What does a worker process keep open? One engine with its connections, and one recorder for stragglers, from first use to the end."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass

from deliveries.admit import Refusal, give_back
from deliveries.engine import Engine
from deliveries.recorder import Recorder
from deliveries.transport import TransportOptions, open_transport
from webhookhub.conf import HubSettings, hub_settings

logger = logging.getLogger("webhookhub.wire")

# After the last request's deadline: for its record to reach the database.
RECORDER_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wire:
    """One process's way out."""

    engine: Engine
    recorder: Recorder
    pid: int


_lock = threading.Lock()
_wire: Wire | None = None


def open_wire() -> Wire:
    """This process's wire, made at the first call. A forked child makes its own: threads do not survive a fork."""
    global _wire  # noqa: PLW0603 - one for the whole process, which is its point
    with _lock:
        if _wire is None or _wire.pid != os.getpid():
            settings = hub_settings()
            engine = Engine(
                open_transport(settings.transport, _options(settings)),
                endpoint_concurrency=settings.endpoint_concurrency,
                endpoint_waiting=settings.endpoint_waiting,
            )
            _wire = Wire(engine=engine, recorder=Recorder(), pid=os.getpid())
        return _wire


def close_wire(timeout_seconds: float) -> None:
    """Let what is on the wire end, for so long, and record it; give back what never started. The next call opens anew."""
    global _wire
    with _lock:
        wire, _wire = _wire, None
    if wire is None or wire.pid != os.getpid():
        return
    logger.info("closing", extra={"on_wire": wire.engine.on_wire})
    unsent = wire.engine.close(timeout_seconds)
    if unsent:
        give_back([flight.claim for flight in unsent], Refusal.CROWDED)
    wire.recorder.close(RECORDER_GRACE_SECONDS)


def _options(settings: HubSettings) -> TransportOptions:
    return TransportOptions(
        allow_cidrs=settings.allow_cidrs,
        max_body_bytes=settings.response_body_max_bytes,
        ca_bundle=settings.ca_bundle or None,
        proxy_url=settings.egress_proxy_url or None,
    )
