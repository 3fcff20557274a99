"""What becomes of deliveries whose subscription takes none? They are held, and released when it takes them again."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import connection

from deliveries.fan_out import DELIVER_TASK
from webhookhub import doorbell
from webhookhub.conf import hub_settings

logger = logging.getLogger("webhookhub.hold")

ROWS_A_STATEMENT = 1000
# A release rings like everything else, and a ring may be lost: after so long the sweep releases what may go.
HELD_LOOK_AGAIN_SECONDS = 900


def release(subscription_id: UUID) -> int:
    """Let the held deliveries of a subscription that takes them go, oldest first. Returns how many there were.

    Those of one that was deleted go too: whoever claims them finds nobody to tell, and cancels them.
    """
    released = 0
    while identifiers := _release_some(subscription_id):
        doorbell.ring(DELIVER_TASK, identifiers, queue=doorbell.DELIVERIES)
        released += len(identifiers)
    logger.info("released", extra={"subscription": str(subscription_id), "deliveries": released})
    return released


def _release_some(subscription_id: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE webhookhub_delivery
                  SET status = 'pending', due_at = now(),
                      wake_at = least(now() + %(look_again_seconds)s * interval '1 second', expires_at)
                WHERE id IN (SELECT id FROM webhookhub_delivery
                              WHERE subscription_id = %(subscription_id)s AND status = 'held' AND expires_at > now()
                              ORDER BY id LIMIT %(rows)s FOR UPDATE SKIP LOCKED)
                  AND NOT EXISTS (SELECT 1 FROM webhookhub_subscription
                                   WHERE id = %(subscription_id)s AND (NOT enabled OR paused_at IS NOT NULL))
            RETURNING id""",
            {
                "subscription_id": subscription_id,
                "rows": ROWS_A_STATEMENT,
                "look_again_seconds": hub_settings().look_again_seconds,
            },
        )
        return sorted(identifier for (identifier,) in cursor.fetchall())
