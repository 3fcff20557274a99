"""What becomes of what a deleted account recorded? Its events, deliveries and attempts are removed, a few hundred at a time.

No foreign key leads from them to the account: a cascade over millions of rows would hold up whoever deletes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from webhookhub import doorbell
from webhookhub.accounts import FORGET_TASK
from webhookhub.ids import array_literal, attempt_ids, sibling_bounds
from webhookhub.models import Account

logger = logging.getLogger("webhookhub.forget")

# Events of one transaction, each with its deliveries and their attempts.
EVENTS_A_STATEMENT = 200
# A task ends after this and rings for the rest: the same workers run the sweep.
BUDGET_SECONDS = 3.0


def forget(account_id: UUID) -> int:
    """Remove what an account that is gone has left behind, and ring again where that takes longer. Returns the events removed.

    What is on the wire stays until its result is on record, or its lease is over: the next maintenance finds it.
    """
    end = time.monotonic() + BUDGET_SECONDS
    forgotten, after = 0, UUID(int=0)
    while event_ids := _next_events(account_id, after):
        forgotten += _forget(event_ids)
        after = event_ids[-1]
        if time.monotonic() > end:
            doorbell.ring(FORGET_TASK, [account_id], queue=doorbell.MAINTENANCE)
            break
    if forgotten:
        logger.info("forgotten", extra={"account": str(account_id), "events": forgotten})
    return forgotten


def ring_for_orphans() -> None:
    """Ring for the accounts that are gone and have events: a ring was lost, or something was on the wire."""
    with connection.cursor() as cursor:
        cursor.execute(_ORPHANS)
        orphans = [account_id for (account_id,) in cursor.fetchall()]
    doorbell.ring(FORGET_TASK, orphans, queue=doorbell.MAINTENANCE)


def _next_events(account_id: UUID, after: UUID) -> list[UUID]:
    """Events of the account, in the order of their ids; none while there is such an account."""
    if Account.objects.filter(id=account_id).exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [account_id, after, EVENTS_A_STATEMENT])
        return [identifier for (identifier,) in cursor.fetchall()]


def _forget(event_ids: Sequence[UUID]) -> int:
    bounds = [sibling_bounds(identifier) for identifier in event_ids]
    parameters = {
        "events": array_literal(event_ids),
        "lows": array_literal(low for low, _ in bounds),
        "highs": array_literal(high for _, high in bounds),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DELETE_DELIVERIES, parameters)
        attempts = [one for delivery, count in cursor.fetchall() for one in attempt_ids(delivery, count)]
        cursor.execute("DELETE FROM webhookhub_delivery_attempt WHERE id = ANY(%s::uuid[])", [array_literal(attempts)])
        cursor.execute(_DELETE_EVENTS, parameters)
        return int(cursor.rowcount)


# Along the index on account and id, from one account to the next.
_ORPHANS = """
    WITH RECURSIVE known (account_id) AS (
        (SELECT account_id FROM webhookhub_event ORDER BY account_id LIMIT 1)
         UNION ALL
        SELECT (SELECT event.account_id FROM webhookhub_event AS event
                 WHERE event.account_id > known.account_id ORDER BY event.account_id LIMIT 1)
          FROM known WHERE known.account_id IS NOT NULL
    )
    SELECT account_id FROM known
     WHERE account_id IS NOT NULL AND NOT EXISTS (SELECT FROM webhookhub_account WHERE id = account_id)
"""

_EVENTS = """
    SELECT id FROM webhookhub_event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s
"""

_DELETE_DELIVERIES = """
    DELETE FROM webhookhub_delivery AS delivery
     USING unnest(%(events)s::uuid[], %(lows)s::uuid[], %(highs)s::uuid[]) AS event (id, low, high)
     WHERE delivery.id BETWEEN event.low AND event.high AND delivery.event_id = event.id
       AND (delivery.claimed_at IS NULL OR delivery.due_at <= now())
 RETURNING delivery.id, delivery.attempt_count
"""

_DELETE_EVENTS = """
    DELETE FROM webhookhub_event AS its
     USING unnest(%(events)s::uuid[], %(lows)s::uuid[], %(highs)s::uuid[]) AS event (id, low, high)
     WHERE its.id = event.id
       AND NOT EXISTS (SELECT FROM webhookhub_delivery AS delivery
                        WHERE delivery.id BETWEEN event.low AND event.high AND delivery.event_id = event.id)
"""
