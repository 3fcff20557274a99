"""How is a delivery stopped? Its row says so; nobody claims it afterwards, and a result that still comes in changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from webhookhub.ids import array_literal

logger = logging.getLogger("webhookhub.cancel")


def cancel(delivery_ids: Iterable[UUID], *, reason: str = "cancelled") -> set[UUID]:
    """Cancel those of the deliveries that are pending or held; returns their ids. The others were final already.

    Once this is committed, no attempt begins. One that a worker had claimed before is on the wire: it goes on, and is
    recorded as an attempt of a cancelled delivery; the sweep looks after it in case that its worker is lost.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE webhookhub_delivery
                  SET status = 'cancelled', failure_reason = left(%s, 32), finished_at = now(),
                      wake_at = CASE WHEN claimed_at IS NOT NULL THEN due_at END
                WHERE id = ANY(%s::uuid[]) AND status IN ('pending', 'held')
            RETURNING id""",
            [reason, array_literal(delivery_ids)],
        )
        cancelled = {identifier for (identifier,) in cursor.fetchall()}
    logger.info("cancelled", extra={"deliveries": len(cancelled)})
    return cancelled


def find_cancelled(delivery_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the deliveries that have been cancelled."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM webhookhub_delivery WHERE id = ANY(%s::uuid[]) AND status = 'cancelled'",
            [array_literal(delivery_ids)],
        )
        return {identifier for (identifier,) in cursor.fetchall()}
