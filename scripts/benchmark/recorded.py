"""When is everything recorded, and is the record right? Asked of the database, cheaply enough not to be felt."""

from __future__ import annotations

import time

from django.db import connection

from deliveries.models import Status
from scripts.benchmark.errors import WrongResult
from scripts.benchmark.scenario import Bench
from scripts.benchmark.worker import Worker
from scripts.local.console import Progress

POLL_SECONDS = 0.02
SECONDS_BETWEEN_COUNTS = 0.5
OPEN_STATUSES = (Status.PENDING, Status.HELD)


def wait_until_recorded(bench: Bench, title: str, worker: Worker) -> float:
    """Wait until no event and no delivery waits for anything; returns that moment (`time.monotonic`).

    Raises TookTooLong, WorkerDied, WrongResult.
    """
    progress = Progress(title)
    count_at = time.monotonic()
    attempts_before = attempts_so_far()
    while is_any_open():
        now = time.monotonic()
        if now >= count_at:
            count_at = now + SECONDS_BETWEEN_COUNTS
            progress.show(f"{attempts_so_far() - attempts_before:,} attempts")
            worker.check()
            bench.check_deadline(title)
        time.sleep(POLL_SECONDS)
    ended_at = time.monotonic()
    progress.done()
    return ended_at


def is_any_open() -> bool:
    """Whether any event waits for its fan-out, or any delivery is not in a final state.

    Raises WrongResult where one that is would still be woken.
    """
    with connection.cursor() as cursor:
        # First: whoever fans an event out puts its deliveries in its place.
        cursor.execute("SELECT FROM webhookhub_event WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1")
        if cursor.fetchone() is not None:
            return True
        # The order makes it read the partial index, in which entries of finished rows are marked dead as they are met.
        cursor.execute("SELECT status FROM webhookhub_delivery WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1")
        found = cursor.fetchone()
    if found is not None and found[0] not in OPEN_STATUSES:
        raise WrongResult(f"A delivery is {found[0]} and has a wake_at: the sweep would look at it again.")
    return found is not None


def attempts_so_far() -> int:
    """Attempts recorded since the tables were made, as PostgreSQL's statistics count them: about a second late."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables"
            " WHERE starts_with(relname, 'webhookhub_delivery_attempt')"
        )
        return int(cursor.fetchone()[0])


def check_all_delivered(expected: int) -> None:
    """Raises WrongResult unless there are so many deliveries, each delivered by its first attempt."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT status, count(*) FROM webhookhub_delivery GROUP BY status")
        found = dict(cursor.fetchall())
        cursor.execute("SELECT count(*) FROM webhookhub_delivery_attempt")
        (attempts,) = cursor.fetchone()
    if found != {"delivered": expected} or attempts != expected:
        raise WrongResult(
            f"{expected:,} deliveries should have one attempt each; found {found}, {attempts:,} attempts."
        )
