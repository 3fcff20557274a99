"""How fast do stored deliveries go out, from the first ring to the last record, and what does each cost?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from deliveries.fan_out import DELIVER_TASK
from scripts.benchmark.receivers import running_receiver
from scripts.benchmark.recorded import check_all_delivered, wait_until_recorded
from scripts.benchmark.rows import add_subscriptions, clear_rows, store_deliveries
from scripts.benchmark.scenario import Bench, Figures, Scenario
from scripts.benchmark.usage import cpu_us, postgresql_cpu_seconds
from scripts.benchmark.worker import Worker
from scripts.local.roles import DELIVERIES, Role
from webhookhub import doorbell

# Enough for each process of the worker to open its connections and load every endpoint.
WARM_UP_SHARE = 0.1

Ring = Callable[[Sequence[UUID]], object]


def run(bench: Bench, size: int) -> Figures:
    return measure_drain(bench, size, role=DELIVERIES, ring=ring)


def ring(delivery_ids: Sequence[UUID]) -> None:
    """Tell the hub's delivery worker of these deliveries."""
    doorbell.ring(DELIVER_TASK, delivery_ids, queue=doorbell.DELIVERIES)


def measure_drain(bench: Bench, size: int, *, role: Role, ring: Ring) -> Figures:
    """Store deliveries, ring for them, and measure the worker of this role until all are recorded.

    Raises TookTooLong, WorkerDied, WrongResult.
    """
    clear_rows()
    with running_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        subscriptions = add_subscriptions(receiver.urls)
        warm_up = store_deliveries(subscriptions, max(1, int(size * WARM_UP_SHARE)))
        with Worker(role, folder=bench.folder, processes=bench.processes) as worker:
            _drain(bench, "warming up", warm_up, worker, ring)
            stored = store_deliveries(subscriptions, size)
            worker_before, postgresql_before = worker.cpu_seconds(), postgresql_cpu_seconds()
            seconds = _drain(bench, "draining", stored, worker, ring)
            worker_after, postgresql_after = worker.cpu_seconds(), postgresql_cpu_seconds()
            check_all_delivered(len(warm_up) + size)
            return {
                "deliveries_per_second": size / seconds,
                "worker_cpu_us": cpu_us(worker_before, worker_after, count=size),
                "postgresql_cpu_us": cpu_us(postgresql_before, postgresql_after, count=size),
                "worker_peak_mb": worker.peak_mb(),
            }


def _drain(bench: Bench, title: str, delivery_ids: Sequence[UUID], worker: Worker, ring: Ring) -> float:
    """Ring for these deliveries; returns the seconds until all are recorded."""
    started_at = time.monotonic()
    ring(delivery_ids)
    return wait_until_recorded(bench, title, worker) - started_at


SCENARIO = Scenario(
    summary="stored deliveries, from the first ring to the last record",
    default_size=50_000,
    run=run,
)
