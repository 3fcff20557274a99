"""What has time caught up with? Lost doorbells, lost workers, due retries, expiries: every row whose `wake_at` has come.

Sweeps may overlap and run twice: each takes rows that no other holds, and moves their `wake_at` before anything is rung.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from deliveries.admit import CROWDED
from deliveries.fan_out import DELIVER_TASK
from deliveries.hold import HELD_LOOK_AGAIN_SECONDS, release
from deliveries.jobs import ring_for_overdue_jobs
from deliveries.line import call_everywhere
from deliveries.models import TEST_TRIGGER
from deliveries.outcome import WorkerLost
from deliveries.record import NearRetry, Verdict, record
from deliveries.recorder import ring_for
from deliveries.schedule import schedule
from deliveries.tally import COUNT_FAILED
from subscriptions.builtin_profiles import DEFAULT_PROFILE
from subscriptions.endpoints import load_endpoints
from subscriptions.profiles import DeliveryProfile
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.events import FAN_OUT_TASK

logger = logging.getLogger("webhookhub.sweep")

ROWS_A_STATEMENT = 1000
# A sweep ends after this and leaves the rest to the next one.
BUDGET_SECONDS = 1.5
# Messages in a queue from which on its rings are not lost but waiting: nothing is added to it.
LONG_QUEUE = 200


class Woken(NamedTuple):
    """A delivery whose moment has come, and what the sweep made of it."""

    id: UUID
    verdict: str
    subscription_id: UUID
    subscription_version: int | None
    attempt_count: int
    claimed_at: datetime | None
    now: datetime
    expires_at: datetime
    last_outcome: str
    trigger: str
    is_slow: bool | None
    """Whether its endpoint is; None where nobody knows it to be."""


def sweep() -> Counter[str]:
    """Go through all that is overdue, the oldest first. Returns how many rows there were of each kind."""
    found: Counter[str] = Counter(events=_sweep_events(), jobs=ring_for_overdue_jobs(), called=call_everywhere())
    end = time.monotonic() + BUDGET_SECONDS
    while woken := _wake():
        found.update(row.verdict for row in woken)
        ring_for(_record_lost([row for row in woken if row.verdict == "lost"]))
        for subscription_id in {row.subscription_id for row in woken if row.verdict == "held"}:
            release(subscription_id)
        may_ring_more = _ring([row for row in woken if row.verdict == "due"])
        if len(woken) < ROWS_A_STATEMENT or not may_ring_more or time.monotonic() > end:
            break
    if found.total():
        logger.info("swept", extra={"found": {kind: count for kind, count in found.items() if count}})
    return found


def _sweep_events() -> int:
    """Ring again for events that were recorded and never fanned out."""
    with connection.cursor() as cursor:
        cursor.execute(
            _WAKE_EVENTS, {"rows": ROWS_A_STATEMENT, "look_again_seconds": hub_settings().look_again_seconds}
        )
        overdue = [identifier for (identifier,) in cursor.fetchall()]
    if overdue and not _is_long(doorbell.FANOUT):
        doorbell.ring(FAN_OUT_TASK, overdue, queue=doorbell.FANOUT)
    return len(overdue)


def _wake() -> list[Woken]:
    with connection.cursor() as cursor:
        cursor.execute(
            _WAKE_DELIVERIES,
            {
                "rows": ROWS_A_STATEMENT,
                "look_again_seconds": hub_settings().look_again_seconds,
                "held_look_again_seconds": HELD_LOOK_AGAIN_SECONDS,
            },
        )
        return [Woken(*row) for row in cursor.fetchall()]


def _ring(due: Sequence[Woken]) -> bool:
    """Ring for what is due, where the queue is not long already. Returns whether more may be rung."""
    may_ring_more = True
    for queue in (doorbell.DELIVERIES, doorbell.SLOW_DELIVERIES):
        is_slow = queue == doorbell.SLOW_DELIVERIES
        identifiers = [row.id for row in due if (row.last_outcome == CROWDED or bool(row.is_slow)) is is_slow]
        if not identifiers:
            continue
        if _is_long(queue):
            may_ring_more = False
        else:
            doorbell.ring(DELIVER_TASK, identifiers, queue=queue)
    return may_ring_more


def _is_long(queue: str) -> bool:
    return doorbell.waiting(queue) >= LONG_QUEUE


def _record_lost(lost: Sequence[Woken]) -> list[NearRetry]:
    """Leave an attempt that says that its worker was lost, and schedule what follows as after any failure."""
    endpoints = load_endpoints(
        {row.subscription_id: row.subscription_version for row in lost if row.subscription_version is not None}
    )
    rng = random.Random()
    verdicts = []
    for row in lost:
        endpoint = endpoints.get(row.subscription_id)
        # One whose subscription was deleted is claimed once more, and cancelled then.
        verdicts.append(_lost_verdict(row, endpoint.profile if endpoint is not None else DEFAULT_PROFILE, rng))
    return record(verdicts) if verdicts else []


def _lost_verdict(row: Woken, profile: DeliveryProfile, rng: random.Random) -> Verdict:
    assert row.claimed_at is not None
    outcome = WorkerLost()
    return Verdict(
        delivery_id=row.id,
        attempt_number=row.attempt_count,
        claimed_at=row.claimed_at,
        started_at=row.claimed_at,
        finished_at=row.now,
        outcome=outcome,
        decision=schedule(
            profile,
            attempt_number=row.attempt_count,
            outcome=outcome,
            now=row.now,
            expires_at=row.expires_at,
            rng=rng,
            is_only_attempt=row.trigger == TEST_TRIGGER,
        ),
        result=None,
    )


_WAKE_EVENTS = """
    UPDATE webhookhub_event
       SET wake_at = now() + %(look_again_seconds)s * interval '1 second'
     WHERE id IN (SELECT id FROM webhookhub_event WHERE wake_at <= now()
                   ORDER BY wake_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED)
 RETURNING id
