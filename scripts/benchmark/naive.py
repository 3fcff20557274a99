"""What would one have otherwise? The same deliveries by one Celery task each, written as most teams write it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from scripts.benchmark.drain import measure_drain
from scripts.benchmark.naive_app import QUEUE, app
from scripts.benchmark.scenario import Bench, Figures, Scenario
from scripts.local.roles import WORKER_STOP, Role

WORKER = Role(
    name="naive",
    command=("celery", "-A", "scripts.benchmark.naive_app", "worker", "-Q", QUEUE, "--concurrency", "2"),
    stop_steps=WORKER_STOP,
)


def run(bench: Bench, size: int) -> Figures:
    return measure_drain(bench, size, role=WORKER, ring=send_tasks)


def send_tasks(delivery_ids: Sequence[UUID]) -> None:
    """A task for each delivery."""
    for delivery_id in delivery_ids:
        app.send_task("scripts.benchmark.naive_tasks.deliver", args=[str(delivery_id)])


SCENARIO = Scenario(
    summary="stored deliveries as most teams send them: one Celery task, one requests call, four queries each",
    default_size=3_000,
    run=run,
)
