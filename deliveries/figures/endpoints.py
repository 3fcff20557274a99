"""Which webhooks are slow, and which fail? The worst of the last hour or the last day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

from django.db import connection

from deliveries.figure_models import WHOLE_HUB
from deliveries.figures.history import MODELS, Unit
from subscriptions.models import Circuit, CircuitState


class Window(Enum):
    """How far back is looked, in stretches of which the last is not over yet."""

    HOUR = (Unit.MINUTE, 60)
    DAY = (Unit.HOUR, 24)


class Ranking(Enum):
    """What makes a webhook one of the worst."""

    SLOWEST = "total_ms / timed"
    MOST_FAILING = "attempts - accepted"


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointFigures:
    """One webhook's attempts in the window."""

    subscription_id: UUID
    account_id: UUID
    url: str
    attempts: int
    failed_attempts: int
    mean_ms: float | None
    """Of attempts that have a duration; None where there is none."""


def find_worst(
    ranking: Ranking, window: Window, *, most: int = 10, until: datetime | None = None
) -> list[EndpointFigures]:
    """The webhooks that are worst, the worst first; those that were deleted are left out."""
    unit, stretches = window.value
    since = unit.start_of(until or datetime.now(UTC)) - (stretches - 1) * unit.value
    statement = _WORST.format(table=MODELS[unit]._meta.db_table, measure=ranking.value)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"since": since, "whole_hub": WHOLE_HUB, "most": most})
        return [
            EndpointFigures(
                subscription_id=subscription_id,
                account_id=account_id,
                url=url,
                attempts=attempts,
                failed_attempts=attempts - accepted,
                mean_ms=total_ms / timed if timed else None,
            )
            for subscription_id, account_id, url, attempts, accepted, timed, total_ms in cursor.fetchall()
        ]


def count_circuits() -> dict[CircuitState, int]:
    """How many webhooks are in each state that is not simply closed."""
    states = Counter(Circuit.objects.values_list("state", flat=True))
    return {state: states[state] for state in CircuitState if state != CircuitState.CLOSED}


_WORST = """
    WITH summed AS (
        SELECT subscription_id, sum(attempts)::bigint AS attempts, sum(accepted)::bigint AS accepted,
               nullif(sum(timed), 0)::bigint AS timed, sum(total_ms) AS total_ms
          FROM {table}
         WHERE starts_at >= %(since)s AND subscription_id <> %(whole_hub)s
         GROUP BY subscription_id
    )
    SELECT subscription.id, subscription.account_id, subscription.url, attempts, accepted, timed, total_ms
      FROM summed JOIN webhookhub_subscription AS subscription ON subscription.id = summed.subscription_id
     WHERE {measure} > 0
     ORDER BY {measure} DESC, subscription.id
     LIMIT %(most)s
"""
