"""What can no pipeline on this machine beat? The bare transport, and the bare statements for the same rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from deliveries.claim import claim
from deliveries.request import build_request
from deliveries.transport import Answer, Request, Result, Transport, TransportOptions, open_transport
from scripts.benchmark.errors import WrongResult
from scripts.benchmark.receivers import running_receiver
from scripts.benchmark.recorded import check_all_delivered
from scripts.benchmark.rows import add_subscriptions, clear_rows, store_deliveries
from scripts.benchmark.scenario import MICROSECONDS, Bench, Figures, Scenario
from scripts.benchmark.statements import measure_statements
from scripts.local.console import Progress
from subscriptions.endpoints import load_endpoints
from webhookhub.doorbell import CHUNK

# As many requests as two batches of a worker have on the wire.
IN_FLIGHT = 2 * CHUNK
WARM_UP_REQUESTS = 2_000
POLL_SECONDS = 0.1


def run(bench: Bench, size: int) -> Figures:
    """What no pipeline on this machine can beat: the requests alone, and the statements alone."""
    clear_rows()
    with running_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        subscriptions = add_subscriptions(receiver.urls)
        transport_figures = _measure_transport(bench, _build_requests(store_deliveries(subscriptions, size)))
    clear_rows()
    stored = store_deliveries(add_subscriptions(receiver.urls), size)
    statement_figures = measure_statements(stored, processes=bench.processes)
    check_all_delivered(size)
    return transport_figures | statement_figures


def _build_requests(delivery_ids: Sequence[UUID]) -> list[Request]:
    """The requests of these deliveries, built as a worker builds them."""
    requests = []
    for start in range(0, len(delivery_ids), CHUNK):
        claims = claim(delivery_ids[start : start + CHUNK])
        endpoints = load_endpoints({one.subscription_id: one.subscription_version or 0 for one in claims})
        requests += [
            build_request(
                one,
                endpoints[one.subscription_id],
                now=datetime.now(UTC),
                default_user_agent=settings.WEBHOOKHUB.user_agent,
            )
            for one in claims
        ]
    return requests


def _measure_transport(bench: Bench, requests: Sequence[Request]) -> Figures:
    options = TransportOptions(allow_cidrs=settings.WEBHOOKHUB.allow_cidrs)
    transport = open_transport(settings.WEBHOOKHUB.transport, options)
    try:
        _Burst(transport, requests[:WARM_UP_REQUESTS]).send(bench, "warming up the transport")
        cpu_before, started_at = time.process_time(), time.monotonic()
        _Burst(transport, requests).send(bench, "sending")
        seconds, cpu_seconds = time.monotonic() - started_at, time.process_time() - cpu_before
    finally:
        transport.close(timeout_seconds=0)
    return {
        "transport_per_second": len(requests) / seconds,
        "transport_cpu_us": cpu_seconds / len(requests) * MICROSECONDS,
    }


class _Burst:
    """Requests that are sent one after another, IN_FLIGHT at a time."""

    def __init__(self, transport: Transport, requests: Sequence[Request]) -> None:
        self._transport = transport
        self._waiting: Iterator[Request] = iter(requests)
        self._open = len(requests)
        self._refused: list[Result] = []
        self._ended = threading.Event()

    def send(self, bench: Bench, title: str) -> None:
        """Send them all and wait for the answers. Raises TookTooLong, and WrongResult unless each is a 200."""
        progress = Progress(title)
        for _ in range(min(IN_FLIGHT, self._open)):
            self._start_next()
        while not self._ended.wait(POLL_SECONDS):
            progress.show(f"{self._open:,} to go")
            bench.check_deadline(title)
        progress.done()
        if self._refused:
            raise WrongResult(f"{len(self._refused):,} requests were not answered with 200: {self._refused[0]}")

    def _start_next(self) -> None:
        if (request := next(self._waiting, None)) is not None:
            self._transport.start(request, self._done)

    def _done(self, result: Result) -> None:
        """Called from the transport's thread."""
        if not isinstance(result, Answer) or result.status_code != 200:
            self._refused.append(result)
        self._start_next()
        self._open -= 1
        if self._open == 0:
            self._ended.set()


SCENARIO = Scenario(
    summary="requests through the transport alone, then the statements of as many deliveries alone",
    default_size=50_000,
    run=run,
)
