"""What do deliveries feel of retention? Events emitted at a steady rate, without and while weeks of older ones are dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import connection

from deliveries import partitions
from scripts.benchmark.emit import Emitter, emitting_workers
from scripts.benchmark.errors import WrongResult
from scripts.benchmark.latency import Metronome, percentile
from scripts.benchmark.past import store_past
from scripts.benchmark.receivers import noting_receiver
from scripts.benchmark.rows import add_subscriptions, clear_rows
from scripts.benchmark.scenario import Bench, Figures, Scenario
from webhookhub.conf import hub_settings

# Deliveries of the weeks before: each of them has a fourth.
PAST_DELIVERIES = 400_000
WARM_UP_EVENTS = 500
EVENTS_PER_SECOND = 300
SECONDS_BETWEEN_WEEKS = 2.0
WEEKS = 3


def run(bench: Bench, size: int) -> Figures:
    """Emit twice as many at the same rate; the second time, maintenance runs as it will in the next weeks."""
    clear_rows()
    store_past(PAST_DELIVERIES)
    with noting_receiver(bench.folder, endpoints=bench.endpoints) as receiver, emitting_workers(bench):
        emitter = Emitter(bench, add_subscriptions(receiver.urls)[0].account, receiver)
        emitter.emit_bulk("warming up", min(size, WARM_UP_EVENTS))
        quiet = emitter.emit_singly("emitting", size, pause=Metronome(EVENTS_PER_SECOND))
        before = _count_partitions()
        with _weeks_going_by():
            dropping = emitter.emit_singly("emitting meanwhile", size, pause=Metronome(EVENTS_PER_SECOND))
    if _count_partitions() >= before:
        raise WrongResult("Maintenance dropped nothing.")
    p99_ms, p99_while_dropping_ms = (percentile(one.latencies_ms, 99) for one in (quiet, dropping))
    return {
        "p50_ms": percentile(quiet.latencies_ms, 50),
        "p99_ms": p99_ms,
        "p50_while_dropping_ms": percentile(dropping.latencies_ms, 50),
        "p99_while_dropping_ms": p99_while_dropping_ms,
        "p99_ratio": p99_while_dropping_ms / p99_ms,
        "longest_while_dropping_ms": max(dropping.latencies_ms),
    }


@contextmanager
def _weeks_going_by() -> Iterator[None]:
    """Maintenance as of one week later after the other; the last one is reached before the block is left."""
    ended = threading.Event()
    thread = threading.Thread(target=_maintain, args=[ended], name="maintenance", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _maintain(ended: threading.Event) -> None:
    try:
        for week in range(1, WEEKS + 1):
            ended.wait(SECONDS_BETWEEN_WEEKS)
            partitions.maintain(datetime.now(UTC) + timedelta(weeks=week))
    finally:
        connection.close()


def _count_partitions() -> int:
    """Those of weeks that are past retention when all is done."""
    oldest = datetime.now(UTC) + timedelta(weeks=WEEKS) - timedelta(days=hub_settings().retention_days)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'webhookhub_event'::regclass"
            " AND inhrelid::regclass::text < %s",
            [f"webhookhub_event_{oldest:%Y%m%d}"],
        )
        return int(cursor.fetchone()[0])


SCENARIO = Scenario(
    summary="events emitted at a steady rate, without and while older weeks are dropped, from commit to receipt",
    default_size=3_000,
    run=run,
)
