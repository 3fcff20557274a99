"""How do published events get their deliveries without a fan-out of their own? In the statement that inserts them, where few
want them and it is known who.

What a publisher waits for stays small and does not depend on the number of subscribers: an event that many want, or that
somebody wants by its data, or of an account whose subscriptions are not known here as they stand, waits for `fan_out`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError, InterfaceError, connection

from deliveries.fan_out import DELIVER_TASK, INSERT_WANTED, TRIGGER
from subscriptions.matching import Subscriber, SubscriptionIndex, kept_index, load_indexes
from subscriptions.models import Subscription
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.event_rows import FAN_OUT_OVERDUE, EventRow
from webhookhub.events import FAN_OUT_TASK
from webhookhub.ids import delivery_id
from webhookhub.ingest.sink import Inserted, Unrung
from webhookhub.logged_ids import logged_ids

logger = logging.getLogger("webhookhub.fan_out")

# Deliveries of one event that its publisher waits for; each costs about what the event itself does.
MOST_DELIVERIES = 4
# A larger account's index is not kept where events are published: it takes long to build, and is built anew at each change.
MOST_SUBSCRIPTIONS = 1000
# Accounts that one ring learns about, and for how long those are left alone that are too large or have no webhooks.
MOST_LEARNED = 50
LEFT_ALONE_SECONDS = 60.0


class InlineFanOut:
    """This process's sink of published events; what it knows of subscriptions it learns as it rings, after the commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Accounts whose index is missing or has moved.
        self._unknown: set[UUID] = set()
        # Those that have none, each until when that is taken for granted.
        self._left_alone: dict[UUID, float] = {}

    def insert(self, rows: Sequence[tuple[UUID, EventRow]]) -> Inserted:
        """Insert these events, and the deliveries of those whose account's subscriptions are as they are known here."""
        if not rows:
            return Inserted(events=0, deliveries={})
        planned: dict[UUID, list[UUID]] = {}
        documents = []
        for account_id, row in rows:
            index = kept_index(account_id)
            subscribers = None if index is None else _find_few(index, row)
            document = {"account_id": account_id, **row._asdict(), "version": None, "deliveries": []}
            if index is not None and subscribers is not None:
                document["version"] = index.version
                document["deliveries"] = wanted = [_wanted(row.id, subscriber) for subscriber in subscribers]
                planned[row.id] = [one["id"] for one in wanted]
            elif index is None:
                self._note_unknown([account_id])
            documents.append(document)
        count, waiting, moved = _insert(documents)
        self._note_unknown(moved)
        for event_id in waiting:
            planned.pop(event_id, None)
        return Inserted(events=count, deliveries=planned)

    def ring(self, unrung: Unrung) -> None:
        """Wake the delivery workers, and for what is not fanned out `fan_out`; then learn for whom that might have been."""
        if unrung.deliveries:
            doorbell.ring(DELIVER_TASK, unrung.deliveries, queue=doorbell.DELIVERIES)
            logger.info(
                "fanned out inline",
                extra={"deliveries": len(unrung.deliveries), "delivery_ids": logged_ids("delivery", unrung.deliveries)},
            )
        doorbell.ring(FAN_OUT_TASK, unrung.events, queue=doorbell.FANOUT)
        if self._unknown:
            self._learn()

    def _note_unknown(self, account_ids: Sequence[UUID]) -> None:
        with self._lock:
            self._unknown.update(account_ids)

    def _learn(self) -> None:
        now = time.monotonic()
        with self._lock:
            unknown, self._unknown = self._unknown, set()
        self._left_alone = {one: until for one, until in self._left_alone.items() if until > now}
        wanted = [one for one in unknown if one not in self._left_alone][:MOST_LEARNED]
        try:
            load_indexes([one for one in wanted if _is_small(one)])
        except (DatabaseError, InterfaceError) as error:
            logger.warning("subscriptions not read", extra={"accounts": len(wanted), "reason": str(error)[:200]})
            connection.close()
            return
        until = now + LEFT_ALONE_SECONDS
        self._left_alone |= {one: until for one in wanted if kept_index(one) is None}


def _find_few(index: SubscriptionIndex, row: EventRow) -> list[Subscriber] | None:
    """Who wants it; None where that are many, or it takes its data to know, or one is slow and has a queue of its own."""
    found = index.match(event_type=row.type, entity_type=row.entity_type, action=row.action)
    if len(found) > MOST_DELIVERIES or index.asks_for_data(found) or any(one.is_slow for one in found):
        return None
    return found


def _wanted(event_id: UUID, subscriber: Subscriber) -> dict[str, Any]:
    return {
        "id": delivery_id(event_id, subscriber.id, TRIGGER),
        "subscription_id": subscriber.id,
        "lives_seconds": subscriber.expires_after.total_seconds(),
    }


def _insert(documents: Sequence[dict[str, Any]]) -> tuple[int, list[UUID], list[UUID]]:
    """How many have an account; the events that wait for `fan_out`; the accounts that are not as they were known."""
    parameters: dict[str, Any] = {
        "events": orjson.dumps(documents).decode(),
        "trigger": TRIGGER,
        "look_again_seconds": hub_settings().look_again_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)
        count, waiting, moved = cursor.fetchone()
    return count, waiting, moved


def _is_small(account_id: UUID) -> bool:
    some = Subscription.objects.filter(account_id=account_id, enabled=True)[: MOST_SUBSCRIPTIONS + 1]
    return some.count() <= MOST_SUBSCRIPTIONS


# The version is compared in the snapshot that inserts: a subscription that was committed before it is told, or its event waits.
_INSERT = f"""
    WITH new AS (
        SELECT new.*,
               coalesce(account.has_webhooks AND account.subscriptions_version = new.version, false) AS is_fanned_out
          FROM json_to_recordset(%(events)s) AS new (
                   account_id uuid, id uuid, created_at timestamptz, type text, entity_type text, action text,
                   subject text, correlation_id text, data text, version bigint, deliveries json)
          JOIN webhookhub_account AS account ON account.id = new.account_id
    ), inserted AS (
        INSERT INTO webhookhub_event
               (account_id, id, created_at, type, entity_type, action, subject, correlation_id, data, wake_at)
        SELECT account_id, id, created_at, type, entity_type, action, subject, correlation_id, data,
               CASE WHEN NOT is_fanned_out THEN now() + interval '{FAN_OUT_OVERDUE}' END
          FROM new
            ON CONFLICT (id) DO NOTHING
    ), wanted AS (
        SELECT its.id, new.id AS event_id, its.subscription_id, new.account_id, its.lives_seconds
          FROM new
         CROSS JOIN LATERAL json_to_recordset(new.deliveries)
                    AS its (id uuid, subscription_id uuid, lives_seconds float)
         WHERE new.is_fanned_out
    ), delivered AS (
        {INSERT_WANTED}
    )
    SELECT count(*),
           coalesce(array_agg(id) FILTER (WHERE NOT is_fanned_out), '{{}}'),
           coalesce(array_agg(DISTINCT account_id) FILTER (WHERE NOT is_fanned_out AND version IS NOT NULL), '{{}}')
      FROM new
"""  # noqa: S608 - only constants of these modules are put in
