"""What is outstanding, and since when could the oldest go? Counted exactly while it is little, estimated when it is much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from deliveries.models import Status
from webhookhub.conf import hub_settings

# Outstanding deliveries that are counted one by one: some 10 ms.
MOST_COUNTED = 10_000
# Of a longer backlog so many rows at either end are asked since when they are due.
ROWS_AT_AN_END = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What is neither delivered nor given up."""

    pending: int
    """Waiting for a worker, on the wire, or waiting for their retry."""
    held: int
    """Their webhook takes none."""
    due: int
    """Pending ones that could go now; at least so many, where `is_exact` does not hold."""
    is_exact: bool
    """Whether they were counted; else pending and held are PostgreSQL's estimates."""
    oldest_due_seconds: float
    """For how long the oldest one that could go has been waiting; 0 where none is."""
    overdue_seconds: float
    """By how much the sweep lags: for how long the first row has been waiting for it; 0 where none is."""
    events: int
    """Recorded, and nobody has looked yet who wants them; MOST_COUNTED and more are that many."""
    oldest_event_seconds: float
    """For how long the oldest of them has been waiting, by the clock of its publisher; 0 where none is."""


def read_backlog() -> Backlog:
    """As it is now."""
    with connection.cursor() as cursor:
        # Its settings hold until the transaction ends, where there is one.
        cursor.execute(
            _OUTSTANDING,
            {
                "rows": MOST_COUNTED + 1,
                "end_rows": ROWS_AT_AN_END,
                "look_again_seconds": hub_settings().look_again_seconds,
            },
        )
        rows, pending, held, due, oldest_due_seconds, overdue_seconds = cursor.fetchone()
        cursor.execute(_EVENTS, {"rows": MOST_COUNTED})
        events, oldest_event_seconds = cursor.fetchone()
    is_exact = rows <= MOST_COUNTED
    return Backlog(
        pending=pending if is_exact else max(pending, _estimate(Status.PENDING)),
        held=held if held <= MOST_COUNTED else max(held, _estimate(Status.HELD)),
        due=due,
        is_exact=is_exact,
        oldest_due_seconds=float(oldest_due_seconds),
        overdue_seconds=float(overdue_seconds),
        events=events,
        oldest_event_seconds=float(oldest_event_seconds),
    )


def _estimate(status: Status) -> int:
    """What the planner expects, from the size of the table and its statistics; nothing is read."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) SELECT FROM webhookhub_delivery WHERE status = %s", [status.value])
        explained: Any = cursor.fetchone()[0]
    return int(explained[0]["Plan"]["Plan Rows"])


# In the order of `wake_at`, which has an index of what is outstanding. What was rung is looked at again within
# `look_again_seconds`, so what is due lies before that moment: the first rows are those that the sweep comes to next, the last
# ones those that it has pushed on, again and again in a long queue, because nobody has come to them.
_OUTSTANDING = """
    SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off;
    WITH first AS MATERIALIZED (
        SELECT status, due_at, wake_at FROM webhookhub_delivery WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT %(rows)s
    ), last AS MATERIALIZED (
        SELECT due_at FROM webhookhub_delivery
         WHERE wake_at <= now() + %(look_again_seconds)s * interval '1 second'
           AND status = 'pending' AND due_at <= now() AND (SELECT count(*) FROM first) = %(rows)s
         ORDER BY wake_at DESC LIMIT %(end_rows)s
    )
    SELECT count(*), count(*) FILTER (WHERE status = 'pending'),
           (SELECT count(*) FROM (SELECT FROM webhookhub_delivery WHERE status = 'held' LIMIT %(rows)s) AS held),
           count(*) FILTER (WHERE status = 'pending' AND due_at <= now()),
           coalesce(extract(epoch FROM now() - least(min(due_at) FILTER (WHERE status = 'pending' AND due_at <= now()),
                                                     (SELECT min(due_at) FROM last))), 0),
           greatest(extract(epoch FROM now() - min(wake_at)), 0)
      FROM first
"""
_EVENTS = """
    SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off;
    SELECT count(*), greatest(extract(epoch FROM now() - min(created_at)), 0)
      FROM (SELECT created_at FROM webhookhub_event WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT %(rows)s) AS waiting
"""
