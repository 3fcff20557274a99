"""What does a worker process keep open? An engine with its connections, a pacer, a recorder and a token desk, from first use on."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, replace
from functools import partial

from deliveries.admit import Refusal, give_back
from deliveries.engine import Engine
from deliveries.line import leave_places, rejoin
from deliveries.pacer import Pacer
from deliveries.recorder import Recorder
from deliveries.token_desk import TokenDesk
from deliveries.token_request import MAX_ANSWER_BYTES
from deliveries.transport import TransportOptions, open_transport
from webhookhub.conf import HubSettings, hub_settings

logger = logging.getLogger("webhookhub.wire")

# For the pacer to end what it is about.
PACER_GRACE_SECONDS = 5.0
# After the last request's deadline: for its record to reach the database.
RECORDER_GRACE_SECONDS = 5.0
# For the token desk to give up what it fetches.
TOKEN_GRACE_SECONDS = 2.0
# Token endpoints that may hang at a time before others have to wait for them.
TOKEN_THREADS = 100


@dataclass(frozen=True, slots=True)
class Wire:
    """One process's way out."""

    engine: Engine
    recorder: Recorder
    pacer: Pacer
    tokens: TokenDesk
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
            recorder = Recorder()
            pacer = Pacer(engine, recorder, endpoint_waiting=settings.endpoint_waiting)
            # Through `requests`, whatever deliveries go through: begun with the first token.
            token_options = replace(_options(settings), max_body_bytes=MAX_ANSWER_BYTES, threads=TOKEN_THREADS)
            tokens = TokenDesk(partial(open_transport, "requests", token_options), user_agent=settings.user_agent)
            _wire = Wire(engine=engine, recorder=recorder, pacer=pacer, tokens=tokens, pid=os.getpid())
        return _wire


def close_wire(timeout_seconds: float) -> None:
    """Let what is on the wire end, for so long, and record it; give back what never started. The next call opens anew."""
    global _wire
    with _lock:
        wire, _wire = _wire, None
    if wire is None or wire.pid != os.getpid():
        return
    logger.info("closing", extra={"on_wire": wire.engine.on_wire})
    wire.tokens.close(TOKEN_GRACE_SECONDS)
    rejoin(wire.pacer.close(PACER_GRACE_SECONDS))
    unsent = wire.engine.close(timeout_seconds)
    if unsent:
        give_back([flight.claim for flight in unsent], Refusal.CROWDED)
        leave_places(unsent)
    wire.recorder.close(RECORDER_GRACE_SECONDS)


def _options(settings: HubSettings) -> TransportOptions:
    return TransportOptions(
        allow_cidrs=settings.allow_cidrs,
        max_body_bytes=settings.response_body_max_bytes,
        ca_bundle=settings.ca_bundle or None,
        proxy_url=settings.egress_proxy_url or None,
    )
