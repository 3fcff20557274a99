"""How do attempts become figures? What `record` counted is added up by the minute and the hour, each tally once.

Counting costs a batch one more row, in the statement that it needs anyway. Adding up is beat's: it takes tallies away and
adds them to the figures in one transaction. Of two at once, one does nothing.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import connection, transaction

from deliveries.figure_models import BOUNDS_SECONDS, WHOLE_HUB, HourFigures, MinuteFigures
from webhookhub.conf import hub_settings

logger = logging.getLogger("webhookhub.tally")

FOLD_TASK = "deliveries.fold_tallies"
# Some 30,000 attempts on a busy hub: a tenth of a second.
TALLIES_A_STATEMENT = 300
# The next one goes on.
BUDGET_SECONDS = 5.0
MINUTES_KEPT = timedelta(hours=48)
# Of the lock that one folding holds until it commits; nobody else in the database has it.
_LOCK = 8_028_645

# Counts deliveries that ended without an attempt, in the statement that ended them.
COUNT_FAILED = """
    INSERT INTO webhookhub_tally (
        subscription_ids, account_ids, outcomes, statuses, total_ms, latency_seconds, connections_reused)
    SELECT array_agg(subscription_id), array_agg(account_id), array_agg(''::text), array_agg('failed'::text),
           array_agg(NULL::float), array_agg(NULL::float), array_agg(NULL::boolean)
      FROM {failed}
    HAVING count(*) > 0
"""


def fold() -> int:
    """Add all tallies to the figures. Returns how many there were; 0 also where somebody else is at it."""
    folded = 0
    end = time.monotonic() + BUDGET_SECONDS
    while taken := _fold_some():
        folded += taken
        if taken < TALLIES_A_STATEMENT or time.monotonic() > end:
            break
    if folded:
        logger.info("folded", extra={"tallies": folded})
    return folded


def _fold_some() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        # A plan for a handful of rows: compiling it takes longer than it runs.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(
            _FOLD,
            {
                "rows": TALLIES_A_STATEMENT,
                "whole_hub": WHOLE_HUB,
                "bounds": len(BOUNDS_SECONDS),
                "negated": [-bound for bound in reversed(BOUNDS_SECONDS)],
            },
        )
        return int(cursor.fetchone()[0])


def forget_old_figures(now: datetime) -> None:
    """Forget minutes after two days, and hours when the deliveries go that they tell of."""
    MinuteFigures.objects.filter(starts_at__lt=now - MINUTES_KEPT).delete()
    HourFigures.objects.filter(starts_at__lt=now - timedelta(days=hub_settings().retention_days)).delete()


_BUCKETS = range(len(BOUNDS_SECONDS) + 1)
# What is counted of a subscription's attempts and deliveries, under the names of the columns.
_COUNTS = {
    "attempts": "count(*) FILTER (WHERE outcome <> '')",
    "accepted": "count(*) FILTER (WHERE outcome = 'delivered')",
    "declined": "count(*) FILTER (WHERE outcome IN ('status', 'gone'))",
    "unanswered": "count(*) FILTER (WHERE outcome NOT IN ('', 'delivered', 'status', 'gone', 'worker_lost'))",
    "lost": "count(*) FILTER (WHERE outcome = 'worker_lost')",
    "delivered": "count(*) FILTER (WHERE status = 'delivered')",
    "failed": "count(*) FILTER (WHERE status = 'failed')",
    "reused": "count(*) FILTER (WHERE reused)",
    "timed": "count(total_ms)",
    "total_ms": "coalesce(sum(total_ms), 0)",
}
_DURATIONS = {f"duration_{bucket}": f"count(*) FILTER (WHERE bucket = {bucket})" for bucket in _BUCKETS}
_SUMMED = ", ".join(f"{expression} AS {name}" for name, expression in (_COUNTS | _DURATIONS).items())


def _add_to(unit: str) -> str:
    """The statement that adds what was summed to the figures of its minutes or hours."""
    return f"""
        INSERT INTO webhookhub_figures_{unit} AS figures (
            subscription_id, account_id, starts_at, durations, {", ".join(_COUNTS)})
        SELECT coalesce(subscription_id, %(whole_hub)s), account_id, date_trunc('{unit}', minute, 'UTC') AS starts_at,
               ARRAY[{", ".join(f"sum({name})" for name in _DURATIONS)}]::bigint[],
               {", ".join(f"sum({name})" for name in _COUNTS)}
          FROM summed
         GROUP BY GROUPING SETS ((starts_at, subscription_id, account_id), (starts_at))
            ON CONFLICT (subscription_id, starts_at) DO UPDATE
           SET durations = ARRAY(SELECT was + more FROM unnest(figures.durations, excluded.durations) AS pair (was, more)),
               {", ".join(f"{name} = figures.{name} + excluded.{name}" for name in _COUNTS)}
    """  # noqa: S608 - only names of this module


# A bucket is the number of bounds below the value: `width_bucket` counts those that are not above, so both are negated.
_FOLD = f"""
    WITH taken AS (
        DELETE FROM webhookhub_tally
         WHERE id IN (SELECT id FROM webhookhub_tally ORDER BY id LIMIT %(rows)s)
     RETURNING *
    ), counted AS MATERIALIZED (
        SELECT recorded_at, entry.*,
               %(bounds)s - width_bucket(- entry.total_ms / 1000, %(negated)s) AS bucket,
               %(bounds)s - width_bucket(- entry.latency_seconds, %(negated)s) AS latency_bucket
          FROM taken,
               unnest(subscription_ids, account_ids, outcomes, statuses,
                      taken.total_ms, taken.latency_seconds, connections_reused)
                   AS entry (subscription_id, account_id, outcome, status, total_ms, latency_seconds, reused)
    ), summed AS MATERIALIZED (
        SELECT date_trunc('minute', recorded_at) AS minute, subscription_id, account_id, {_SUMMED}
          FROM counted
         GROUP BY minute, subscription_id, account_id
    ), minutely AS ({_add_to("minute")}), hourly AS ({_add_to("hour")}), counters AS (
        INSERT INTO webhookhub_counter AS counter (name, label, value)
        SELECT 'attempts', outcome, count(*) FROM counted WHERE outcome <> '' GROUP BY outcome
         UNION ALL
        SELECT 'deliveries', status, count(*) FROM counted WHERE status IN ('delivered', 'failed') GROUP BY status
         UNION ALL
        SELECT 'duration', bucket::text, count(*) FROM counted WHERE total_ms IS NOT NULL GROUP BY bucket
         UNION ALL
        SELECT 'latency', latency_bucket::text, count(*) FROM counted WHERE latency_seconds IS NOT NULL GROUP BY latency_bucket
         UNION ALL
        SELECT name, '', value
          FROM (SELECT coalesce(sum(total_ms), 0) / 1000, coalesce(sum(latency_seconds), 0), count(*) FILTER (WHERE reused)
                  FROM counted) AS total (duration, latency, reused),
               LATERAL (VALUES ('duration sum', duration), ('latency sum', latency), ('reused', reused)) AS one (name, value)
            ON CONFLICT (name, label) DO UPDATE SET value = counter.value + excluded.value
    )
    SELECT count(*) FROM taken
"""  # noqa: S608 - only texts of this module
