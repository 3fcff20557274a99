"""How fast is PostgreSQL alone with the statements of the pipeline? Only the time inside the statements counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import django
from django.db import connection

from deliveries.claim import Claim, claim
from deliveries.engine import Flight, Landing
from deliveries.record import judge, record
from deliveries.transport import Answer, Request, Timings
from scripts.benchmark.scenario import Figures
from scripts.benchmark.usage import cpu_us, postgresql_cpu_seconds
from scripts.local.console import Progress
from subscriptions.endpoints import Endpoint, load_endpoints
from webhookhub.doorbell import CHUNK

# What nginx says.
ANSWER = Answer(
    status_code=200,
    headers=(
        ("Server", "nginx"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "0"),
        ("Connection", "keep-alive"),
    ),
    body=b"",
    truncated=False,
    timings=Timings(first_byte_ms=1.5, total_ms=1.6),
    peer_address="127.0.0.1",
    connection_reused=True,
)


def measure_statements(delivery_ids: Sequence[UUID], *, processes: int) -> Figures:
    """Claim and record these deliveries, `processes` connections at a time, each at its statements without a pause."""
    progress = Progress("claiming and recording")
    shares = [delivery_ids[number::processes] for number in range(processes)]
    cpu_before = postgresql_cpu_seconds()
    # Not forked: a copy of our database connection in two processes would mix up their answers.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        rates = list(pool.map(_statement_rate, shares))
    cpu_after = postgresql_cpu_seconds()
    progress.done()
    return {
        "sql_per_second": sum(rates),
        "sql_cpu_us": cpu_us(cpu_before, cpu_after, count=len(delivery_ids)),
    }


class Stopwatch:
    """A wrapper around every statement of a connection that adds up the time they take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        started_at = time.perf_counter()
        try:
            return execute(*statement)
        finally:
            self.seconds += time.perf_counter() - started_at


def _statement_rate(delivery_ids: Sequence[UUID]) -> float:
    """Deliveries a second that one connection claims and records, counting nothing but its statements."""
    stopwatch = Stopwatch()
    rng = random.Random()
    for start in range(0, len(delivery_ids), CHUNK):
        batch = delivery_ids[start : start + CHUNK]
        with connection.execute_wrapper(stopwatch):
            claims = claim(batch)
        endpoints = load_endpoints({one.subscription_id: one.subscription_version or 0 for one in claims})
        verdicts = [judge(_land(one, endpoints[one.subscription_id]), rng) for one in claims]
        with connection.execute_wrapper(stopwatch):
            record(verdicts)
    return len(delivery_ids) / stopwatch.seconds


def _land(one: Claim, endpoint: Endpoint) -> Landing:
    """What the engine would hand over for this claim; nothing was sent."""
    request = Request(url=endpoint.url, headers=(), body=b"", timeout_seconds=1)
    flight = Flight(claim=one, endpoint=endpoint, request=request)
    return Landing(flight=flight, started_monotonic=time.monotonic(), result=ANSWER)