"""

_WAKE_DELIVERIES = f"""
    WITH woken AS MATERIALIZED (
        SELECT id,
               CASE WHEN status IN ('delivered', 'failed') THEN 'over'
                    WHEN claimed_at IS NOT NULL AND due_at > now() THEN 'on the wire'
                    WHEN claimed_at IS NOT NULL THEN 'lost'
                    WHEN status = 'cancelled' THEN 'over'
                    WHEN expires_at <= now() THEN 'expired'
                    WHEN status = 'held' THEN 'held'
                    WHEN status = 'pending' AND due_at <= now() THEN 'due'
                    ELSE 'later'
               END AS verdict
          FROM webhookhub_delivery
         WHERE wake_at <= now()
         ORDER BY wake_at
         LIMIT %(rows)s
           FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE webhookhub_delivery AS delivery
           SET status = CASE verdict WHEN 'expired' THEN 'failed' ELSE status END,
               failure_reason = CASE verdict WHEN 'expired' THEN 'expired' ELSE failure_reason END,
               finished_at = CASE verdict WHEN 'expired' THEN now() ELSE finished_at END,
               wake_at = CASE verdict
                         WHEN 'on the wire' THEN due_at
                         WHEN 'lost' THEN now() + %(look_again_seconds)s * interval '1 second'
                         WHEN 'over' THEN NULL
                         WHEN 'expired' THEN NULL
                         WHEN 'held' THEN least(now() + %(held_look_again_seconds)s * interval '1 second', expires_at)
                         WHEN 'due' THEN least(now() + %(look_again_seconds)s * interval '1 second', expires_at)
                         WHEN 'later' THEN least(due_at, expires_at)
                         END
          FROM woken
         WHERE delivery.id = woken.id
     RETURNING delivery.id, verdict, subscription_id, account_id, attempt_count, claimed_at, expires_at, last_outcome, trigger
    ), tallied AS ({COUNT_FAILED.format(failed="moved WHERE verdict = 'expired'")})
    SELECT moved.id, verdict, moved.subscription_id, subscription.version, attempt_count, claimed_at, now(), expires_at, last_outcome,
           trigger, circuit.is_slow
      FROM moved
      LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = moved.subscription_id
      LEFT JOIN webhookhub_circuit AS circuit ON circuit.subscription_id = moved.subscription_id
"""  # noqa: S608 - only texts of our modules
