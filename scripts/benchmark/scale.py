"""Do more delivery workers send more? The same deliveries to endpoints that take 100 ms each, with 1, 2 and 4 workers.

Each worker is one process of the role, so that its share of an endpoint (`WEBHOOKHUB_ENDPOINT_CONCURRENCY`, 32 at a time) and the
endpoint's 100 ms are what it waits for: a message of 100 deliveries to two endpoints is two rounds of 32, some 500 deliveries a
second, and a tenth of a core. Twice the workers then have twice the share, and send nearly twice as many, until the machine has
no CPU left, which this many endpoints keep it from. With endpoints that answer at once, or many of them, a single worker has
its core full, and `drain` is the scenario.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from scripts.benchmark.drain import ring
from scripts.benchmark.receivers import slow_receiver
from scripts.benchmark.recorded import check_all_delivered, wait_until_recorded
from scripts.benchmark.rows import add_subscriptions, clear_rows, store_deliveries
from scripts.benchmark.scenario import Bench, Figures, Scenario
from scripts.benchmark.worker import Worker
from scripts.local.roles import DELIVERIES

WORKERS = (1, 2, 4)
ENDPOINTS = 2
ANSWER_SECONDS = 0.1
# Enough for each worker to load the endpoints and open its connections.
WARM_UP_EACH = 200


def run(bench: Bench, size: int) -> Figures:
    """The same number of deliveries with each number of workers."""
    with slow_receiver(bench.folder, endpoints=ENDPOINTS, answer_seconds=ANSWER_SECONDS) as receiver:
        rates = {workers: _measure(bench, size, workers, receiver.urls) for workers in WORKERS}
    return {
        **{f"workers_{workers}_per_second": rate for workers, rate in rates.items()},
        **{f"ratio_{workers}": rates[workers] / rates[1] for workers in WORKERS[1:]},
    }


def _measure(bench: Bench, size: int, count: int, urls: tuple[str, ...]) -> float:
    """Deliveries a second that so many workers send. Raises TookTooLong, WorkerDied, WrongResult."""
    clear_rows()
    subscriptions = add_subscriptions(urls)
    with contextlib.ExitStack() as running:
        roles = [replace(DELIVERIES, name=f"deliveries-{number}-of-{count}") for number in range(1, count + 1)]
        workers = [running.enter_context(Worker(role, folder=bench.folder, processes=1)) for role in roles]
        for worker in workers:
            worker.wait_until_ready(bench)
        warm_up = store_deliveries(subscriptions, min(size, WARM_UP_EACH * count))
        ring(warm_up)
        wait_until_recorded(bench, "warming up", workers[0])
        stored = store_deliveries(subscriptions, size)
        started_at = time.monotonic()
        ring(stored)
        seconds = wait_until_recorded(bench, f"{count} workers", workers[0]) - started_at
        check_all_delivered(len(warm_up) + size)
    return size / seconds


SCENARIO = Scenario(
    summary="deliveries to endpoints that take 100 ms each, with 1, 2 and 4 delivery workers",
    default_size=6_000,
    run=run,
)
