"""How does a delivery get its next attempt at once? What waits for its retry becomes due now; whatever else is refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries.fan_out import DELIVER_TASK
from deliveries.objections import Objection
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.ids import array_literal

logger = logging.getLogger("webhookhub.retry_now")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetriedNow:
    """What became of each delivery that was asked for: it stands in one of the two."""

    due: list[UUID]
    refused: dict[UUID, Objection]


def retry_now(delivery_ids: Sequence[UUID]) -> RetriedNow:
    """Attempt those of the deliveries now that are pending; their schedule goes on from there as after any attempt.

    However many ask for the same delivery at once, the first claim has the attempt, and nobody else finds it due.
    """
    verdicts = _move(delivery_ids) if delivery_ids else {}
    due = [identifier for identifier, verdict in verdicts.items() if verdict == _DUE]
    refused = {
        identifier: Objection(verdicts.get(identifier, Objection.NOT_FOUND))
        for identifier in delivery_ids
        if verdicts.get(identifier) != _DUE
    }
    if due:
        doorbell.ring_on_commit(DELIVER_TASK, due, queue=doorbell.DELIVERIES)
    logger.info("retried now", extra={"deliveries": len(due), "refused": dict(Counter(refused.values()))})
    return RetriedNow(due=due, refused=refused)


def _move(delivery_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Make those due that may be; what was found of each delivery that there is."""
    parameters: dict[str, Any] = {
        "ids": array_literal(delivery_ids),
        "look_again_seconds": hub_settings().look_again_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RETRY_NOW, parameters)
        return dict(cursor.fetchall())


_DUE = "due"

# The rows are locked in the order of their ids, so that two of these cannot wait for each other.
_RETRY_NOW = f"""
    WITH looked AS MATERIALIZED (
        SELECT delivery.id,
               CASE WHEN status NOT IN ('pending', 'held') THEN '{Objection.FINAL}'
                    WHEN subscription.id IS NULL THEN '{Objection.WEBHOOK_DELETED}'
                    WHEN NOT subscription.enabled THEN '{Objection.WEBHOOK_DISABLED}'
                    WHEN subscription.paused_at IS NOT NULL THEN '{Objection.WEBHOOK_PAUSED}'
                    WHEN status = 'held' THEN '{Objection.HELD}'
                    WHEN claimed_at IS NOT NULL THEN '{Objection.ON_THE_WIRE}'
                    WHEN expires_at <= now() THEN '{Objection.EXPIRED}'
                    ELSE '{_DUE}'
               END AS verdict
          FROM webhookhub_delivery AS delivery
          LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = delivery.subscription_id
         WHERE delivery.id = ANY(%(ids)s::uuid[])
         ORDER BY delivery.id
           FOR UPDATE OF delivery
    ), moved AS (
        UPDATE webhookhub_delivery AS delivery
           SET due_at = least(due_at, now()),
               wake_at = least(now() + %(look_again_seconds)s * interval '1 second', expires_at)
          FROM looked
         WHERE delivery.id = looked.id
           AND delivery.id = ANY(%(ids)s::uuid[])  -- lets the planner leave out other partitions
           AND verdict = '{_DUE}'
    )
    SELECT id, verdict FROM looked
"""  # noqa: S608 - only constants of the code are put in
