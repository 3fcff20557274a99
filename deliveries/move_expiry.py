"""How long is a delivery worth sending? Until another moment than was agreed on, where somebody says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from webhookhub.ids import array_literal

logger = logging.getLogger("webhookhub.move_expiry")


def move_expiry(delivery_ids: Iterable[UUID], *, expires_at: datetime) -> set[UUID]:
    """Let those of the deliveries that are pending or held expire then, sooner or later than before; returns their ids.

    The others are over. A moment that has passed ends them with the next sweep; an attempt that is on the wire goes on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            # The rows are locked in the order of their ids, as whoever else works on many of them does.
            """WITH found AS MATERIALIZED (
                   SELECT id FROM webhookhub_delivery
                    WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('pending', 'held')
                    ORDER BY id FOR NO KEY UPDATE)
               UPDATE webhookhub_delivery AS delivery
                  SET expires_at = %(expires_at)s, wake_at = least(wake_at, %(expires_at)s)
                 FROM found
                WHERE delivery.id = found.id AND delivery.id = ANY(%(ids)s::uuid[])
            RETURNING delivery.id""",
            {"ids": array_literal(delivery_ids), "expires_at": expires_at},
        )
        moved = {identifier for (identifier,) in cursor.fetchall()}
    logger.info("expiry moved", extra={"deliveries": len(moved)})
    return moved
