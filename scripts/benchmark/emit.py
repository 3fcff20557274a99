"""How soon is an event received, counted from its commit: when idle, at a steady rate, and in bulk?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from django.db import transaction

from scripts.benchmark.latency import Metronome, percentile
from scripts.benchmark.receivers import NotingReceiver, noting_receiver
from scripts.benchmark.rows import EVENT_DATA, add_subscriptions, clear_rows, event_type
from scripts.benchmark.scenario import MILLISECONDS, Bench, Figures, Scenario
from scripts.benchmark.worker import Worker
from scripts.local.console import Progress
from scripts.local.roles import DELIVERIES, WORKER
from webhookhub import ids
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.models import Account

WARM_UP_EVENTS = 500
IDLE_EVENTS = 200
# Between two idle events: longer than one takes, and never in step with anything that polls.
IDLE_PAUSE_SECONDS = (0.02, 0.06)
LOADED_EVENTS = 5_000
LOADED_PER_SECOND = 500
# Threads that emit, as an application has several: waiting for a commit's write to disk must not hold the rate down.
EMITTERS = 4
POLL_SECONDS = 0.2


def run(bench: Bench, size: int) -> Figures:
    """From emit to the receiver's call: singly when idle and steadily, and in bulk."""
    clear_rows()
    with noting_receiver(bench.folder, endpoints=bench.endpoints) as receiver, emitting_workers(bench):
        subscriptions = add_subscriptions(receiver.urls)
        emitter = Emitter(bench, subscriptions[0].account, receiver)
        emitter.emit_bulk("warming up", min(size, WARM_UP_EVENTS))
        idle = emitter.emit_singly("emitting when idle", min(size, IDLE_EVENTS), pause=_idle_pause)
        metronome = Metronome(LOADED_PER_SECOND)
        loaded = emitter.emit_singly("emitting steadily", min(size, LOADED_EVENTS), pause=metronome)
        bulk_seconds = emitter.emit_bulk("emitting in bulk", size)
    return {
        "idle_p50_ms": percentile(idle.latencies_ms, 50),
        "idle_p99_ms": percentile(idle.latencies_ms, 99),
        "loaded_p50_ms": percentile(loaded.latencies_ms, 50),
        "loaded_p99_ms": percentile(loaded.latencies_ms, 99),
        "loaded_events_per_second": loaded.per_second,
        "bulk_events_per_second": size / bulk_seconds,
    }


@contextmanager
def emitting_workers(bench: Bench) -> Iterator[None]:
    """All that fans out and delivers, while the block runs."""
    with ExitStack() as running:
        for role in (WORKER, DELIVERIES):
            running.enter_context(Worker(role, folder=bench.folder, processes=bench.processes))
        yield


@dataclass(frozen=True, kw_only=True, slots=True)
class _Emitted:
    """Events that were emitted singly."""

    latencies_ms: Sequence[float]
    """From commit to receipt."""
    per_second: float
    """At which they were committed: less than was asked for where this process could not keep up."""


class Emitter:
    """Emits events for every endpoint in turn, and finds out when they were received."""

    def __init__(self, bench: Bench, account: Account, receiver: NotingReceiver) -> None:
        self._bench = bench
        self._account = account
        self._receiver = receiver

    def emit_singly(self, title: str, count: int, *, pause: Callable[[], None]) -> _Emitted:
        """Emit so many events, each in a transaction of its own, and wait until all are received."""
        progress = Progress(title)
        emitted = []
        with ThreadPoolExecutor(EMITTERS) as emitters:
            for number in range(count):
                pause()
                emitted.append(emitters.submit(self._emit_one, number))
                progress.show(f"{number + 1:,} events")
        committed_at = dict(one.result() for one in emitted)
        receipts = self._wait_for(list(committed_at), title)
        progress.done()
        span_seconds = max(committed_at.values()) - min(committed_at.values())
        return _Emitted(
            latencies_ms=[(receipts[event_id] - moment) * MILLISECONDS for event_id, moment in committed_at.items()],
            per_second=count / max(span_seconds, POLL_SECONDS),
        )

    def emit_bulk(self, title: str, count: int) -> float:
        """Emit so many events with one call; returns the seconds from the call to the last receipt."""
        progress = Progress(title)
        events = (NewEvent(type=self._event_type(number), data=EVENT_DATA) for number in range(count))
        started_at = time.monotonic()
        event_ids = emit_many(events, account=self._account)
        receipts = self._wait_for([ids.show("event", event_id) for event_id in event_ids], title)
        progress.done()
        return max(receipts.values()) - started_at

    def _emit_one(self, number: int) -> tuple[str, float]:
        """The event's shown id and the moment of its commit."""
        moments: list[float] = []
        with transaction.atomic():
            # Before what `emit` does on commit: the ring is part of the way that is measured.
            transaction.on_commit(lambda: moments.append(time.monotonic()))
            event_id = emit(self._event_type(number), EVENT_DATA, account=self._account)
        return ids.show("event", event_id), moments[0]

    def _event_type(self, number: int) -> str:
        return event_type(number % len(self._receiver.urls))

    def _wait_for(self, event_ids: Sequence[str], title: str) -> dict[str, float]:
        """The receipts of these events, once all are there. Raises TookTooLong."""
        wanted = frozenset(event_ids)
        while not wanted <= (receipts := self._receiver.receipts()).keys():
            self._bench.check_deadline(title)
            time.sleep(POLL_SECONDS)
        return {event_id: receipts[event_id] for event_id in wanted}


def _idle_pause() -> None:
    time.sleep(random.uniform(*IDLE_PAUSE_SECONDS))


SCENARIO = Scenario(
    summary="events emitted in bulk, and some singly, from commit to receipt",
    default_size=10_000,
    run=run,
)
