"""Which deliveries are ours to attempt now? One conditional UPDATE: what it returns is ours until the lease ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from webhookhub.conf import hub_settings
from webhookhub.ids import array_literal, sibling_bounds


class Fact(NamedTuple):
    """The event behind a delivery, as far as requests are built from it."""

    shown_id: str
    type: str
    entity_type: str
    action: str
    subject: str
    correlation_id: str
    data: str
    created_at: datetime


class Claim(NamedTuple):
    """One delivery in our hands: an attempt that has been counted, and must be recorded or given back."""

    delivery_id: UUID
    subscription_id: UUID
    attempt_number: int
    claimed_at: datetime
    """The database's moment of the claim, and the token without which no result is taken."""
    expires_at: datetime
    subscription_version: int | None
    """None where the subscription was deleted."""
    claimed_monotonic: float
    """This process's moment of the claim: later moments are told on the database's clock, whatever ours says."""
    fact: Fact
    trigger: str = "event"

    def moment(self, monotonic: float) -> datetime:
        """The database's time at this moment of our monotonic clock."""
        return self.claimed_at + timedelta(seconds=monotonic - self.claimed_monotonic)


def claim(delivery_ids: Sequence[UUID]) -> list[Claim]:
    """Claim those of the deliveries that are pending and due, in one statement, and read what their requests need.

    One that is not returned is done, cancelled, not due, expired, or in other hands: whoever updated the row first has it.
    """
    if not delivery_ids:
        return []
    # The ids of a delivery and its event share their moment: the bounds let the planner leave out other partitions.
    low, high = sibling_bounds(min(delivery_ids))[0], sibling_bounds(max(delivery_ids))[1]
    parameters: dict[str, Any] = {
        "ids": array_literal(delivery_ids),
        "low": low,
        "high": high,
        "lease_seconds": hub_settings().lease_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        claimed_monotonic = time.monotonic()
        return [Claim._make((*row[:6], claimed_monotonic, Fact._make(row[7:]), row[6])) for row in cursor.fetchall()]


# One whose worker was lost is still claimed: the sweep puts the lost attempt on record before the next one begins.
# `wake_at` stays as it is, so that no index changes: when it comes before the lease has ended, the sweep moves it there.
_CLAIM = """
    WITH claimed AS (
        UPDATE webhookhub_delivery
           SET attempt_count = attempt_count + 1,
               claimed_at = now(),
               due_at = now() + %(lease_seconds)s * interval '1 second'
         WHERE id = ANY(%(ids)s::uuid[]) AND id BETWEEN %(low)s AND %(high)s
           AND status = 'pending' AND claimed_at IS NULL AND due_at <= now() AND now() < expires_at
     RETURNING id, subscription_id, event_id, attempt_count, claimed_at, expires_at, trigger
    )
    SELECT claimed.id, claimed.subscription_id, claimed.attempt_count, claimed.claimed_at, claimed.expires_at,
           subscription.version, claimed.trigger,
           'evt_' || replace(event.id::text, '-', ''), event.type, event.entity_type, event.action, event.subject,
           event.correlation_id, event.data, event.created_at
      FROM claimed
           -- Each event by its own key. Where its statistics are older than the events, the planner expects one of them
           -- between the bounds, and compared each claim with each event.
     CROSS JOIN LATERAL (SELECT * FROM webhookhub_event
                          WHERE id = claimed.event_id AND id BETWEEN %(low)s AND %(high)s LIMIT 1) AS event
      LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = claimed.subscription_id
"""
