"""Where does Celery come in? Each task parses ids, calls one function, and returns nothing."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import billiard.pool
from celery import Task, shared_task
from celery.exceptions import Reject
from celery.signals import (
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from django.db import InterfaceError, OperationalError, close_old_connections

from deliveries import partitions
from deliveries.breaker import judge
from deliveries.deliver import deliver
from deliveries.fan_out import DELIVER_TASK, fan_out
from deliveries.forget import forget
from deliveries.hold import release
from deliveries.jobs import RUN_JOB_TASK, run_job
from deliveries.recorder import group_retries
from deliveries.sweep import sweep
from deliveries.tally import FOLD_TASK, fold
from deliveries.traces import traced_fan_out
from deliveries.wire import close_wire
from webhookhub import doorbell
from webhookhub.accounts import FORGET_TASK
from webhookhub.events import FAN_OUT_TASK
from webhookhub.logged_ids import logged_ids
from webhookhub.models import ProcessKind
from webhookhub.presence import Presence, see_beat
from webhookhub.tracing import close_traces

logger = logging.getLogger("webhookhub.tasks")

DATABASE_AWAY = (OperationalError, InterfaceError)
# A database that restarts is back within seconds; what is not tried again is found by the sweep.
DATABASE_AWAY_COUNTDOWN_SECONDS = 2
# Longest deadline of a request (a profile's timeout is at most 60 s) before what is on the wire is given up at shutdown.
SHUTDOWN_SECONDS = 60.0
# Objects made and not yet freed before a collection: a batch makes some ten thousand, and frees all of them itself.
GC_THRESHOLD = 50_000
# Tenths of a second for which a worker's process waits, before it ends, for the main process to hear of its last tasks.
# At a warm shutdown nobody may be listening any more, and the half minute that billiard waits is longer than a worker is
# given to end; all that is lost is an acknowledgement, and a message that comes again claims nothing.
LAST_WORD_TENTHS = 20


@shared_task(bind=True, name=FAN_OUT_TASK, max_retries=None)
def fan_out_task(self: Task[Any, None], event_ids: Sequence[str]) -> None:
    identifiers = [UUID(identifier) for identifier in event_ids]
    logger.info("rung", extra={"task": self.name, "event_ids": logged_ids("event", identifiers)})
    try:
        with traced_fan_out(identifiers):
            fan_out(identifiers)
    except DATABASE_AWAY:
        ring_again(self, event_ids)


@shared_task(bind=True, name=DELIVER_TASK, max_retries=None)
def deliver_task(self: Task[Any, None], delivery_ids: Sequence[str]) -> None:
    try:
        retries = deliver([UUID(identifier) for identifier in delivery_ids])
    except DATABASE_AWAY:
        ring_again(self, delivery_ids)
        return
    for countdown_seconds, group in group_retries(retries).items():
        retry_later(self, [retry.delivery_id.hex for retry in group], countdown_seconds)


@shared_task(name="deliveries.sweep")
def sweep_task() -> None:
    sweep()
    judge()
    see_beat()


@shared_task(name=FOLD_TASK)
def fold_tallies_task() -> None:
    fold()


@shared_task(name="deliveries.release")
def release_task(subscription_ids: Sequence[str]) -> None:
    for identifier in subscription_ids:
        release(UUID(identifier))


@shared_task(bind=True, name=RUN_JOB_TASK, max_retries=None)
def run_job_task(self: Task[Any, None], job_ids: Sequence[str]) -> None:
    try:
        for identifier in job_ids:
            run_job(UUID(identifier))
    except DATABASE_AWAY:
        ring_again(self, job_ids)


@shared_task(name=FORGET_TASK)
def forget_accounts_task(account_ids: Sequence[str]) -> None:
    for identifier in account_ids:
        forget(UUID(identifier))


@shared_task(name="deliveries.maintain_partitions")
def maintain_partitions_task() -> None:
    partitions.maintain()


def ring_again(task: Task[Any, None], identifiers: Sequence[str]) -> None:
    """The database is away: look at these again when it may be back. Where a countdown is not safe, the sweep does."""
    logger.warning("database away", extra={"task": task.name, "count": len(identifiers)})
    if doorbell.countdown_is_safe():
        retry_later(task, identifiers, DATABASE_AWAY_COUNTDOWN_SECONDS)


def retry_later(task: Task[Any, None], identifiers: Sequence[str], countdown_seconds: float) -> None:
    """Look at these again after so long. Where the broker is away, the sweep does."""
    try:
        task.retry(args=(list(identifiers),), countdown=countdown_seconds, throw=False)
    except Reject as error:
        # What Celery makes of a message that cannot be published.
        logger.warning("ring dropped", extra={"count": len(identifiers), "reason": str(error)[:200]})


@task_prerun.connect
@task_postrun.connect
def drop_dead_connections(**_: object) -> None:
    """Connections outlive a task (see `config.celery`); Django's own rules say when one is too old or broken."""
    close_old_connections()


@worker_process_init.connect
def collect_rarely(**_: object) -> None:
    """What was there at the fork is never collected, and the rest in larger lots: some 3 % of a worker's CPU."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


@worker_process_init.connect
def end_in_time(**_: object) -> None:
    """A worker's process does not outstay the grace that its machine gives it."""
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = LAST_WORD_TENTHS


@worker_ready.connect
def appear(sender: Any, **_: object) -> None:
    """The worker's main process says that it is there, until it ends."""
    global _presence  # noqa: PLW0603 - a process is one worker
    _presence = Presence(
        ProcessKind.WORKER,
        sender.hostname,
        queues=sorted(sender.app.amqp.queues.consume_from),
        children=sender.controller.concurrency,
    )
    _presence.start()


@worker_shutdown.connect
def disappear(**_: object) -> None:
    """A worker that was told to end is missed by nobody."""
    if _presence is not None:
        _presence.end()


_presence: Presence | None = None


@worker_process_shutdown.connect
@worker_shutdown.connect
def finish_wire(**_: object) -> None:
    """A worker that is told to end takes nothing new, and records what it has on the wire."""
    close_wire(SHUTDOWN_SECONDS)
    close_traces()
