"""What does an endpoint that never answers cost the others? The same healthy deliveries without it, and beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from celery import current_app
from django.db import connection

from deliveries.models import Status
from scripts.benchmark.drain import ring
from scripts.benchmark.latency import Metronome, percentile
from scripts.benchmark.receivers import running_receiver, silent_endpoint
from scripts.benchmark.rows import add_subscriptions, clear_rows, store_deliveries
from scripts.benchmark.scenario import MILLISECONDS, Bench, Figures, Scenario
from scripts.benchmark.worker import Worker
from scripts.local.console import Progress
from scripts.local.roles import DELIVERIES
from subscriptions.models import Subscription
from webhookhub.ids import array_literal

WARM_UP = 2_000
# A rate far below what the machine can do: latencies then show who stands in the way, not how long the queue is.
STEADY_PER_SECOND = 500
STEADY_SECONDS = 8
# Healthy deliveries that are rung for together, as for an event with so many subscribers.
RING_TOGETHER = 10
# Deliveries that take longer count as taking so long.
PATIENCE_SECONDS = 15.0
POLL_SECONDS = 0.2


def run(bench: Bench, size: int) -> Figures:
    """The healthy endpoints alone, and again beside one that takes half of all deliveries and never answers."""
    with running_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        alone = _measure(bench, size, _Endpoints.subscribed(receiver.urls))
        with silent_endpoint() as silent_url:
            beside = _measure(bench, size, _Endpoints.subscribed(receiver.urls, silent_url))
    return {
        "healthy_throughput_ratio": beside.per_second / alone.per_second,
        "healthy_p99_ratio": beside.p99_ms / alone.p99_ms,
        "alone_per_second": alone.per_second,
        "alone_p99_ms": alone.p99_ms,
        "beside_per_second": beside.per_second,
        "beside_p99_ms": beside.p99_ms,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Healthy:
    """How the healthy deliveries fared."""

    per_second: float
    """Of those that were rung for all at once."""
    p99_ms: float
    """From ring to answer, of those that were rung for at a steady rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """Pending deliveries: to healthy endpoints, and to silent ones, as many or none."""

    healthy: Sequence[UUID]
    silent: Sequence[UUID]

    def mixed(self, start: int = 0, end: int | None = None) -> list[UUID]:
        """Those from `start` to `end` of both, in turn."""
        if not self.silent:
            return list(self.healthy[start:end])
        return list(chain.from_iterable(zip(self.healthy[start:end], self.silent[start:end], strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Endpoints:
    healthy: Sequence[Subscription]
    silent: Sequence[Subscription]

    @classmethod
    def subscribed(cls, healthy_urls: Sequence[str], *silent_urls: str) -> _Endpoints:
        clear_rows()
        return cls(healthy=add_subscriptions(healthy_urls), silent=add_subscriptions(silent_urls))

    def store(self, count: int) -> _Stored:
        """So many deliveries to healthy endpoints, and as many to silent ones where there are such."""
        return _Stored(
            healthy=store_deliveries(self.healthy, count),
            silent=store_deliveries(self.silent, count) if self.silent else (),
        )

    def store_warm_up(self, count: int) -> _Stored:
        return _Stored(healthy=store_deliveries(self.healthy, count), silent=())


def _measure(bench: Bench, size: int, endpoints: _Endpoints) -> _Healthy:
    company = "beside a silent endpoint" if endpoints.silent else "without a silent endpoint"
    steady = endpoints.store(min(size, STEADY_PER_SECOND * STEADY_SECONDS))
    with _warm_worker(bench, size, endpoints):
        latencies = _send_steadily(f"steadily, {company}", steady)
    at_once = endpoints.store(size)
    with _warm_worker(bench, size, endpoints):
        seconds = _send_at_once(f"all at once, {company}", at_once)
    delivered = [second for second in seconds if second < PATIENCE_SECONDS]
    return _Healthy(
        per_second=len(delivered) / max(seconds),
        p99_ms=percentile(latencies, 99) * MILLISECONDS,
    )


@contextmanager
def _warm_worker(bench: Bench, size: int, endpoints: _Endpoints) -> Iterator[None]:
    with Worker(DELIVERIES, folder=bench.folder, processes=bench.processes) as worker:
        _send_at_once("warming up", endpoints.store_warm_up(min(size, WARM_UP)))
        yield
        # What hangs on the wire would keep it for as long as a request may take, and its retries the next worker.
        worker.kill()
    current_app.control.purge()


def _send_at_once(title: str, stored: _Stored) -> list[float]:
    """Ring for all of them together; returns the seconds until each healthy one was answered."""
    rung_at = time.monotonic()
    ring(stored.mixed())
    _wait_for(title, stored.healthy)
    return _seconds_until_answered(stored.healthy, [rung_at] * len(stored.healthy))


def _send_steadily(title: str, stored: _Stored) -> list[float]:
    """As above, but ring for a few at a time."""
    metronome = Metronome(STEADY_PER_SECOND / RING_TOGETHER)
    rung_at: list[float] = []
    for start in range(0, len(stored.healthy), RING_TOGETHER):
        metronome()
        group = stored.healthy[start : start + RING_TOGETHER]
        rung_at += [time.monotonic()] * len(group)
        ring(stored.mixed(start, start + RING_TOGETHER))
    _wait_for(title, stored.healthy)
    return _seconds_until_answered(stored.healthy, rung_at)


def _wait_for(title: str, delivery_ids: Sequence[UUID]) -> None:
    """Wait until all are delivered, or for as long as patience lasts."""
    progress = Progress(title)
    end = time.monotonic() + PATIENCE_SECONDS
    while (delivered := _count_delivered(delivery_ids)) < len(delivery_ids) and time.monotonic() < end:
        progress.show(f"{delivered:,} delivered")
        time.sleep(POLL_SECONDS)
    progress.done(f"{delivered:,} of {len(delivery_ids):,} delivered")


def _count_delivered(delivery_ids: Sequence[UUID]) -> int:
    with connection.cursor() as cursor:
        # Ids of one call lie together, and no others between them: two bounds are cheaper to ask with than all of them.
        cursor.execute(
            "SELECT count(*) FROM webhookhub_delivery WHERE id BETWEEN %s AND %s AND status = %s",
            [min(delivery_ids), max(delivery_ids), Status.DELIVERED],
        )
        return int(cursor.fetchone()[0])


def _seconds_until_answered(delivery_ids: Sequence[UUID], rung_at: Sequence[float]) -> list[float]:
    answered_at = _answered_at(delivery_ids)
    return [
        answered_at[delivery_id] - moment if delivery_id in answered_at else PATIENCE_SECONDS
        for delivery_id, moment in zip(delivery_ids, rung_at, strict=True)
    ]


def _answered_at(delivery_ids: Sequence[UUID]) -> dict[UUID, float]:
    """When each delivered one was answered, on our monotonic clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, extract(epoch FROM clock_timestamp() - finished_at)::float
                 FROM webhookhub_delivery WHERE id = ANY(%s::uuid[]) AND status = %s""",
            [array_literal(delivery_ids), Status.DELIVERED],
        )
        now = time.monotonic()
        return {delivery_id: now - seconds_ago for delivery_id, seconds_ago in cursor.fetchall()}


SCENARIO = Scenario(
    summary="deliveries to healthy endpoints, without and with as many to one that never answers",
    default_size=20_000,
    run=run,
)
