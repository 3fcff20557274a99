"""What is on record? Events, deliveries with what is left of their event and webhook, and attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import TextChoices

from deliveries.models import CONCURRENCY_LIMITED, DeliveryAttempt, Status
from webhookhub.ids import array_literal, attempt_id, attempt_ids, sibling_bounds


class FanOut(TextChoices):
    """What is known of who hears of an event."""

    WAITING = "waiting"  # nothing yet
    MATCHED = "matched"  # somebody does
    UNMATCHED = "unmatched"  # nobody wanted it


class LoggedEvent(NamedTuple):
    """An event as people ask for it."""

    id: UUID
    account_id: UUID
    type: str
    entity_type: str
    action: str
    subject: str
    correlation_id: str
    created_at: datetime
    is_waiting: bool
    """Whether it has not been fanned out."""
    is_expunged: bool
    data: str | None
    """JSON; None where it was not asked for, empty where it was expunged."""
    has_deliveries: bool

    @property
    def fan_out(self) -> FanOut:
        """Who hears of it."""
        if self.is_waiting:
            return FanOut.WAITING
        return FanOut.MATCHED if self.has_deliveries else FanOut.UNMATCHED


class LoggedDelivery(NamedTuple):
    """A delivery as people ask for it."""

    id: UUID
    account_id: UUID
    event_id: UUID
    subscription_id: UUID
    trigger: str
    status: str
    failure_reason: str
    attempt_count: int
    due_at: datetime
    claimed_at: datetime | None
    expires_at: datetime
    finished_at: datetime | None
    last_outcome: str
    last_status_code: int | None
    event_type: str | None
    """None, as all else of the event, where that is past its retention."""
    correlation_id: str | None
    recorded_at: datetime | None
    data: str | None
    """JSON; None where it was not asked for, empty where it was expunged."""
    url: str | None
    """None, as the `uid`, where the webhook was deleted."""
    uid: str | None

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the delivery will be attempted next, while it waits for that and it can be told."""
        is_waiting = self.status == Status.PENDING and self.claimed_at is None
        # When a place on the wire gets free nobody knows; `due_at` is when it is looked at if nobody has called it.
        return self.due_at if is_waiting and self.last_outcome != CONCURRENCY_LIMITED else None


def read_deliveries(delivery_ids: Sequence[UUID], *, with_data: bool = False) -> list[LoggedDelivery]:
    """The deliveries of these ids that there are, in the order of the ids, in one statement."""
    if not delivery_ids:
        return []
    # The ids of a delivery and its event share their moment: the bounds let the planner leave out other partitions.
    low, high = sibling_bounds(min(delivery_ids))[0], sibling_bounds(max(delivery_ids))[1]
    parameters: dict[str, Any] = {
        "ids": array_literal(delivery_ids),
        "low": low,
        "high": high,
        "with_data": with_data,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ_DELIVERIES, parameters)
        found = {row[0]: LoggedDelivery._make(row) for row in cursor.fetchall()}
    return [found[identifier] for identifier in delivery_ids if identifier in found]


def read_attempts(delivery_id: UUID, numbers: Iterable[int]) -> list[DeliveryAttempt]:
    """Those of a delivery's attempts that have been recorded, the first one first."""
    return _read_attempts([attempt_id(delivery_id, number) for number in numbers])


def read_last_attempts(deliveries: Sequence[LoggedDelivery]) -> dict[UUID, DeliveryAttempt]:
    """The last attempt of each delivery that has one on record, in one statement."""
    # The last one that was counted may be on the wire: then the one before is the last on record.
    identifiers = [identifier for one in deliveries for identifier in attempt_ids(one.id, one.attempt_count)[-2:]]
    return {attempt.delivery_id: attempt for attempt in _read_attempts(identifiers)}


def _read_attempts(identifiers: Sequence[UUID]) -> list[DeliveryAttempt]:
    if not identifiers:
        return []
    span = (min(identifiers), max(identifiers))
    return list(DeliveryAttempt.objects.filter(id__in=identifiers, id__range=span).order_by("number"))


def read_events(event_ids: Sequence[UUID], *, with_data: bool = False) -> list[LoggedEvent]:
    """The events of these ids that there are, in the order of the ids, in one statement."""
    bounds = [sibling_bounds(identifier) for identifier in event_ids]
    if not bounds:
        return []
    parameters: dict[str, Any] = {
        "ids": array_literal(event_ids),
        "lows": array_literal(low for low, _ in bounds),
        "highs": array_literal(high for _, high in bounds),
        "low": min(bounds)[0],
        "high": max(bounds)[1],
        "with_data": with_data,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ_EVENTS, parameters)
        found = {row[0]: LoggedEvent._make(row) for row in cursor.fetchall()}
    return [found[identifier] for identifier in event_ids if identifier in found]


_READ_DELIVERIES = """
    SELECT delivery.id, delivery.account_id, delivery.event_id, delivery.subscription_id, delivery.trigger,
           delivery.status, delivery.failure_reason, delivery.attempt_count, delivery.due_at, delivery.claimed_at,
           delivery.expires_at, delivery.finished_at, delivery.last_outcome, delivery.last_status_code,
           event.type, event.correlation_id, event.created_at, CASE WHEN %(with_data)s THEN event.data END,
           subscription.url, subscription.uid
      FROM webhookhub_delivery AS delivery
      LEFT JOIN webhookhub_event AS event ON event.id = delivery.event_id AND event.id BETWEEN %(low)s AND %(high)s
      LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = delivery.subscription_id
     WHERE delivery.id = ANY(%(ids)s::uuid[]) AND delivery.id BETWEEN %(low)s AND %(high)s
"""
_READ_EVENTS = """
    SELECT event.id, event.account_id, event.type, event.entity_type, event.action, event.subject, event.correlation_id,
           event.created_at, event.wake_at IS NOT NULL, event.data = '', CASE WHEN %(with_data)s THEN event.data END,
           EXISTS (SELECT 1 FROM webhookhub_delivery AS delivery
                    WHERE delivery.id BETWEEN wanted.low AND wanted.high AND delivery.event_id = event.id
                      AND delivery.id BETWEEN %(low)s AND %(high)s)
      FROM unnest(%(ids)s::uuid[], %(lows)s::uuid[], %(highs)s::uuid[]) AS wanted (id, low, high)
      JOIN webhookhub_event AS event ON event.id = wanted.id AND event.id BETWEEN %(low)s AND %(high)s
"""
