"""How much memory does a worker need before a mountain of work? Its peak while a million deliveries are pending."""

from __future__ import annotations

import time

from scripts.benchmark.drain import ring
from scripts.benchmark.receivers import running_receiver
from scripts.benchmark.recorded import attempts_so_far, is_any_open
from scripts.benchmark.rows import add_subscriptions, clear_rows, store_deliveries
from scripts.benchmark.scenario import Bench, Figures, Scenario
from scripts.benchmark.worker import Worker
from scripts.local.console import Progress
from scripts.local.roles import DELIVERIES

WATCH_SECONDS = 20.0
POLL_SECONDS = 0.5


def run(bench: Bench, size: int) -> Figures:
    """A worker's largest size while `size` deliveries are pending."""
    clear_rows()
    with running_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        subscriptions = add_subscriptions(receiver.urls)
        stored = store_deliveries(subscriptions, size, an_event=bench.endpoints)
        ring(stored)
        with Worker(DELIVERIES, folder=bench.folder, processes=bench.processes) as worker:
            attempts = _watch(worker)
            return {"attempts_meanwhile": attempts, "worker_peak_mb": worker.peak_mb()}


def _watch(worker: Worker) -> int:
    """Let the worker work for a while; returns how many attempts it made."""
    progress = Progress("working on them")
    attempts_before = attempts_so_far()
    end = time.monotonic() + WATCH_SECONDS
    while is_any_open() and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        worker.check()
        progress.show(f"{attempts_so_far() - attempts_before:,} attempts")
    progress.done()
    return attempts_so_far() - attempts_before


SCENARIO = Scenario(
    summary="deliveries pending, and a worker that works on them for a while",
    default_size=1_000_000,
    run=run,
)
