"""Who hears of an event? Events in, one delivery for each subscription that matches out, in bulk; run twice, it adds nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction

from subscriptions.matching import Subscriber, keep_interested, load_indexes
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.ids import array_literal, delivery_id, moment_of

logger = logging.getLogger("webhookhub.fan_out")

DELIVER_TASK = "deliveries.deliver"
TRIGGER = "event"
ROWS_A_STATEMENT = 1000
# Events that one message takes along besides its own.
EVENTS_A_BATCH = 200
# By which the clock that an event's id was drawn by may be ahead of the database's. What is missed for it the sweep wakes.
CLOCKS_APART_SECONDS = 5
# Events whose data are read in one go where a filter asks about them: 25 MB if each were as large as they may be.
DATA_A_READ = 100


class FannedOut(NamedTuple):
    """What one fan-out did."""

    events: int
    deliveries: int


class _Event(NamedTuple):
    id: UUID
    account_id: UUID
    type: str
    entity_type: str
    action: str


class _NewDelivery(NamedTuple):
    id: UUID
    event_id: UUID
    subscription_id: UUID
    account_id: UUID
    lives_seconds: float


def fan_out(event_ids: Sequence[UUID]) -> FannedOut:
    """Insert the deliveries of events that wait, as many as these or more, and ring for them.

    Events that are done, or in other hands, are passed over.
    """
    with transaction.atomic():
        events = _take(event_ids)
        wanted = _find_subscribers(events)
        deliveries = [_delivery(event, subscriber) for event in events for subscriber in wanted[event.id]]
        slow = {subscriber.id for subscribers in wanted.values() for subscriber in subscribers if subscriber.is_slow}
        for start in range(0, len(deliveries), ROWS_A_STATEMENT):
            _insert(deliveries[start : start + ROWS_A_STATEMENT])
        _finish([event.id for event in events])
    for is_slow, queue in ((False, doorbell.DELIVERIES), (True, doorbell.SLOW_DELIVERIES)):
        rung = [delivery.id for delivery in deliveries if (delivery.subscription_id in slow) is is_slow]
        doorbell.ring(DELIVER_TASK, rung, queue=queue)
    logger.info("fanned out", extra={"events": len(events), "deliveries": len(deliveries)})
    return FannedOut(events=len(events), deliveries=len(deliveries))


def _take(rung: Sequence[UUID]) -> list[_Event]:
    """Lock events that wait, as many as were rung for or more: busy, one message does the work of many.

    Those that have waited longest come first, which are those that were rung for unless a message was lost. Whoever finds
    one locked leaves it to the other, who got there first.
    """
    if not rung:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [moment_of(min(rung)), CLOCKS_APART_SECONDS, max(len(rung), EVENTS_A_BATCH)])
        return sorted(_Event(*row) for row in cursor.fetchall())


def _find_subscribers(events: Sequence[_Event]) -> dict[UUID, list[Subscriber]]:
    """Who wants each event. Its data are read only where somebody who wants such events has a filter."""
    indexes = load_indexes({event.account_id for event in events})
    found = {
        event.id: indexes[event.account_id].match(
            event_type=event.type, entity_type=event.entity_type, action=event.action
        )
        for event in events
    }
    asked = [event.id for event in events if indexes[event.account_id].asks_for_data(found[event.id])]
    for start in range(0, len(asked), DATA_A_READ):
        for event_id, data in _read_data(asked[start : start + DATA_A_READ]):
            found[event_id] = keep_interested(found[event_id], data)
    return found


def _read_data(event_ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, data FROM webhookhub_event WHERE id = ANY(%s::uuid[])", [array_literal(event_ids)])
        rows: list[tuple[UUID, str]] = cursor.fetchall()
    return rows


def _delivery(event: _Event, subscriber: Subscriber) -> _NewDelivery:
    return _NewDelivery(
        id=delivery_id(event.id, subscriber.id, TRIGGER),
        event_id=event.id,
        subscription_id=subscriber.id,
        account_id=event.account_id,
        lives_seconds=subscriber.expires_after.total_seconds(),
    )


def _insert(deliveries: Sequence[_NewDelivery]) -> None:
    # One document costs this process and PostgreSQL less than arrays of parameters do.
    parameters: dict[str, Any] = {
        "deliveries": orjson.dumps([delivery._asdict() for delivery in deliveries]).decode(),
        "trigger": TRIGGER,
        "look_again_seconds": hub_settings().look_again_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)


def _finish(event_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhookhub_event SET wake_at = NULL WHERE id = ANY(%s::uuid[])", [array_literal(event_ids)]
        )


# Along the partial index, and no earlier than the oldest that was rung for can stand in it: an event's moment to wake lies
# behind its creation. What stands before that is done, and its entries are dead until the next vacuum; with a million of
# them each look took 4 ms.
_TAKE = """
    SELECT id, account_id, type, entity_type, action
      FROM webhookhub_event
     WHERE wake_at >= least(%s, now()) - %s * interval '1 second'
     ORDER BY wake_at
     LIMIT %s
       FOR UPDATE SKIP LOCKED
"""

# What `wanted` has as id, event_id, subscription_id, account_id and lives_seconds.
INSERT_WANTED = """
    INSERT INTO webhookhub_delivery
           (id, event_id, subscription_id, account_id, expires_at, trigger, status, attempt_count,
            due_at, wake_at, failure_reason, last_outcome)
    SELECT id, event_id, subscription_id, account_id, expires_at, %(trigger)s, 'pending', 0,
           now(), least(now() + %(look_again_seconds)s * interval '1 second', expires_at), '', ''
      FROM wanted
     CROSS JOIN LATERAL (SELECT now() + lives_seconds * interval '1 second') AS its (expires_at)
        ON CONFLICT (id) DO NOTHING
"""

_INSERT = f"""
    WITH wanted AS (
        SELECT * FROM json_to_recordset(%(deliveries)s)
                      AS new (id uuid, event_id uuid, subscription_id uuid, account_id uuid, lives_seconds float)
    )
    {INSERT_WANTED}
"""  # noqa: S608 - only a constant of this module is put in
