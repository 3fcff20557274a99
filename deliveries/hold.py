"""What becomes of deliveries whose subscription takes none? They are held, and released when it takes them again.

Released in steps that `breaker` makes larger, for an endpoint that was away for an hour may have missed a hundred thousand.
"""

from __future__ import annotations

import logging
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from deliveries.circuit import FIRST_STEP
from deliveries.fan_out import DELIVER_TASK
from subscriptions.models import Circuit, CircuitState, Subscription
from webhookhub import doorbell
from webhookhub.conf import hub_settings

logger = logging.getLogger("webhookhub.hold")

ROWS_A_STATEMENT = 1000
# A release rings like everything else, and a ring may be lost: after so long the sweep releases what may go.
HELD_LOOK_AGAIN_SECONDS = 900
# Of the lock that whoever writes circuits holds until it commits; nobody else in the database has it.
CIRCUITS_LOCK = 8_028_646


class Released(NamedTuple):
    """A delivery that is pending again, and the attempts that it has behind it."""

    id: UUID
    attempt_count: int


def release(subscription_id: UUID) -> int:
    """Begin to let the held deliveries of a subscription that takes them go, oldest first; `breaker` goes on with it.

    Returns how many went. Those of one that was deleted all go: whoever claims them finds nobody to tell, and cancels them.
    """
    if Subscription.objects.filter(id=subscription_id).exists():
        released = _begin(subscription_id)
    else:
        released = _release_all(subscription_id)
    logger.info("released", extra={"subscription": str(subscription_id), "deliveries": released})
    return released


def _begin(subscription_id: UUID) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CIRCUITS_LOCK])
        circuit = Circuit.objects.filter(subscription_id=subscription_id).first() or Circuit(
            subscription_id=subscription_id, since=Now()
        )
        if circuit.is_holding or circuit.state == CircuitState.RECOVERING:
            return 0
        step = release_step(subscription_id, FIRST_STEP)
        if len(step) == FIRST_STEP:
            circuit.state, circuit.since = CircuitState.RECOVERING, Now()
            circuit.step_size, circuit.step_ids = FIRST_STEP, [one.id for one in step]
            circuit.save()
    return len(step)


def _release_all(subscription_id: UUID) -> int:
    released = 0
    while some := release_step(subscription_id, ROWS_A_STATEMENT):
        released += len(some)
    return released


def release_step(subscription_id: UUID, most: int) -> list[Released]:
    """Let so many of the held deliveries of a subscription go that is not disabled or paused, the oldest, and ring for them."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE,
            {
                "subscription_id": subscription_id,
                "rows": most,
                "look_again_seconds": hub_settings().look_again_seconds,
            },
        )
        released = [Released(*row) for row in sorted(cursor.fetchall())]
    if released:
        doorbell.ring_on_commit(DELIVER_TASK, [one.id for one in released], queue=doorbell.DELIVERIES)
    return released


# Their last outcome is forgotten, so that it shows what becomes of them now. Written so that the planner takes the index of what
# is held: by the ids alone it came by all that was delivered before.
_RELEASE = """
    UPDATE webhookhub_delivery
       SET status = 'pending', due_at = now(), last_outcome = '',
           wake_at = least(now() + %(look_again_seconds)s * interval '1 second', expires_at)
     WHERE id IN (SELECT id FROM webhookhub_delivery
                   WHERE subscription_id BETWEEN %(subscription_id)s AND %(subscription_id)s
                     AND status = 'held' AND expires_at > now()
                   ORDER BY subscription_id, id LIMIT %(rows)s FOR UPDATE SKIP LOCKED)
       AND NOT EXISTS (SELECT 1 FROM webhookhub_subscription
                        WHERE id = %(subscription_id)s AND (NOT enabled OR paused_at IS NOT NULL))
 RETURNING id, attempt_count
"""
